"""Is the model as good on rows that it has not seen as on those that it was trained on?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.statistics import Interval, measured, rows_needed, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfit:
    """
    A metric is at most *max_gap* better on the rows of the training than on the tested ones, beyond luck.

    Args:
        metric: As for `Metric`.
        max_gap: The most by which it may be better, in the metric's own unit.
        train: What the model was trained on, features and target: a path, or a function that gives a
            data frame.
        confidence: That the true gap is not beyond the end that is compared, a share.
    """

    metric: str | Callable[..., float]
    max_gap: float
    train: str | Callable[[], pd.DataFrame]
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence(f"Overfit({metric_name(self.metric)!r})", self.confidence)
        if not 0 <= self.max_gap < math.inf:
            msg = f"Overfit({metric_name(self.metric)!r}): max_gap is 0 or more, not {self.max_gap}."
            raise ConfigurationError(msg)

    @property
    def sources(self) -> tuple[Any, ...]:
        """Which data the caller has to read."""
        return (self.train,)

    def run(self, subject: ModelSubject) -> Case:
        """Measure on both, and bound the difference of two independent samples."""
        measure = Measure.of(self.metric)
        trained_on = replace(subject, rows=subject.table(self.train), _kept={})
        found = []
        for about in (trained_on, subject):
            answers = Answers.of(about, scores=measure.needs_scores)
            interval = measure.interval(answers, self.confidence, about.rng())
            found.append((measure.value(answers), interval))
        gap, interval = difference_of_independent(*found[0], *found[1], sign=measure.sign)
        outcome = verdict(interval, maximum=self.max_gap)
        detail = f"{measure.name} is {found[0][0]:.4g} on {len(trained_on.rows)} rows of the training and "
        detail += f"{found[1][0]:.4g} on {len(subject.rows)} tested ones: a gap of {gap:.4g}, between "
        detail += f"{interval.low:.4g} and {interval.high:.4g}; {self.max_gap:g} allowed"
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(gap, interval, len(subject.rows), maximum=self.max_gap)
            more = f"about {needed} tested rows, with as many times more of the training, would decide"
            detail += f"; {more}" if needed else "; no number of rows can be told"
        return Case(
            name=f"overfit({measure.name})",
            outcome=outcome,
            detail=detail,
            measurements=(
                measured(f"{measure.name}_gap", gap, interval, maximum=self.max_gap),
                measured(f"{measure.name}_on_training_rows", *found[0]),
                measured(f"{measure.name}_on_tested_rows", *found[1]),
            ),
        )


def difference_of_independent(
    one: float, one_interval: Interval, other: float, other_interval: Interval, *, sign: int
) -> tuple[float, Interval]:
    """
    Give how much better *one* is than *other*, measured on rows of two samples, and bound it.

    Args:
        one: A metric on one sample.
        one_interval: Where its true value lies.
        other: The metric on the other sample.
        other_interval: Likewise, with the same confidence.
        sign: 1 when greater is better, -1 when less is.

    Source:
        Recovered variance estimates: R. G. Newcombe (1998), Statistics in Medicine 17(8), 873-890,
        method 10; for any interval G. Y. Zou and A. Donner (2008), ibid. 27(10), 1693-1702.
    """
    gap = one - other
    down = math.hypot(one - one_interval.low, other_interval.high - other)
    up = math.hypot(one_interval.high - one, other - other_interval.low)
    low, high = (gap - down, gap + up) if sign > 0 else (-gap - up, -gap + down)
    return sign * gap, Interval(low=low, high=high, confidence=one_interval.confidence)
