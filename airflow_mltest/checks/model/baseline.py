"""Is the model at least as good as the one that it would replace?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import rows_needed, verdict

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWorseThan:
    """
    A metric is not worse than the baseline's by more than *margin*, on the same rows, beyond luck.

    Paired non-inferiority: the interval of the difference is compared with the margin, so that an
    equal candidate is not refused by a coin flip, and a worse one is not let through by one. It is
    skipped when there is no baseline, as on a first release.

    Args:
        metric: As for `Metric`.
        margin: How much worse is still good enough, in the metric's own unit.
        confidence: That the true difference is not beyond the end that is compared, a share.
    """

    metric: str
    margin: float
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence(f"NotWorseThan({self.metric!r})", self.confidence)
        if not self.margin >= 0:
            msg = f"NotWorseThan({self.metric!r}): margin is 0 or more, the loss that is allowed, not {self.margin}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Compare both models row by row."""
        name = f"not_worse_than_baseline({self.metric})"
        measure = Measure.named(self.metric)
        if subject.baseline is None:
            absent = subject.baseline_absent or "no baseline was given"
            return Case(name=name, outcome=Outcome.SKIPPED, detail=f"{absent}; judged by the other checks alone")
        candidate, baseline = (
            Answers.of(subject, scores=measure.needs_scores),
            Answers.of_baseline(subject, scores=measure.needs_scores),
        )
        difference, interval = measure.difference(candidate, baseline, self.confidence, subject.rng())
        outcome = verdict(interval, minimum=-self.margin)
        detail = (
            f"{measure.value(candidate):.4g} against {measure.value(baseline):.4g} of {subject.baseline.uri}: "
            f"better by {difference:.4g}, between {interval.low:.4g} and {interval.high:.4g} on {len(candidate)} rows; "
            f"wanted at least {-self.margin:g}"
        )
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(difference, interval, len(candidate), minimum=-self.margin)
            detail += f"; about {needed} rows would decide" if needed else "; no number of rows can be told"
        measurement = Measurement(
            name=f"{self.metric}_over_baseline",
            value=difference,
            low=interval.low,
            high=interval.high,
            minimum=-self.margin,
            confidence=interval.confidence,
        )
        return Case(name=name, outcome=outcome, detail=detail, measurements=(measurement,))
