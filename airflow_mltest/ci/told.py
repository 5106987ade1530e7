"""What the tasks of a run have told of their suites, and the suites as far as that goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from airflow_mltest.core.outcome import Case, Kind, Origin, Outcome, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    A task's summary, as it came through XCom.

    Args:
        origin: The task; which try is not known.
        summary: What it has told.
        at: When.
    """

    origin: Origin
    summary: Mapping[str, Any]
    at: datetime

    @property
    def is_suite(self) -> bool:
        """Whether one of our tasks has told it: others may use the same key."""
        told = self.summary
        return (
            isinstance(told, dict)
            and told.get("kind") in get_args(Kind)
            and all(isinstance(told.get(key), kind) for key, kind in (("suite", str), ("counts", dict)))
            and isinstance(told.get("failures"), list)
        )

    @property
    def failures(self) -> list[Case]:
        """The cases that have not passed, as far as they are told by name: failed ones first, then broken ones."""
        told = [failure for failure in self.summary["failures"] if isinstance(failure, dict)]
        failed = self._count(Outcome.FAILED)
        return [
            Case(
                name=str(one.get("name")),
                outcome=Outcome.FAILED if place < failed else Outcome.BROKEN,
                detail=str(one.get("detail") or ""),
            )
            for place, one in enumerate(told)
        ]

    def suite(self) -> Suite:
        """Make a suite of it: cases that did not pass by name, all others by number."""
        told, failures = self.summary, self.failures
        named = Counter(case.outcome for case in failures)
        rest = {outcome: self._count(outcome) - named[outcome] for outcome in Outcome}
        others = [
            Case(name=f"({count} {outcome})", outcome=outcome, detail="told by number only")
            for outcome, count in rest.items()
            if count > 0
        ]
        return Suite(
            name=told["suite"],
            kind=told["kind"],
            cases=(*failures, *others),
            origin=self.origin,
            subject=dict(told.get("subject") or {}),
            started_at=self.at,
            incomplete=str(told.get("incomplete", "")),
            stands_for=str(told.get("stands_for", "")),
        )

    def _count(self, outcome: Outcome) -> int:
        return int(self.summary["counts"].get(outcome, 0))


def suites_of(told: Sequence[Told], kept: Mapping[str, Suite]) -> tuple[list[Suite], int]:
    """
    Give each task's suite: the whole one where it is *kept*, by its digest, else what its summary says.

    Returns:
        The suites, and how many of them are whole.
    """
    whole = [kept.get(one.summary.get("digest", "")) for one in told]
    suites = [suite or one.suite() for suite, one in zip(whole, told, strict=True)]
    return suites, sum(suite is not None for suite in whole)
