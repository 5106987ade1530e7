"""`Drift` beside evidently's preset: CPU, memory, verdicts on planted drifts, and alarms where nothing drifted."""

from __future__ import annotations

import json
import subprocess
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from airflow_mltest.checks.data.drift import Drift
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from benchmarks.table import Table

_ROWS = 1_000_000
_NUMERIC, _CATEGORICAL = 160, 40
# Theirs takes seconds a column: it is given so many of each kind, and counted as often as there are columns.
_THEIR_COLUMNS = 2
_RUNS = 100
_LEAST_QUIET = 95
# evidently 0.7.23 needs pandas below 3: an environment of its own, which
# `make bench-data` makes.
_THEIR_PYTHON = Path(__file__).parents[2] / ".venv-bench-evidently" / "bin" / "python"
# CPU seconds a column of a million rows and as many, as measured once on the machine of the other figures.
_THEIRS_S = {"numeric": 5.6, "categorical": 1.34}
_THEIRS = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

reference, current = (pd.read_parquet(path) for path in sys.argv[1:3])
kinds = {name: reference[name].dtype == object for name in reference}
definition = DataDefinition(
    numerical_columns=[name for name, text in kinds.items() if not text],
    categorical_columns=[name for name, text in kinds.items() if text],
)
start_s = time.process_time()
given = [Dataset.from_pandas(one, data_definition=definition) for one in (current, reference)]
metrics = Report([DataDriftPreset()]).run(*given).dict()["metrics"]
took_s = time.process_time() - start_s
drifted = [
    metric["config"]["column"] for metric in metrics[1:] if metric["value"] >= metric["config"]["threshold"]
]
print(json.dumps({"took_s": took_s, "drifted": drifted}))
"""


def drift(table: Table, scratch: Path) -> None:
    """Print what is promised of `Drift`."""
    _speed(table, scratch)
    _planted(table, scratch)
    _quiet(table)


def _speed(table: Table, scratch: Path) -> None:
    columns = _NUMERIC + _CATEGORICAL
    table.section(f"Drift, {columns} columns x {_ROWS:,} rows against as many, CPU (ratio: theirs / ours)")
    theirs = {}
    for kind, name in (("numeric", "n"), ("categorical", "c")):
        some = [_some(seed, {name: _THEIR_COLUMNS}) for seed in (0, 1)]
        said = _ask_theirs(scratch, *some)
        theirs[kind] = said["took_s"] / _THEIR_COLUMNS if said else _THEIRS_S[kind]
    if not _THEIR_PYTHON.exists():
        table.note("theirs: as measured once")
    reference, rows = (_some(seed, {"n": _NUMERIC, "c": _CATEGORICAL}) for seed in (0, 1))
    for method in ("auto", "wasserstein", "psi"):
        start_s = time.process_time()
        Drift(method=method).run(DataSubject(rows=rows, reference=reference))
        ours_s = time.process_time() - start_s
        theirs_s = _NUMERIC * theirs["numeric"] + _CATEGORICAL * theirs["categorical"]
        table.row(
            f"method {method}; theirs: {_THEIR_COLUMNS} columns of each kind, scaled", f"{ours_s:.0f} s",
            f"{theirs_s:.0f} s", ratio=theirs_s / ours_s, goal=">= 10x", kept=theirs_s >= 10 * ours_s,
        )  # fmt: skip
    _memory(table, rows, reference)


def _memory(table: Table, rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    names = [*rows.columns[:4], *rows.columns[-4:]]
    subject = DataSubject(rows=rows[names], reference=reference[names])
    tracemalloc.start()
    Drift().run(subject)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    own_mib = peak / 2**20
    most_mib = 10 * _ROWS * 8 / 2**20
    table.row("memory beside the data", f"{own_mib:.0f} MiB", goal="<= ten columns", kept=own_mib <= most_mib)


def _some(seed: int, columns: dict[str, int], rows: int = _ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    letters = pd.array(list("abcdefgh"), dtype="str")
    drawn: dict[str, Any] = {f"n{number}": rng.normal(size=rows) for number in range(columns.get("n", 0))}
    for number in range(columns.get("c", 0)):
        drawn[f"c{number}"] = letters.take(rng.integers(8, size=rows))
    return pd.DataFrame(drawn)


def _ask_theirs(scratch: Path, reference: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any] | None:
    if not _THEIR_PYTHON.exists():
        return None
    paths = [scratch / name for name in ("reference.parquet", "rows.parquet")]
    for frame, path in zip((reference, rows), paths, strict=True):
        frame.to_parquet(path)
    done = subprocess.run(
        [str(_THEIR_PYTHON), "-c", _THEIRS, *map(str, paths)], capture_output=True, text=True, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _planted(table: Table, scratch: Path) -> None:
    """Change some columns of twelve, and not the others."""
    table.section("Drift, planted: columns said to have drifted, 100,000 rows")
    reference, rows, truly = *(_mixed(seed) for seed in (0, 1)), set()
    changes = {
        "moved": lambda values: values + 0.3,
        "wider": lambda values: values * 1.5,
        "skewed": lambda values: values**1.3,
        "more": lambda values: values + (np.arange(len(values)) % 3 == 0),
        "share": lambda values: values.mask(np.arange(len(values)) % 5 == 0, "a"),
        "renamed": lambda values: values.replace("b", "z"),
    }
    for name, change in changes.items():
        rows[name] = change(rows[name])
        truly.add(name)
    case = Drift().run(DataSubject(rows=rows, reference=reference))
    ours = {one.name[6:-1] for one in case.measurements if one.low is not None and one.low > (one.maximum or 0)}
    said = _ask_theirs(scratch, reference, rows)
    theirs = set(said["drifted"]) if said else truly
    table.row(
        "six of twelve have changed", f"{len(ours)}", f"{len(theirs)}", goal="the same six",
        kept=ours == truly == theirs,
    )  # fmt: skip
    table.note(f"ours {', '.join(sorted(ours))}; theirs {', '.join(sorted(theirs)) if said else 'not asked'}")


def _mixed(seed: int) -> pd.DataFrame:
    rows = 100_000
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcd"))
    drawn: dict[str, Any] = {}
    for names, draw in (
        (("moved", "wider", "still"), lambda: rng.normal(size=rows)),
        (("skewed", "long"), lambda: rng.lognormal(size=rows)),
        (("more", "counts"), lambda: rng.poisson(3, rows)),
        (("share", "renamed", "letters", "names", "codes"), lambda: rng.choice(letters, rows)),
    ):
        drawn |= {name: draw() for name in names}
    return pd.DataFrame(drawn)


def _quiet(table: Table) -> None:
    table.section(f"Drift, halves of one sample: runs of {_RUNS} without an alarm")
    for rows, arguments, what in (
        (10_000, {}, "20 columns x 10,000 rows, as it comes"),
        (2000, {"maximum": 0.0, "max_missing": 0.0}, "20 columns x 2,000 rows, no effect is allowed"),
    ):
        outcomes = [_halves(seed, rows, arguments) for seed in range(_RUNS)]
        quiet = _RUNS - outcomes.count(Outcome.FAILED)
        table.row(what, f"{quiet}", goal=f">= {_LEAST_QUIET}", kept=quiet >= _LEAST_QUIET)
        table.note(", ".join(f"{outcomes.count(one)} {one.value}" for one in sorted(set(outcomes))))


def _halves(seed: int, rows: int, arguments: dict[str, Any]) -> Outcome:
    both = _some(seed, {"n": 12, "c": 8}, 2 * rows)
    subject = DataSubject(rows=both[:rows], reference=both[rows:], seed=seed)
    return Drift(**arguments).run(subject).outcome
