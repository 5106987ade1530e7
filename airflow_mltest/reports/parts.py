"""The tasks of a run as the index tells of them, and the whole suites of those that are short."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.reports.merge import WORST_FIRST, in_force
from airflow_mltest.reports.opened import open_suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_mltest.core.outcome import Origin, Suite
    from airflow_mltest.reports.index import Index, IndexedRun
    from airflow_mltest.reports.store import Store
    from airflow_mltest.reports.summary import Summary

# Opened within 50 ms; longer suites have pages of their own.
_MOST_OPENED = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    A task of a run.

    Args:
        task_id: The task.
        run: How it ended, by the names of its entries.
        summaries: What its entries hold, of each mapped instance.
    """

    task_id: str
    run: IndexedRun
    summaries: Sequence[Summary]

    @property
    def counts(self) -> dict[str, int]:
        """How many cases ended how, over all instances."""
        return dict(sum((Counter(summary.counts) for summary in self.summaries), Counter[str]()))

    @property
    def size(self) -> int:
        """How many cases it has."""
        return sum(count for name, count in self.counts.items() if name != "flaky")

    @property
    def incomplete(self) -> str:
        """Why instances did not reach their end; empty when all did."""
        return "; ".join(dict.fromkeys(one.suite.incomplete for one in self.summaries if one.suite.incomplete))

    @property
    def suite(self) -> Suite:
        """The first instance's suite, without its cases."""
        return self.summaries[0].suite

    def opened(self, store: Store) -> list[Suite]:
        """Read the whole suites of all instances."""
        return [
            open_suite(store, summary.suite.origin, summary.suite.kind).suite
            for summary in self.summaries
            if summary.suite.origin
        ]


def parts_of(index: Index, dag_id: str, run_id: str) -> list[Part]:
    """
    Give the tasks of a run in the order in which they started, without shards that another stands for.

    Where an entry cannot be read there are none: less than all would look like all.
    """
    found = index.in_run(dag_id, run_id)
    details = index.details([*found.values()])
    if any(len(run.entries) != len(read) for run, read in zip(found.values(), details, strict=True)):
        return []
    counting = {id(suite) for suite in in_force(summary.suite for summaries in details for summary in summaries)}
    parts = [
        Part(task_id=task_id, run=run, summaries=summaries)
        for (task_id, run), summaries in zip(found.items(), details, strict=True)
        if any(id(summary.suite) in counting for summary in summaries)
    ]
    return sorted(parts, key=lambda part: (part.run.started_at, part.task_id))


def kept_of(store: Store, origin: Origin) -> list[Suite]:
    """Read the suites of a run without the index; of one task if *origin* names one, map index -1 is all instances."""
    return [
        kept.suite
        for kept in store.kept(origin.dag_id, origin.run_id)
        if not origin.task_id or (kept.suite.origin and _is_of(kept.suite.origin, origin))
    ]


def _is_of(found: Origin, wanted: Origin) -> bool:
    return found.task_id == wanted.task_id and wanted.map_index in {-1, found.map_index}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Give the worst of *outcomes*; of none it is broken."""
    return min(outcomes, key=WORST_FIRST.index, default=Outcome.BROKEN)


def short_ones(parts: Sequence[Part]) -> list[Part]:
    """Choose the parts that are opened at once, the shortest first."""
    chosen: list[Part] = []
    left = _MOST_OPENED
    for part in sorted(parts, key=lambda part: part.size):
        left -= part.size
        if left < 0:
            break
        chosen.append(part)
    return chosen
