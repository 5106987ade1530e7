"""Is the model right often enough?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import rows_needed, verdict

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    A metric is at least *minimum* and at most *maximum*, beyond luck.

    The bound is compared with the nearer end of the metric's interval, not with the metric: 9 of
    10 rows do not show that a model is right nine times in ten. Between the two lies
    `inconclusive`, with the rows that would decide.

    Args:
        name: A scorer of scikit-learn (`roc_auc`, `neg_log_loss`) or a function of
            `sklearn.metrics` (`mean_absolute_error`).
        minimum: The least it may be.
        maximum: The most it may be.
        confidence: That the true value is not beyond the end that is compared, a share.
    """

    name: str
    minimum: float | None = None
    maximum: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_bounds(f"Metric({self.name!r})", self.minimum, self.maximum)
        require_confidence(f"Metric({self.name!r})", self.confidence)

    def run(self, subject: ModelSubject) -> Case:
        """Measure, bound and compare."""
        measure = Measure.named(self.name)
        answers = Answers.of(subject, scores=measure.needs_scores)
        value = measure.value(answers)
        interval = measure.interval(answers, self.confidence, subject.rng())
        outcome = verdict(interval, minimum=self.minimum, maximum=self.maximum)
        detail = f"{value:.4g}, between {interval.low:.4g} and {interval.high:.4g} on {len(answers)} rows; "
        detail += f"wanted {bounds_in_words(self.minimum, self.maximum)}"
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(value, interval, len(answers), minimum=self.minimum, maximum=self.maximum)
            detail += f"; about {needed} rows would decide" if needed else "; no number of rows can be told"
        return Case(
            name=self.name,
            outcome=outcome,
            detail=detail,
            measurements=(
                Measurement(
                    name=self.name,
                    value=value,
                    low=interval.low,
                    high=interval.high,
                    minimum=self.minimum,
                    maximum=self.maximum,
                    confidence=interval.confidence,
                ),
            ),
        )


def require_bounds(what: str, minimum: float | None, maximum: float | None) -> None:
    """
    Refuse bounds that nothing, or everything, is within.

    Raises:
        ConfigurationError: There is none, one is no number, or they leave nothing between them.
    """
    bounds = [bound for bound in (minimum, maximum) if bound is not None]
    if not bounds or any(math.isnan(bound) for bound in bounds) or bounds != sorted(bounds):
        msg = f"{what} needs a minimum or a maximum that it can be compared with, not {minimum} and {maximum}."
        raise ConfigurationError(msg)


def require_confidence(what: str, confidence: float) -> None:
    """
    Refuse a confidence that is none.

    Raises:
        ConfigurationError: It is not above a half and below one; 95 is not a share.
    """
    if not 0.5 < confidence < 1:  # noqa: PLR2004
        msg = f"{what}: confidence is a share above 0.5 and below 1, such as 0.95, not {confidence}."
        raise ConfigurationError(msg)


def bounds_in_words(minimum: float | None, maximum: float | None) -> str:
    """Say "at least 0.7 and at most 0.9"."""
    words = (("at least", minimum), ("at most", maximum))
    return " and ".join(f"{word} {bound:g}" for word, bound in words if bound is not None)
