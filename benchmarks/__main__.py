"""Print each ratio that this package promises, measured side by side in one run: `make bench`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9
HEAVY = ("pandas", "mlflow", "great_expectations", "sklearn", "kubernetes")
OPERATORS = ("pytest", "data", "model", "report", "gate", "promote")


def main() -> None:
    """Run every benchmark, one after the other."""
    with tempfile.TemporaryDirectory(prefix="mltest-bench-") as folder:
        os.environ.update(AIRFLOW_HOME=folder, AIRFLOW__LOGGING__LOGGING_LEVEL="INFO", MLFLOW_DISABLE_TELEMETRY="true")
        print(f"{'what':64} {'ours':>9} {'theirs':>9} {'ratio':>7}   goal")
        _imports()
        _pytest(Path(folder))
        _data(Path(folder))
        _model(Path(folder))


def _row(what: str, ours: list[float], theirs: list[float], goal: str) -> None:
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"{what:64} {statistics.median(ours):8.3f}s {statistics.median(theirs):8.3f}s "
        f"{statistics.median(ratios):6.3f}x   {goal}",
        flush=True,
    )


def _alternate(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int = ROUNDS
) -> tuple[list[float], list[float]]:
    """Time both in turns, after one round that does not count; whose turn is first changes."""
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for which in (0, 1) if number % 2 else (1, 0):
            start_s = time.perf_counter()
            (ours, theirs)[which]()
            if number:
                took[which].append(time.perf_counter() - start_s)
    return took


def _imports() -> None:
    """Compare CPU seconds of a fresh interpreter, with and without our operators."""
    ours = "import airflow.sdk; " + "; ".join(f"import airflow_mltest.operators.{name}" for name in OPERATORS)

    def cpu_s(code: str) -> float:
        script = f"import time; {code}; print(time.process_time())"
        return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)

    pairs = [(cpu_s(ours), cpu_s("import airflow.sdk")) for _ in range(ROUNDS + 1)][1:]
    _row("import of all operators over `import airflow.sdk` (CPU)", *map(list, zip(*pairs, strict=True)), "")
    script = (
        f"import airflow.sdk, sys, time; start = time.process_time(); {ours}; "
        f"print((time.process_time() - start) * 1000, *[name for name in {HEAVY} if name in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(ROUNDS)
    ]
    added_ms = statistics.median(float(run[0]) for run in runs)
    print(f"{'  what our modules add (CPU)':64} {added_ms:7.1f}ms {'':17} +15 ms; heavy: {runs[0][1:] or 'none'}")


def _pytest(folder: Path) -> None:
    """Compare `PytestOperator` with bare pytest on 1,000 trivial tests."""
    from airflow_mltest.operators.pytest import PytestOperator

    project = folder / "project"
    project.mkdir()
    for number in range(20):
        tests = "".join(f"def test_{test}():\n    assert {test} >= 0\n" for test in range(50))
        (project / f"test_{number}.py").write_text(tests)
    operator = PytestOperator(task_id="tests", project=str(project))
    environment = {**os.environ, "PYTHONPATH": ""}

    def bare() -> None:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q"],
            cwd=project, env=environment, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    _row(
        "PytestOperator over `python -m pytest`, 1,000 trivial tests",
        *_alternate(lambda: operator.execute(_context()), bare),
        "<= 1.10",
    )


def _data(folder: Path) -> None:
    """Compare `DataTestOperator` with the same calls to Great Expectations, once it is imported."""
    import pandas as pd

    from airflow_mltest.integrations.gx_suite import read_expectations
    from airflow_mltest.operators.data import DataTestOperator

    features, expectations = _features(folder), _demo() / "project" / "expectations" / "features.json"
    operator = DataTestOperator(task_id="data", data=str(features / "train.parquet"), expectations=str(expectations))

    def alone() -> None:
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # as its documentation sets it
        batch = context.data_sources.pandas_default.read_dataframe(pd.read_parquet(features / "train.parquet"))
        suite = gx.ExpectationSuite(name="data", expectations=read_expectations(str(expectations)))
        batch.validate(suite, result_format="BASIC")

    _row(
        "DataTestOperator over the same Great Expectations calls",
        *_alternate(lambda: operator.execute(_context()), alone),
        "<= 1.05",
    )


def _model(folder: Path) -> None:
    """Compare `ModelTestOperator`, two checks, with loading and predicting alone."""
    import json

    import pandas as pd

    from airflow_mltest.checks import Metric, Signature
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
    from airflow_mltest.operators.model import ModelTestOperator

    uri = f"sqlite:///{folder}/mlflow.db"
    os.environ["AIRFLOW_CONN_MLFLOW_DEFAULT"] = json.dumps({"conn_type": "mlflow", "host": uri})
    _project("train", "--features", str(_features(folder)), "--model", "bench", MLFLOW_TRACKING_URI=uri)
    test = _features(folder) / "test.parquet"
    operator = ModelTestOperator(
        task_id="model",
        model="models:/bench/1",
        data=str(test),
        target="late",
        checks=[Signature(), Metric(name="roc_auc", minimum=0.5)],
    )

    def alone() -> None:
        model = MlflowRegistry(uri).load("models:/bench/1")
        rows = pd.read_parquet(test)[list(model.inputs or ())]
        model.predict(rows)
        model.scores(rows)

    _row(
        "ModelTestOperator over loading and predicting alone",
        *_alternate(lambda: operator.execute(_context()), alone),
        "(stated)",
    )


def _demo() -> Path:
    import airflow_mltest.demo

    return Path(airflow_mltest.demo.__file__).parent


def _features(folder: Path) -> Path:
    target = folder / "features"
    if not target.exists():
        _project("features", "--data", str(_demo() / "data"), "--out", str(target))
    return target


def _project(*arguments: str, **environment: str) -> None:
    path = {"PYTHONPATH": str(_demo() / "project" / "src")}
    subprocess.run(
        [sys.executable, "-m", "late_flights", *arguments],
        env={**os.environ, **path, **environment}, capture_output=True, check=True,
    )  # fmt: skip


def _context() -> dict[str, object]:
    class TaskInstance:
        dag_id, run_id, task_id, map_index, try_number = "bench", "bench", "bench", -1, 1

        def xcom_push(self, key: str, value: object) -> None:
            """Drop it."""

    return {"ti": TaskInstance()}


if __name__ == "__main__":
    main()
