"""What a run says. Every other module speaks in these words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltest.core.figure import Figure, Matrix

Kind = Literal["code", "data", "model", "deployment", "environment", "gate"]


class Outcome(StrEnum):
    """How a case, or a whole suite, ended."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """The data cannot tell: too few rows, or an interval across the bound."""
    BROKEN = "broken"
    """It could not be judged (JUnit's `error`)."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """
    A number that a case rests on, beside what it had to be.

    Args:
        name: What was measured, with its unit: `roc_auc`, `latency_p95_ms`. Unique in a suite.
        value: The estimate; NaN when it could not be measured.
        low: Lower end of the interval that holds the true value, if one is known.
        high: Upper end of that interval.
        minimum: The least that was asked for, if anything.
        maximum: The most that was allowed, if anything.
        confidence: Coverage of the interval, a share (0.95).
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One question and its answer.

    Args:
        name: Unique in its suite: a pytest node id, an expectation, a check.
        outcome: The answer.
        detail: Why, in words that a person can act on; may have several lines.
        duration_s: Seconds it took.
        measurements: The numbers behind the answer.
        facts: What else is worth keeping, such as examples; strict JSON.
        figures: Pictures of them.
        output: What the case printed, if it did not pass.
        location: Where it is written, `path:line`, if it is written somewhere.
        flaky: It passed, but only when asked again.
    """

    name: str
    outcome: Outcome
    detail: str = ""
    duration_s: float = 0.0
    measurements: tuple[Measurement, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[Figure | Matrix, ...] = ()
    output: str = ""
    location: str = ""
    flaky: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The task that ran a suite, in Airflow's words."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """
    What one run of several questions said.

    Args:
        name: The suite's name; of a task, its task id.
        kind: What was tested.
        cases: The answers, in the order in which they ended.
        origin: The task that ran it; None outside Airflow.
        subject: What was tested, as far as known: `commit`, `model`, `version`, `model_digest`,
            `data`, `data_digest`.
        environment: Under which conditions: versions, CPUs, threads, seeds.
        started_at: When the run began, aware.
        duration_s: Seconds the whole run took.
        incomplete: Why the run did not reach its end; empty when it did.
        stands_for: The task whose suites this one has merged, in the same run; a report shows this
            one in their place. Empty: none.
        attachments: Files that were kept beside it, as paths from the run's folder in the report store.
    """

    name: str
    kind: Kind
    cases: tuple[Case, ...] = ()
    origin: Origin | None = None
    subject: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    duration_s: float = 0.0
    incomplete: str = ""
    stands_for: str = ""
    attachments: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst that it holds: a suite in which nothing ran, or which did not end, is broken."""
        found = {case.outcome for case in self.cases}
        if Outcome.FAILED in found:
            return Outcome.FAILED
        if Outcome.BROKEN in found or self.incomplete or not found:
            return Outcome.BROKEN
        for outcome in (Outcome.INCONCLUSIVE, Outcome.PASSED):
            if outcome in found:
                return outcome
        return Outcome.SKIPPED

    @property
    def passed(self) -> bool:
        """Whether it ran to its end, something was asked, and every answer was yes."""
        return self.outcome is Outcome.PASSED

    @property
    def failures(self) -> tuple[Case, ...]:
        """The cases that speak against the subject: failed ones first, then broken ones."""
        failed = tuple(case for case in self.cases if case.outcome is Outcome.FAILED)
        return failed + tuple(case for case in self.cases if case.outcome is Outcome.BROKEN)

    @property
    def counts(self) -> dict[str, int]:
        """How many cases ended how: every outcome by name, and `flaky`."""
        found = Counter(case.outcome for case in self.cases)
        counts = {outcome.value: found[outcome] for outcome in Outcome}
        return counts | {"flaky": sum(case.flaky for case in self.cases)}
