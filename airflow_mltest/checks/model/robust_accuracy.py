"""How many rows stay right, within which change, and what gives way first?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.attacks.space import SLACK
from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.checks.model.violations import plain
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.statistics import Interval, measured, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.attacks.target import Adversaries, Target
    from airflow_mltest.core.outcome import Measurement

_EXAMPLES, _FEATURES, _COLUMNS_IN_WORDS = 3, 5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustAccuracy:
    """
    What an attack says of a model.

    Args:
        drawn: The rows that were drawn, right or wrong.
        target: Those of them that are answered right.
        found: What the attack found for the first of these: for all, if the time was enough.
        confidence: Of each end of an interval, a share.
    """

    drawn: int
    target: Target
    found: Adversaries
    confidence: float

    @property
    def attacked(self) -> int:
        """The rows of which we know."""
        return len(self.found.found)

    @property
    def unknown(self) -> int:
        """The rows that are right, and were not attacked in time."""
        return len(self.target.rows) - self.attacked

    @property
    def known(self) -> bool:
        """Whether there is anything to say: a row was attacked, or none had to be."""
        return self.attacked > 0 or not self.unknown

    def misled(self, budget: float) -> np.ndarray:
        """Say which of the attacked rows a change within *budget* misleads, shape (attacked,)."""
        return self.found.size <= budget * (1 + SLACK)

    def share(self, budget: float) -> float:
        """Estimate the robust accuracy within *budget*; NaN when no row was attacked that could be."""
        right = len(self.target.rows) / self.drawn
        if not self.known:
            return math.nan
        return right * float(1 - self.misled(budget).mean()) if self.attacked else right

    def interval(self, budget: float) -> Interval:
        """Bound it exactly; rows that are unknown may be either."""
        robust = self.attacked - int(self.misled(budget).sum())
        low = clopper_pearson(robust, self.drawn, self.confidence).low
        high = clopper_pearson(robust + self.unknown, self.drawn, self.confidence).high
        return Interval.between(low, high, self.confidence)

    def measured(self, budget: float, minimum: float | None = None) -> Measurement:
        """Give the number with its interval."""
        interval = self.interval(budget)
        return measured(f"robust_accuracy[{budget:g}]", self.share(budget), interval, minimum=minimum)

    def smallest(self) -> tuple[float, Interval]:
        """Give the median of the smallest budgets that mislead, infinite where most rows were not misled."""
        sizes = self.found.size
        # Not numpy's median: between a number and infinity it would be infinite already.
        median = float(np.sort(sizes)[(len(sizes) - 1) // 2]) if sizes.size else math.nan
        return median, percentile_interval(sizes, 0.5, self.confidence)

    def gives_way_first(self, budget: float) -> dict[str, float]:
        """Give the features that adversaries within *budget* change most often, and in which share of them."""
        changed = self.found.changed[self.misled(budget)]
        if not len(changed):
            return {}
        shares = changed.mean(axis=0)
        order = np.argsort(-shares, kind="stable")[:_FEATURES]
        return {str(self.target.space.columns[j]): round(float(shares[j]), 4) for j in order if shares[j] > 0}

    def examples(self) -> list[dict[str, Any]]:
        """Show the smallest adversaries: the row, what was changed, and both answers; strict JSON."""
        order = np.argsort(self.found.size, kind="stable")[:_EXAMPLES]
        return [self._example(int(place)) for place in order if self.found.found[place]]

    def figure(self, budgets: Sequence[float], minimum: float | None) -> Figure:
        """Draw robust accuracy over the budget, from plain accuracy on."""
        x = (0.0, *budgets)
        ends = [self.interval(budget) for budget in x]
        series = Series(
            x=x,
            y=tuple(self.share(budget) for budget in x),
            low=tuple(end.low for end in ends),
            high=tuple(end.high for end in ends),
        )
        return Figure(
            title="Robust accuracy over budget",
            x="largest move of a feature (scaled units)",
            y="share of rows that stay right",
            series=(series,),
            bounds=() if minimum is None else (minimum,),
        )

    def _example(self, place: int) -> dict[str, Any]:
        before = {str(name): plain(value) for name, value in self.target.rows.iloc[place].items()}
        after = {str(name): plain(value) for name, value in self.found.rows.iloc[place].items()}
        answers = (self.target.answers[place], self.found.answers[place])
        return {
            "row": plain(self.target.rows.index[place]),
            "before": before,
            "after": {name: value for name, value in after.items() if value != before[name]},
            "answers": [plain(answer) for answer in answers],
            "budget": float(self.found.size[place]),
        }


def in_words(example: dict[str, Any]) -> str:
    """Say "row 7: delay 12 -> 15: answered 0 -> 1"."""
    moves = [f"{name} {_short(example['before'][name])} -> {_short(new)}" for name, new in example["after"].items()]
    told = ", ".join(moves[:_COLUMNS_IN_WORDS])
    if len(moves) > _COLUMNS_IN_WORDS:
        told += f" and {len(moves) - _COLUMNS_IN_WORDS} more"
    before, after = map(_short, example["answers"])
    return f"row {example['row']}: {told}: answered {before} -> {after}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
