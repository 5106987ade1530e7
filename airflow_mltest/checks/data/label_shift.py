"""Are the answers that a model learns still as frequent as in the reference?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.data.column_kinds import Kind, common_kind, kind_of, numbers
from airflow_mltest.checks.data.drift_columns import Comparison, require_rows
from airflow_mltest.checks.data.drift_verdicts import judged, measurement, told, undecided, worst
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject

# Whole numbers of so few values are classes; more are amounts.
_MOST_CLASSES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift:
    """
    Labels are distributed as in the reference, up to a distance that does not matter, beyond luck.

    It is judged as `Drift` judges a column. Text, categories, true or false and whole numbers of at
    most 20 values are classes, and those whose share moved beyond luck are named; other numbers are amounts.

    Args:
        target: The column of the labels.
        maximum: The most that the distance may be, in the method's unit; None: as for `Drift`.
        method: As for `Drift`: of classes, `chi_squared` (Cramér's V) unless you say otherwise; of amounts, `ks`.
        max_missing: By how much the share of missing labels may differ.
        confidence: That what is said is so, a share.
    """

    target: str
    maximum: float | None = None
    method: Literal["auto", "ks", "psi", "jensen_shannon", "chi_squared", "wasserstein"] = "auto"
    max_missing: float = 0.05
    confidence: float = 0.95

    def __post_init__(self) -> None:
        Comparison.of("LabelShift", self.method, self.maximum, self.max_missing, self.confidence)

    def run(self, subject: DataSubject) -> Case:
        """Compare the labels, and name the classes that moved."""
        comparison = Comparison.of("LabelShift", self.method, self.maximum, self.max_missing, self.confidence)
        old = column_of(subject.need_reference("LabelShift"), self.target, "the reference")
        new = subject.column(self.target)
        require_rows(subject.rows, "LabelShift")
        kinds = kind_of(old), kind_of(new)
        kind = common_kind(*kinds)
        if Kind.EMPTY in kinds:
            whose = "reference" if kinds[0] is Kind.EMPTY else "data"
            msg = f"LabelShift: {self.target!r} of the {whose} holds no label: nothing can be said of them."
            raise ConfigurationError(msg)
        if kind is None:
            detail = f"{self.target} held {kinds[0]}, and holds {kinds[1]}"
            return Case(name="label_shift", outcome=Outcome.FAILED, detail=detail)
        if kind is Kind.NUMBER:
            old, new, kind = _as_classes(old, new)
        comparison = replace(comparison, text=False, told_names=_MOST_CLASSES, hidden=subject.hides(self.target))
        aspects = [
            replace(one, name=one.name.replace("drift", "label_shift", 1))
            for one in comparison.aspects(self.target, old, new, kind, subject.rng())
        ]
        outcomes = judged(aspects, self.confidence)
        lines = [
            undecided(one) if outcome is Outcome.INCONCLUSIVE else f"{told(one)}: {_SAID[outcome]}"
            for one, outcome in zip(aspects, outcomes, strict=True)
        ]
        return Case(
            name="label_shift",
            outcome=worst(outcomes),
            detail="\n".join(lines),
            measurements=tuple(measurement(one) for one in aspects),
            figures=tuple(one.figure for one in aspects if one.figure),
        )


_SAID = {Outcome.FAILED: "has shifted", Outcome.PASSED: "has not shifted"}


def _as_classes(old: pd.Series[Any], new: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any], Kind]:
    """Take whole numbers of few values as names."""
    import numpy as np
    import pandas as pd

    values = [pd.Series(numbers(one, Kind.NUMBER)) for one in (old, new)]
    found = np.unique(np.concatenate([one.dropna().unique() for one in values]))
    if len(found) > _MOST_CLASSES or (found != np.floor(found)).any():
        return old, new, Kind.NUMBER
    names = [f"{one:g}" for one in found]
    classes = [pd.Series(pd.Categorical(one, categories=found)).cat.rename_categories(names) for one in values]
    return classes[0], classes[1], Kind.CATEGORY
