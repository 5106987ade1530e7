"""Many suites of one run become one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Case, Outcome, Suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORST_FIRST = (Outcome.FAILED, Outcome.BROKEN, Outcome.INCONCLUSIVE, Outcome.PASSED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    What all suites of one DAG run said.

    Args:
        name: Its title.
        suites: The suites, those of shards merged.
        missing: Suites that had to be there, and are not.
        dag_id: The DAG, if there was one.
        run_id: Its run.
        created_at: When it was put together, aware.
    """

    name: str
    suites: tuple[Suite, ...] = ()
    missing: tuple[str, ...] = ()
    dag_id: str = ""
    run_id: str = ""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def outcome(self) -> Outcome:
        """The worst of its suites; broken where one is missing, or where there is none."""
        found = {suite.outcome for suite in self.suites}
        if self.missing or not found:
            found.add(Outcome.BROKEN)
        return next(outcome for outcome in _WORST_FIRST if outcome in found)

    @property
    def passed(self) -> bool:
        """Whether every suite passed, and none is missing."""
        return self.outcome is Outcome.PASSED

    @property
    def counts(self) -> dict[str, int]:
        """How many cases ended how, over all suites."""
        total: Counter[str] = Counter({outcome.value: 0 for outcome in Outcome} | {"flaky": 0})
        for suite in self.suites:
            total.update(suite.counts)
        return dict(total)


def report_of(
    name: str, suites: Iterable[Suite], *, required: Sequence[str] = (), dag_id: str = "", run_id: str = ""
) -> Report:
    """Put *suites* together; of the *required* names, those that are not there are missing."""
    merged = merge(suites)
    there = {suite.name for suite in merged}
    missing = tuple(wanted for wanted in required if wanted not in there)
    return Report(name=name, suites=merged, missing=missing, dag_id=dag_id, run_id=run_id)


def merge(suites: Iterable[Suite]) -> tuple[Suite, ...]:
    """
    Make one suite of all shards of a task; of several tries, the newest counts.

    Suites keep the order in which they started. A case that two shards ran is counted once, as
    the worse of its answers.
    """
    newest: dict[tuple[str, str, int], Suite] = {}
    for suite in suites:
        origin = suite.origin
        key = (suite.name, origin.task_id, origin.map_index) if origin else (suite.name, "", len(newest))
        if key not in newest or _newer(suite, newest[key]):
            newest[key] = suite
    by_name: dict[str, list[Suite]] = {}
    for _, suite in sorted(newest.items(), key=lambda item: (item[1].started_at, item[0])):
        by_name.setdefault(suite.name, []).append(suite)
    return tuple(_one(shards) for shards in by_name.values())


def _newer(suite: Suite, other: Suite) -> bool:
    if suite.origin and other.origin and suite.origin.try_number != other.origin.try_number:
        return suite.origin.try_number > other.origin.try_number
    return suite.started_at > other.started_at


def _one(shards: list[Suite]) -> Suite:
    first = shards[0]
    if len(shards) == 1:
        return first
    shards = sorted(shards, key=lambda shard: shard.origin.map_index if shard.origin else 0)
    cases: dict[str, Case] = {}
    for case in (case for shard in shards for case in shard.cases):
        cases[case.name] = _worse(cases[case.name], case) if case.name in cases else case
    incomplete = [
        f"shard {shard.origin.map_index if shard.origin else number}: {shard.incomplete}"
        for number, shard in enumerate(shards)
        if shard.incomplete
    ]
    return replace(
        first,
        cases=tuple(cases.values()),
        origin=replace(first.origin, map_index=-1) if first.origin else None,
        duration_s=max(shard.duration_s for shard in shards),
        incomplete="; ".join(incomplete),
    )


def _worse(one: Case, other: Case) -> Case:
    return min(one, other, key=lambda case: _WORST_FIRST.index(case.outcome))
