"""Time the grid of 1,000 runs and the first view of 100,000 cases, from the index: `python -m benchmarks.history`."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.history import flaky_tests
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.core.slowdowns import slowdowns
from airflow_mltest.core.turns import turns
from airflow_mltest.reports.index import Index, past_of
from airflow_mltest.reports.store import Store
from benchmarks.table import Table, in_turns

if TYPE_CHECKING:
    from collections.abc import Callable

_RUNS, _CASES, _MANY_CASES = 1_000, 500, 100_000
_SHOWN = 50
_GRID_S, _VIEW_S = 1.0, 0.5
_ROUNDS = 5
_START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Fill a store on this machine's disk, and time what a page asks; 1 if a promise is not kept."""
    table = Table()
    with tempfile.TemporaryDirectory(prefix="mltest-bench-history-") as folder:
        store, index = Store(Path(folder)), Index(Path(folder))
        rng = random.Random(1)  # noqa: S311  outcomes of a benchmark
        start_s = time.perf_counter()
        for number in range(_RUNS):
            store.keep(_suite(rng, "nightly", number, _CASES))
        kept_s = time.perf_counter() - start_s
        store.keep(_suite(rng, "huge", 0, _MANY_CASES))
        table.section(
            f"History, a store of {_RUNS:,} runs of {_CASES} cases and a run of {_MANY_CASES:,}; theirs: reports"
        )
        table.row("keep a run, with its entry", f"{kept_s / _RUNS * 1000:.1f} ms")
        _row(table, f"how each of {_RUNS:,} runs ended", _GRID_S, lambda: index.runs("nightly", "t", most=_RUNS))
        _row(
            table, f"the last {_SHOWN}: outcomes, turns, flaky and slow tests", _GRID_S, lambda: _grid(index),
            lambda: store.past("nightly", "t", before=datetime.now(UTC), most=_SHOWN),
        )  # fmt: skip
        _row(
            table, f"a run of {_MANY_CASES:,} cases: counts, failures, slowest", _VIEW_S, lambda: _view(index),
            lambda: store.kept("huge", "r0"),
        )  # fmt: skip
        _row(
            table,
            f"one of the {_RUNS:,} runs",
            _VIEW_S,
            lambda: index.details([*index.in_run("nightly", "r7").values()]),
        )
    return 1 if table.missed else 0


def _suite(rng: random.Random, dag_id: str, number: int, cases: int) -> Suite:
    return Suite(
        name="t",
        kind="code",
        origin=Origin(dag_id=dag_id, run_id=f"r{number}", task_id="t"),
        subject={"commit": f"{number // 3:040d}"},
        started_at=_START + timedelta(hours=number),
        duration_s=60.0,
        cases=tuple(
            Case(
                name=f"tests/unit/test_module_{case // 50}.py::test_that_something_holds_{case}",
                outcome=Outcome.FAILED if rng.random() < 0.01 else Outcome.PASSED,  # noqa: PLR2004
                duration_s=rng.lognormvariate(-2, 0.3),
                detail="assert 1 == 2" if case % 2 else "",
            )
            for case in range(cases)
        ),
    )


def _grid(index: Index) -> object:
    runs = index.runs("nightly", "t", most=_SHOWN)
    past = [told for summaries in index.details(runs) if (told := past_of(summaries))]
    return [(run.outcome, run.counts) for run in runs], turns(past), flaky_tests(past), slowdowns(past)


def _view(index: Index) -> object:
    return index.details(list(index.in_run("huge", "r0").values()))


def _row(
    table: Table, what: str, most_s: float, ours: Callable[[], object], theirs: Callable[[], object] | None = None
) -> None:
    cpu_s: list[float] = []
    told = in_turns(_ROUNDS, _timed(ours, cpu_s), *([_timed(theirs, [])] if theirs else []))
    our_s, *their_s = map(statistics.median, told)
    table.row(
        what, f"{our_s * 1000:.0f} ms", *(f"{took_s * 1000:.0f} ms" for took_s in their_s),
        ratio=our_s / their_s[0] if their_s else None, goal=f"<= {most_s} s", kept=our_s <= most_s,
    )  # fmt: skip
    # On a busy machine most of it is waiting.
    table.note(f"of these {statistics.median(cpu_s) * 1000:.0f} ms of CPU")


def _timed(function: Callable[[], object], cpu_s: list[float]) -> Callable[[], float]:
    def timed() -> float:
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        function()
        cpu_s.append(time.process_time() - start_cpu_s)
        return time.perf_counter() - start_s

    return timed


if __name__ == "__main__":
    sys.exit(main())
