"""What `Leakage` finds of planted copies, what it calls a copy that is none, and how long it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from airflow_mltest.checks.data.leakage import Leakage
from airflow_mltest.checks.data.neighbours import find_neighbours
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.table import Table

_ROWS, _PLANTED = 100_000, 1_000
_RUNS, _FEWER_ROWS = 100, 2_000
# Row by row, so many rows of one table with all of the other, and scaled.
_BY_HAND = 200


def leakage(table: Table, _scratch: Path) -> None:
    """Print recall, false alarms and seconds."""
    _large(table)
    _chance(table)


def _large(table: Table) -> None:
    table.section(f"Near duplicates: {_ROWS:,} x {_ROWS:,} rows, 7 numbers and 3 categories, CPU; theirs: row by row")
    reference, rows = (_mixed(np.random.default_rng(seed), _ROWS) for seed in (0, 1))
    by_hand_s = _by_hand_s(reference, rows) * _ROWS / _BY_HAND
    columns = list(rows.columns)
    taken, clean = _timed(lambda: find_neighbours(reference, rows, columns, near=0.01))
    _row_of_seconds(table, "independent rows", taken, by_hand_s)
    false = int((clean.place >= 0).sum())
    table.row("    of which are called near", f"{false}", goal="0", kept=not false)
    for noise in (0.0, 0.002, 0.009):
        planted, sources = _planted(reference, rows, noise)
        taken, found = _timed(lambda planted=planted: find_neighbours(reference, planted, columns, near=0.01))
        _row_of_seconds(table, f"{_PLANTED:,} copies, numbers off by up to {noise:g} deviations", taken, by_hand_s)
        recall = float((found.place[:_PLANTED] == sources).mean())
        table.row("    found in their places", f"{recall:.1%}", goal=">= 99.9 %", kept=recall >= 0.999)  # noqa: PLR2004
        false = int((found.place[_PLANTED:] >= 0).sum())
        table.row("    other rows that are called near", f"{false}", goal="0", kept=not false)
    planted = planted.assign(y=(planted["x0"] > 0).astype(int))
    subject = DataSubject(rows=planted, reference=reference.assign(y=(reference["x0"] > 0).astype(int)))
    taken, case = _timed(lambda: Leakage(target="y").run(subject))
    table.row("the whole check, with a target", f"{taken:.1f} s", goal="< 30 s", kept=taken < 30)  # noqa: PLR2004
    table.note(f"{case.outcome}: {case.detail.splitlines()[0]}")


def _row_of_seconds(table: Table, what: str, ours_s: float, theirs_s: float) -> None:
    table.row(
        what, f"{ours_s:.1f} s", f"{theirs_s:.0f} s", ratio=ours_s / theirs_s, goal="< 10 s", kept=ours_s < 10  # noqa: PLR2004
    )  # fmt: skip


def _chance(table: Table) -> None:
    table.section(f"{_FEWER_ROWS:,} x {_FEWER_ROWS:,} rows of one distribution: what agrees by chance is no leak")
    draws: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
        "7 numbers, 3 categories": lambda rng: _mixed(rng, _FEWER_ROWS),
        "2 numbers": lambda rng: pd.DataFrame(rng.normal(size=(_FEWER_ROWS, 2))),
        "6 numbers that go together (r = 0.998)": lambda rng: pd.DataFrame(
            rng.normal(size=(_FEWER_ROWS, 1)) + 0.05 * rng.normal(size=(_FEWER_ROWS, 6))
        ),
        "4 prices": lambda rng: pd.DataFrame(rng.lognormal(size=(_FEWER_ROWS, 4)).round(1)),
        "6 counts": lambda rng: pd.DataFrame(rng.poisson(3, size=(_FEWER_ROWS, 6))),
        "10 flags": lambda rng: pd.DataFrame(rng.random((_FEWER_ROWS, 10)) < 0.1),  # noqa: PLR2004
    }
    for name, draw in draws.items():
        quiet = 0
        for seed in range(_RUNS):
            rng = np.random.default_rng(seed)
            rows, reference = draw(rng).rename(columns=str), draw(rng).rename(columns=str)
            quiet += Leakage().run(DataSubject(rows=rows, reference=reference)).outcome is Outcome.PASSED
        table.row(
            f"{name}: runs that pass", f"{quiet} of {_RUNS}", goal=">= 95 of 100", kept=quiet >= 0.95 * _RUNS
        )  # fmt: skip


def _mixed(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    table = pd.DataFrame({f"x{number}": rng.normal(size=rows) for number in range(7)})
    for number, size in enumerate((2, 8, 40)):
        table[f"c{number}"] = rng.integers(0, size, rows).astype(str)
    return table


def _planted(reference: pd.DataFrame, rows: pd.DataFrame, noise: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Put noisy copies of rows of the reference in the place of the first rows."""
    rng = np.random.default_rng(2)
    sources = rng.choice(len(reference), _PLANTED, replace=False)
    planted = rows.copy()
    for name in rows.columns:
        values = reference[name].to_numpy()[sources]
        if reference[name].dtype.kind == "f":
            values = values + rng.uniform(-noise, noise, _PLANTED)
        planted.loc[planted.index[:_PLANTED], name] = values
    return planted, sources


def _by_hand_s(reference: pd.DataFrame, rows: pd.DataFrame) -> float:
    """Compare a few rows with all rows of the other table, one after the other."""
    numbers = [name for name in rows.columns if rows[name].dtype.kind == "f"]
    words = [name for name in rows.columns if name not in numbers]
    known = reference[numbers].to_numpy(), reference[words].to_numpy(dtype=object)
    asked = rows[numbers].to_numpy(), rows[words].to_numpy(dtype=object)
    start_s = time.process_time()
    for place in range(_BY_HAND):
        near = (np.abs(known[0] - asked[0][place]) <= 0.01).all(axis=1)  # noqa: PLR2004
        (known[1][near] == asked[1][place]).all(axis=1).any()
    return time.process_time() - start_s


def _timed(measured: Callable[[], Any]) -> tuple[float, Any]:
    start_s = time.process_time()
    found = measured()
    return time.process_time() - start_s, found
