"""Does the model still answer right when values are missing?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.model.drop import asked, drop, require_drop
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject

# MLflow refuses a missing value in columns of these types.
_NEVER_MISSING = {"integer", "long", "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingValues:
    """
    A metric drops by at most *max_drop* when values are missing at random, beyond luck.

    A model that does not take rows with gaps fails. A column that the signature says is `integer`,
    `long` or `boolean` cannot have any, is left as it is, and told; without a signature such a
    column becomes one of floats, as in pandas.

    Args:
        metric: As for `Metric`.
        max_drop: The most it may drop, in the metric's own unit.
        share: Of the values of each column that go missing.
        columns: Which columns; None for all that the model takes.
        confidence: That the true drop is not beyond the end that is compared, a share.
    """

    metric: str | Callable[..., float]
    max_drop: float
    share: float = 0.05
    columns: tuple[str, ...] | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        what = f"MissingValues({metric_name(self.metric)!r})"
        require_drop(what, max_drop=self.max_drop, share=self.share, confidence=self.confidence)
        if self.columns is not None and (isinstance(self.columns, str) or not self.columns):
            msg = f"{what}: columns is a tuple of names, not {self.columns!r}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Take values away, ask, and compare with the answers to all of them."""
        measure = Measure.of(self.metric)
        name = f"missing_values({measure.name})"
        chosen, never = self._chosen(subject)
        rows = subject.features.copy()
        rng = subject.rng()
        for column in chosen:
            rows[column] = _with_gaps(rows[column], rng.random(len(rows)) < self.share)
        note = f"; {', '.join(never)} cannot be missing by the signature, and stayed" if never else ""
        _ = subject.predictions  # what the model says of whole rows must not be blamed on the gaps
        try:
            answers = asked(subject, measure, rows)
        except ConfigurationError as error:
            detail = f"rows with gaps in {', '.join(chosen)} are not answered: {error}{note}"
            return Case(name=name, outcome=Outcome.FAILED, detail=detail)
        found = drop(subject, measure, answers, allowed=self.max_drop, confidence=self.confidence)
        return Case(
            name=name,
            outcome=found.outcome,
            detail=f"gaps in {100 * self.share:.3g}% of the values of {len(chosen)} columns: {found.words}{note}",
            measurements=(found.measurement(f"{measure.name}_drop_by_missing_values"),),
            facts={"answers_changed_share": float(found.flipped.mean()), "columns": list(chosen)},
        )

    def _chosen(self, subject: ModelSubject) -> tuple[list[str], list[str]]:
        """Choose the columns that lose values, and those that would but cannot."""
        taken = [str(column) for column in subject.features.columns]
        for column in self.columns or ():
            subject.column(column)
            if column not in taken:
                msg = f"the model does not take {column!r}: it takes {', '.join(taken)}."
                raise ConfigurationError(msg)
        inputs = subject.model.inputs or {}
        wanted = list(self.columns or taken)
        never = [column for column in wanted if inputs.get(column) in _NEVER_MISSING]
        chosen = [column for column in wanted if column not in never]
        if not chosen:
            msg = f"the signature lets none of {', '.join(wanted)} be missing: log the model with double for them."
            raise ConfigurationError(msg)
        return chosen, never


def _with_gaps(column: pd.Series[Any], gaps: np.ndarray) -> pd.Series[Any]:
    # A truth value would become an object, which hardly a model takes.
    return (column.astype(float) if column.dtype == bool else column).mask(gaps)
