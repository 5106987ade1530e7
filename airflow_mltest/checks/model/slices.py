"""Is the model right often enough for everybody?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.checks.model.metric import bounds_in_words, require_bounds, require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """
    A metric keeps its bound on the rows of each value of a column.

    It fails when a slice is proven to break the bound, with a confidence shared out over all slices
    (Bonferroni), so that of many slices none fails by luck. With `strict` it passes only when every
    slice is proven to keep it. Slices that are too small to judge are named, and decide nothing.

    Args:
        by: A column, or several, each with slices of its own.
        metric: As for `Metric`.
        minimum: The least it may be in any slice.
        maximum: The most it may be in any slice.
        min_rows: Fewer rows than this are not judged.
        confidence: That no slice is called bad that is not, a share.
        strict: Slices that cannot tell make the case inconclusive.
    """

    by: str | tuple[str, ...]
    metric: str
    minimum: float | None = None
    maximum: float | None = None
    min_rows: int = 100
    confidence: float = 0.95
    strict: bool = False

    def __post_init__(self) -> None:
        require_bounds(f"Slices(by={self.by!r})", self.minimum, self.maximum)
        require_confidence(f"Slices(by={self.by!r})", self.confidence)

    def run(self, subject: ModelSubject) -> Case:
        """Measure each slice."""
        measure = Measure.named(self.metric)
        answers = Answers.of(subject, scores=measure.needs_scores)
        slices = list(self._slices(subject))
        judged = [(name, rows) for name, rows in slices if rows.sum() >= self.min_rows]
        if not judged:
            msg = f"no value of {self.by} has {self.min_rows} rows: there is no slice to judge."
            raise ConfigurationError(msg)
        measure.value(answers)  # what cannot be computed on all rows must not pass as slices that cannot tell
        confidence = 1 - (1 - self.confidence) / len(judged)
        found = [self._judge(measure, name, answers[rows], confidence, subject.rng()) for name, rows in judged]
        small = [name for name, rows in slices if rows.sum() < self.min_rows]
        outcomes = {outcome for outcome, _ in found}
        outcome = self._outcome(outcomes)
        return Case(
            name=f"slices({', '.join(self._columns)})",
            outcome=outcome,
            detail=self._detail(found, small, measure),
            measurements=tuple(measurement for _, measurement in found),
        )

    @property
    def _columns(self) -> tuple[str, ...]:
        return (self.by,) if isinstance(self.by, str) else tuple(self.by)

    def _slices(self, subject: ModelSubject) -> Iterator[tuple[str, np.ndarray]]:
        for column in self._columns:
            values = subject.column(column)
            for value in sorted(values.dropna().unique(), key=str):
                yield f"{column}={value}", (values == value).to_numpy()
            if values.isna().any():
                yield f"{column} missing", values.isna().to_numpy()

    def _judge(
        self, measure: Measure, name: str, answers: Answers, confidence: float, rng: np.random.Generator
    ) -> tuple[Outcome, Measurement]:
        bounds: dict[str, Any] = {"name": f"{self.metric}[{name}]", "minimum": self.minimum, "maximum": self.maximum}
        try:
            value = measure.value(answers)
        except ConfigurationError:  # a slice of one class has no AUC: nothing is proven by it
            return Outcome.INCONCLUSIVE, Measurement(value=float("nan"), **bounds)
        interval = measure.interval(answers, confidence, rng)
        outcome = verdict(interval, minimum=self.minimum, maximum=self.maximum)
        bounds |= {"low": interval.low, "high": interval.high, "confidence": interval.confidence}
        return outcome, Measurement(value=value, **bounds)

    def _outcome(self, outcomes: set[Outcome]) -> Outcome:
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        return Outcome.INCONCLUSIVE if self.strict and Outcome.INCONCLUSIVE in outcomes else Outcome.PASSED

    def _detail(self, found: list[tuple[Outcome, Measurement]], small: list[str], measure: Measure) -> str:
        bad = sorted((m for outcome, m in found if outcome is Outcome.FAILED), key=lambda m: measure.sign * m.value)
        known = [m for _, m in found if m.value == m.value]
        worst = min(known, key=lambda m: measure.sign * m.value, default=None)
        wanted = bounds_in_words(self.minimum, self.maximum)
        if bad:
            text = f"{len(bad)} of {len(found)} slices are proven not to be {wanted}: "
            text += ", ".join(f"{m.name} is {m.value:.4g} (up to {m.high:.4g})" for m in bad[:5])
        else:
            text = f"none of {len(found)} slices is proven not to be {wanted}"
            text += f"; the worst is {worst.name} with {worst.value:.4g}" if worst else ""
        return text + (f"; too few rows to judge: {', '.join(small[:10])}" if small else "")
