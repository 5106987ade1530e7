"""Is the model right often enough?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.confusion import cell_metric, cells_of
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Matrix
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.statistics import measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.checks.model.subject import ModelSubject

# More classes than this are no picture that a person can read.
_MOST_CLASSES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    A metric is at least *minimum* and at most *maximum*, beyond luck.

    The bound is compared with the nearer end of the metric's interval, not with the metric: 9 of
    10 rows do not show that a model is right nine times in ten. Between the two lies
    `inconclusive`, with the rows that would decide.

    Args:
        name: A scorer of scikit-learn (`roc_auc`, `neg_log_loss`), a function of `sklearn.metrics`
            (`mean_absolute_error`), either as an object, or a function of your own, `f(truth, answers)`.
        minimum: The least it may be.
        maximum: The most it may be.
        confidence: That the true value is not beyond the end that is compared, a share.
        weight: A column that says how much each row counts.
        greater_is_better: Of a function of your own; only comparisons ask for it.
    """

    name: str | Callable[..., float]
    minimum: float | None = None
    maximum: float | None = None
    confidence: float = 0.95
    weight: str | None = None
    greater_is_better: bool = True

    def __post_init__(self) -> None:
        require_bounds(f"Metric({metric_name(self.name)!r})", self.minimum, self.maximum)
        require_confidence(f"Metric({metric_name(self.name)!r})", self.confidence)

    def run(self, subject: ModelSubject) -> Case:
        """Measure, bound and compare."""
        measure = Measure.of(self.name, greater_is_better=self.greater_is_better)
        answers = Answers.of(subject, scores=measure.needs_scores)
        if self.weight is not None:
            answers = replace(answers, weights=weights_of(subject, self.weight))
        value = measure.value(answers)
        interval = measure.interval(answers, self.confidence, subject.rng())
        outcome = verdict(interval, minimum=self.minimum, maximum=self.maximum)
        detail = f"{value:.4g}, between {interval.low:.4g} and {interval.high:.4g} on {len(answers)} rows; "
        detail += f"wanted {bounds_in_words(self.minimum, self.maximum)}"
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(value, interval, len(answers), minimum=self.minimum, maximum=self.maximum)
            detail += would_decide(needed)
        measurement = measured(measure.name, value, interval, minimum=self.minimum, maximum=self.maximum)
        return Case(
            name=measure.name,
            outcome=outcome,
            detail=detail,
            measurements=(measurement,),
            figures=_confusion(measure, answers),
        )


def weights_of(subject: ModelSubject, column: str) -> np.ndarray:
    """
    Take a column as how much each row counts.

    Returns:
        Weights, shape (n,), 0 or more, not all 0.

    Raises:
        ConfigurationError: It is not there, or holds what is no weight; the message has the first rows.
    """
    import pandas as pd

    weights = pd.to_numeric(subject.column(column), errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        rows = ", ".join(str(subject.rows.index[row]) for row in wrong[:5])
        msg = f"weight {column!r} is missing, negative or no number in {wrong.size} rows: {rows}; mend or drop them."
        raise ConfigurationError(msg)
    if not weights.any():
        msg = f"weight {column!r} is 0 in all {len(weights)} rows: nothing counts."
        raise ConfigurationError(msg)
    return weights


def _confusion(measure: Measure, answers: Answers) -> tuple[Matrix, ...]:
    """Draw which class was taken for which, where there are classes."""
    if not measure.needs_scores and cell_metric(measure.function.__name__, measure.told(answers)) is None:
        return ()
    classes = np.union1d(answers.classes, answers.predictions)
    if len(classes) > _MOST_CLASSES:
        return ()
    cells = cells_of(answers.labels, answers.predictions, known=classes)
    if cells is None:
        return ()
    names = tuple(str(one) for one in classes)
    values = tuple(tuple(float(count) for count in row) for row in cells)
    return (
        Matrix(
            title="Confusion matrix, in rows",
            rows="truth",
            columns="answer",
            row_names=names,
            column_names=names,
            values=values,
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
