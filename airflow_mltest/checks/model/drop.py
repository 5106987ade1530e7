"""How much worse does the model answer when its rows are changed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.agreement import LAST_BITS, differ
from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Measurement, Outcome
from airflow_mltest.core.statistics import Interval, measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from airflow_mltest.checks.model.measure import Measure
    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """
    What a change of the rows costs a metric.

    Args:
        metric: Its name.
        value: How much worse it is on the changed rows; greater is worse, whatever the metric.
        interval: Of the true drop; paired, since the rows are the same but for the change.
        allowed: The most that it may drop.
        flipped: Which answers are others than before, shape (n,).
    """

    metric: str
    value: float
    interval: Interval
    allowed: float
    flipped: np.ndarray

    @property
    def outcome(self) -> Outcome:
        """Whether it surely drops by no more than allowed, by more, or nobody can tell."""
        return verdict(self.interval, maximum=self.allowed)

    @property
    def words(self) -> str:
        """Say "accuracy drops by 0.1, between 0.08 and 0.12; 0.05 allowed; 12 % of answers flip"."""
        words = (
            f"{self.metric} drops by {self.value:.4g}, between {self.interval.low:.4g} and {self.interval.high:.4g}; "
            f"{self.allowed:g} allowed; {self.flipped.mean():.2%} of answers flip"
        )
        if self.outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(self.value, self.interval, len(self.flipped), maximum=self.allowed)
            words += would_decide(needed)
        return words

    def measurement(self, name: str) -> Measurement:
        """Give it as the number that a case rests on; an end that nothing bounds is left out."""
        return measured(name, self.value, self.interval, maximum=self.allowed)


def asked(subject: ModelSubject, measure: Measure, rows: pd.DataFrame) -> Answers:
    """
    Ask the model about changed rows for what *measure* needs.

    Raises:
        ConfigurationError: The model does not take them.
    """
    scores = subject.ask_scores(rows) if measure.needs_scores else None
    return Answers(labels=subject.labels, predictions=subject.ask(rows), scores=scores)


def drop(subject: ModelSubject, measure: Measure, changed: Answers, *, allowed: float, confidence: float) -> Drop:
    """
    Compare the answers to the rows as they are with those to *changed* ones.

    Raises:
        ConfigurationError: The metric cannot be computed.
    """
    clean = Answers.of(subject, scores=measure.needs_scores)
    value, interval = measure.difference(clean, changed, confidence, subject.rng())
    flipped = differ(clean.predictions, changed.predictions, tolerance=LAST_BITS)
    return Drop(metric=measure.name, value=value, interval=interval, allowed=allowed, flipped=flipped)


def require_drop(what: str, *, max_drop: float, share: float, confidence: float) -> None:
    """
    Refuse settings of a check that changes rows which make no sense.

    Raises:
        ConfigurationError: The drop is below 0, or the share not above 0 and at most 1.
    """
    require_confidence(what, confidence)
    if not (max_drop >= 0 and 0 < share <= 1):
        msg = f"{what}: max_drop is 0 or more and share above 0 and at most 1, not {max_drop} and {share}."
        raise ConfigurationError(msg)
