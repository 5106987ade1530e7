"""Is the model at least as good as the one that it would replace?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.rates import rows_to_show
from airflow_mltest.core.statistics import Interval, measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class NotWorseThan:
    """
    A metric is not worse than the baseline's by more than *margin*, on the same rows, beyond luck.

    Paired non-inferiority: the interval of the difference is compared with the margin, so that an
    equal candidate is not refused by a coin flip, and a worse one is not let through by one. It is
    skipped when there is no baseline, as on a first release.

    The interval is Tango's for accuracy, with McNemar's exact test against no difference; DeLong's for
    a binary AUC; a multinomial bootstrap for other metrics of answers; the central limit for losses.

    Args:
        metric: As for `Metric`.
        margin: How much worse is still good enough, in the metric's own unit.
        confidence: That the true difference is not beyond the end that is compared, a share.
        greater_is_better: Of a metric that is a function of your own.
    """

    metric: str | Callable[..., float]
    margin: float
    confidence: float = 0.95
    greater_is_better: bool = True

    def __post_init__(self) -> None:
        what = f"NotWorseThan({metric_name(self.metric)!r})"
        require_confidence(what, self.confidence)
        if not 0 <= self.margin < math.inf:
            msg = f"{what}: margin is 0 or more, the loss that is allowed, not {self.margin}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Compare both models row by row."""
        measure = Measure.of(self.metric, greater_is_better=self.greater_is_better)
        name = f"not_worse_than_baseline({measure.name})"
        if subject.baseline is None:
            return without_baseline(name, subject)
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
            detail += self._needed(difference, interval, len(candidate))
        measurement = measured(f"{measure.name}_over_baseline", difference, interval, minimum=-self.margin)
        return Case(name=name, outcome=outcome, detail=detail, measurements=(measurement,))

    def _needed(self, difference: float, interval: Interval, rows: int) -> str:
        """Say how many rows would decide: planned for two equal models, not for the luck of this sample."""
        equal = rows_to_show(interval, rows, self.margin)
        if equal:
            return f"; about {equal} rows would decide, in 4 of 5 cases, if the two are equal"
        needed = rows_needed(difference, interval, rows, minimum=-self.margin)
        return would_decide(needed)


def without_baseline(name: str, subject: ModelSubject) -> Case:
    """Skip a comparison on a first release, which has nothing to be compared with."""
    absent = subject.baseline_absent or "no baseline was given"
    return Case(name=name, outcome=Outcome.SKIPPED, detail=f"{absent}; judged by the other checks alone")
