"""What running pytest from a task costs, and how soon the log tells."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.code.subjects import begin
from benchmarks.table import in_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_mltest.core.outcome import Case
    from airflow_mltest.core.recording import Recording
    from benchmarks.table import Table

_ROUNDS = 9
_TELLING_S = 0.3


def overheads(table: Table, scratch: Path) -> None:
    """Compare with bare pytest, in the interpreter that runs this."""
    table.section("Overheads")
    _operator(table, _trivial(scratch / "trivial", files=100, tests=50))
    _latency(table, scratch / "slow")
    _planning(table, _trivial(scratch / "wide", files=300, tests=0, whole=2500))
    _shipping(table, _trivial(scratch / "long", files=1, tests=5000))


def _trivial(folder: Path, *, files: int, tests: int, whole: int = 0) -> Path:
    """Write a project of trivial tests; *whole* of them dealt to the files, if that is given."""
    folder.mkdir()
    for number in range(files):
        count = whole // files + (number < whole % files) if whole else tests
        text = "".join(f"def test_{test}():\n    assert {test} >= 0\n\n\n" for test in range(count))
        (folder / f"test_{number:03}.py").write_text(text)
    begin(folder)
    return folder


def _operator(table: Table, project: Path) -> None:
    from airflow_mltest.operators.pytest import PytestOperator

    operator = PytestOperator(task_id="tests", project=str(project))

    spent_s: tuple[list[float], list[float]] = ([], [])

    def ours() -> float:
        with _printing_to(project.with_suffix(".log")):
            return _wall_s(lambda: spent_s[0].append(cpu_s(lambda: operator.execute(context()))))

    def theirs() -> float:
        return _wall_s(lambda: spent_s[1].append(cpu_s(lambda: _bare(project))))

    ours_s, theirs_s = in_turns(_ROUNDS, ours, theirs)
    table.ratio("PytestOperator over `python -m pytest`, 5,000 trivial tests (wall)", ours_s, theirs_s, most=1.10)
    table.ratio("  the same (CPU)", *spent_s)


def _latency(table: Table, project: Path) -> None:
    """Tests that say when they end, each followed by one that lasts; how long until the recording knows?"""
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

    project.mkdir()
    lines = ["import time", "from pathlib import Path", ""]
    for number in range(10):
        lines += [f"def test_{number}_quick():", f"    Path('ended_{number}').write_text(str(time.time()))", ""]
        lines += [f"def test_{number}_slow():", "    time.sleep(0.6)", ""]
    (project / "test_slow.py").write_text("\n".join(lines))
    told: dict[str, float] = {}

    def on_case(_: Recording, case: Case) -> None:
        told[case.name] = time.time()

    PytestRunner(PytestCommand(project=str(project))).run(Recording("tests", "code", on_case=on_case))
    late = [
        told[f"test_slow.py::test_{number}_quick"] - float((project / f"ended_{number}").read_text())
        for number in range(10)
    ]
    table.row(
        "a case in the log after its test ended, longest of 10",
        f"{max(late):.3f} s", goal=f"< {_TELLING_S} s", kept=max(late) < _TELLING_S,
    )  # fmt: skip


def _planning(table: Table, project: Path) -> None:
    from airflow_mltest.integrations.pytest_runner import PytestCommand
    from airflow_mltest.planning import plan_tests

    command = PytestCommand(project=str(project))

    def ours() -> float:
        return cpu_s(lambda: plan_tests(command, shards=8))

    ours_s, theirs_s = in_turns(_ROUNDS, ours, lambda: cpu_s(lambda: _bare(project, "--collect-only")))
    table.ratio("planning over `pytest --collect-only`, 2,500 tests, 300 modules (CPU)", ours_s, theirs_s, most=1.20)


def _shipping(table: Table, project: Path) -> None:
    """Run a shard with all ids of one file, and the same without ids; the difference is what shipping costs."""
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

    file = project / "test_000.py"
    ids = frozenset(f"{file.name}::test_{number}" for number in range(5000))

    def run(**chosen: Any) -> Callable[[], float]:
        def measured() -> float:
            recording = Recording("tests", "code")
            spent_s = cpu_s(lambda: PytestRunner(PytestCommand(project=str(project), **chosen)).run(recording))
            if len(recording.cases) != len(ids):
                msg = f"{len(recording.cases)} cases of {len(ids)} tests"
                raise AssertionError(msg)
            return spent_s

        return measured

    shipped_s, whole_s, collected_s = in_turns(
        _ROUNDS, run(files=(str(file),), only=ids), run(), lambda: cpu_s(lambda: _bare(project, "--collect-only"))
    )
    collect_s = statistics.median(collected_s)
    added = [collect_s + one - other for one, other in zip(shipped_s, whole_s, strict=True)]
    table.ratio("5,000 ids of one file over collecting the folder (CPU)", added, [collect_s] * _ROUNDS, most=1.20)


def _bare(project: Path, *args: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *args],
        cwd=project, env={**os.environ, "PYTHONPATH": ""}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip


@contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Have the task's log in a file, as a worker has, and not between the table's lines."""
    sys.stdout.flush()
    table = os.dup(1)
    with path.open("w") as log:
        os.dup2(log.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(table, 1)
        os.close(table)


def _wall_s(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def cpu_s(work: Callable[[], object]) -> float:
    """Give the user and system seconds of *work*, here and in its children that were waited for."""
    start_s = _spent_s()
    work()
    return _spent_s() - start_s


def _spent_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def context() -> Any:
    """Give what an operator asks of its task, without Airflow's database."""

    class TaskInstance:
        dag_id, run_id, task_id, map_index, try_number = "bench", "bench", "bench", -1, 1

        def xcom_push(self, key: str, value: object) -> None:
            """Drop it."""

    return {"ti": TaskInstance()}
