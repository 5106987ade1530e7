"""Two runs of a DAG beside each other: what ended otherwise, and what was measured otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.reports.index import past_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.history import PastRun
    from airflow_mltest.reports.index import Index, IndexedRun
    from airflow_mltest.reports.summary import Summary

_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    A suite in two runs.

    Args:
        task_id: Its task.
        runs: How it ended in the one and in the other; None where it did not run.
        changed: The tests that ended otherwise, with both outcomes; empty text: it did not run.
        more: How many more tests ended otherwise.
        metrics: What was measured otherwise, with both values; None: it was not measured.
        whole: Whether all cases are known; of more than 2,000 the index has those that did not pass, and the slowest.
    """

    task_id: str
    runs: tuple[IndexedRun | None, IndexedRun | None]
    changed: Sequence[tuple[str, str, str]]
    more: int
    metrics: Sequence[tuple[str, float | None, float | None]]
    whole: bool


def compare(index: Index, dag_id: str, run_id: str, other: str) -> list[Compared]:
    """Compare the suites of one run of a DAG with those of an *other*."""
    one, two = index.in_run(dag_id, run_id), index.in_run(dag_id, other)
    return [_compared(index, task_id, one.get(task_id), two.get(task_id)) for task_id in sorted(one.keys() | two)]


def _compared(index: Index, task_id: str, one: IndexedRun | None, two: IndexedRun | None) -> Compared:
    before, after = ([*index.details([run])[0]] if run else [] for run in (one, two))
    changed = _changed(before, after)
    return Compared(
        task_id=task_id,
        runs=(one, two),
        changed=changed[:_MOST],
        more=len(changed[_MOST:]),
        metrics=_metrics(before, after),
        whole=all(_whole(summary) for summary in (*before, *after)),
    )


def _changed(before: Sequence[Summary], after: Sequence[Summary]) -> list[tuple[str, str, str]]:
    one, two = _outcomes(past_of(before)), _outcomes(past_of(after))
    return [
        (test, one.get(test, ""), two.get(test, ""))
        for test in sorted(one.keys() | two)
        if one.get(test) != two.get(test)
    ]


def _outcomes(past: PastRun | None) -> Mapping[str, str]:
    return {test: case.outcome.value for test, case in past.cases.items()} if past else {}


def _metrics(before: Sequence[Summary], after: Sequence[Summary]) -> list[tuple[str, float | None, float | None]]:
    one, two = ({name: value for said in some for name, value in said.metrics.items()} for some in (before, after))
    return [(name, one.get(name), two.get(name)) for name in sorted(one.keys() | two) if one.get(name) != two.get(name)]


def _whole(summary: Summary) -> bool:
    return len(summary.past.cases) == sum(count for name, count in summary.counts.items() if name != "flaky")
