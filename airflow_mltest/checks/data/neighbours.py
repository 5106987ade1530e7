"""Which rows of one table are in another, exactly or but for noise, and how many would be by chance?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.data.encoding import Encoded, encode
from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.core.statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

# In units of what is near: rows of different groups are this far apart, and chance is counted up to this far away.
_APART, _AROUND = 100.0, 10.0
_AT_ONCE = 10_000
# Counting all pairs of a dense table takes minutes, and says no more than those of so many rows.
_COUNTED_ROWS = 10_000
# Chance may do twice what was counted, or half: neither is a density quite even, nor are columns quite independent.
_DOUBT = 2.0
# Each of the columns that differ most tells as well as another; of hundreds, so many are left out in turn.
_MOST_LEFT_OUT = 16
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """
    How many of the pairs that agree would do so by chance.

    Pairs that agree in all columns but one, or are a little further apart than near, are no copies. What they
    are many of, chance makes many of; and how many agree in all for each of them is known.

    Args:
        agree: Pairs of different rows that agree.
        nearly: Pairs that nearly do.
        odds: Pairs that agree by chance for each that nearly does.
    """

    agree: int
    nearly: int
    odds: float

    @property
    def share(self) -> float:
        """The share of agreeing pairs that chance does not explain; 1 if none agrees."""
        return max(1 - self.odds * self.nearly / self.agree, 0.0) if self.agree else 1.0

    def copied(self, confidence: float) -> Interval:
        """Bound *share*, each end with *confidence*."""
        if not self.agree:
            return Interval.between(0.0, 1.0, confidence)
        seen = clopper_pearson(self.agree, self.agree + self.nearly, confidence)
        ends = (seen.low, self.odds * _DOUBT), (seen.high, self.odds / _DOUBT)
        low, high = (max(1 - odds * (1 - end) / end, 0.0) for end, odds in ends)
        return Interval.between(low, high, confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """
    What was found in the reference of each row.

    Args:
        place: Where the nearest row of the reference is, shape (n,); -1 where none is near.
        distance: The greatest difference between the two in any column, in spreads, shape (n,); 0 of equal
            rows, infinite where none is near.
        chance: What chance would give.
        searched: How many of the rows were looked for.
    """

    place: np.ndarray
    distance: np.ndarray
    chance: Chance
    searched: int


def find_neighbours(  # noqa: PLR0913  the two tables, what is compared, and for how long
    reference: pd.DataFrame,
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    near: float,
    max_seconds: float = math.inf,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Neighbours:
    """
    Find for each row one of the reference that equals it in every category, and in every number but for *near*.

    Exact: a k-d tree of the distinct rows is asked, with the maximum norm, and none that is near is missed.

    Args:
        reference: Where to look.
        rows: What to look for, n of them.
        columns: Which to compare.
        near: How far two numbers may differ, in spreads of the column (see `encode`); 0: not at all.
        max_seconds: After this, what was found until then is given.
        progress: Is told how many rows are done, of how many.

    Source:
        J. L. Bentley (1975), CACM 18(9), 509-517, doi:10.1145/361002.361007.
    """
    from scipy.spatial import cKDTree

    until_s = time.monotonic() + max_seconds
    encoded = encode(reference, rows, columns, exact=not near)
    distinct = _Distinct(encoded, near or 1.0)
    tree = cKDTree(distinct.reference())
    wanted = distinct.rows()
    distance, place = np.full(len(wanted), np.inf), np.full(len(wanted), -1)
    done = 0
    while done < len(wanted) and (not done or time.monotonic() < until_s):
        part = slice(done, done + _AT_ONCE)
        distance[part], found = tree.query(wanted[part], p=np.inf, distance_upper_bound=1 + 1e-9)
        place[part] = np.where(np.isfinite(distance[part]), found, -1)
        done = min(done + _AT_ONCE, len(wanted))
        progress(int((distinct.same < done).sum()), len(rows))
    chance = _chance(distinct, tree, agrees=place >= 0, done=done)
    found_any = place >= 0
    distance[found_any] *= near
    place = np.where(found_any, distinct.first_places[place], -1)
    return Neighbours(
        place=place[distinct.same],
        distance=distance[distinct.same],
        chance=chance,
        searched=int((distinct.same < done).sum()),
    )


class _Distinct:
    """Each row of both tables once, as points: a row of many copies is one piece of evidence, and costs one look."""

    def __init__(self, encoded: Encoded, near: float) -> None:
        whole, exact, parts = encoded.hashes()
        first = encoded.first
        _, self.first_places = np.unique(whole[:first], return_index=True)
        _, places, self.same = np.unique(whole[first:], return_index=True, return_inverse=True)
        self._places, self._last_places = self.first_places, places + first
        self._exact, self._parts, self._numbers = exact, parts, encoded.numbers / near
        self.categories = encoded.categories

    @property
    def continuous(self) -> int:
        """How many columns are measured."""
        return int(self._numbers.shape[1])

    def reference(self, without: int | None = None) -> np.ndarray:
        """Give the reference's points, shape (n, k): the numbers and a code of the rest, without one of the columns."""
        return self._points(self._places, without)

    def rows(self, without: int | None = None) -> np.ndarray:
        """Give the points that are looked for, likewise."""
        return self._points(self._last_places, without)

    def agreements(self) -> np.ndarray:
        """Give for each column the chance that two rows of one table, where none is a copy, agree in it."""
        return np.array([
            max(_agreement(values[places]) for places in (self._places, self._last_places))
            for values in (*(_APART * self.categories.T), *self._numbers.T)
        ])  # fmt: skip

    def _points(self, places: np.ndarray, without: int | None) -> np.ndarray:
        exact, numbers = self._exact, self._numbers
        if without is not None and without < len(self._parts):
            exact = exact - self._parts[without]
        elif without is not None:
            numbers = np.delete(numbers, without - len(self._parts), axis=1)
        both = np.unique(exact, return_inverse=True)[1]
        return np.column_stack([numbers[places], _APART * both[places]])


def _agreement(values: np.ndarray) -> float:
    ordered = np.sort(values)
    within = np.searchsorted(ordered, ordered + 1, "right") - np.searchsorted(ordered, ordered - 1, "left") - 1
    return float(within.sum()) / max(len(values) * (len(values) - 1), 1)


def _chance(distinct: _Distinct, tree: Any, *, agrees: np.ndarray, done: int) -> Chance:
    """Choose the kind of pairs that nearly agree of which chance makes most."""
    total = int(agrees.sum())
    if not total:
        return Chance(agree=0, nearly=0, odds=_LEAST)
    # The distinct rows are in the order of their hashes, and so any of them are as good as drawn ones.
    which = np.unique(np.linspace(0, done - 1, min(done, _COUNTED_ROWS)).astype(int))
    agree = _pairs(tree, distinct.rows()[which])
    found = [_around(tree, distinct.rows()[which], agree, distinct.continuous)] if distinct.continuous else []
    agreements = distinct.agreements().clip(_LEAST, 1 - _LEAST)
    found += [
        Chance(
            agree=agree,
            nearly=_but_one(distinct, column, which) - agree,
            odds=float(agreements[column] / (1 - agreements[column])),
        )
        for column in np.argsort(agreements)[:_MOST_LEFT_OUT].tolist()
    ]
    most = max(found, key=lambda one: one.nearly * one.odds)
    share = len(which) / done
    if not most.nearly:
        # All that was looked at says together that nothing nearly agrees.
        return Chance(agree=total, nearly=0, odds=1 / sum(1 / one.odds for one in found))
    # Pairs, not rows: a row in a dense place agrees with many, as it nearly agrees with many.
    pairs = max(total, round(agree / share))
    return Chance(agree=pairs, nearly=math.ceil(most.nearly / share), odds=most.odds)


def _pairs(tree: Any, points: np.ndarray, reach: float = 1 + 1e-9) -> int:
    return int(tree.query_ball_point(points, reach, p=np.inf, return_length=True).sum())


def _around(tree: Any, points: np.ndarray, agree: int, columns: int) -> Chance:
    """
    Count pairs that are a little further apart, and how fast their number grows with the distance.

    Source:
        The correlation dimension of P. Grassberger and I. Procaccia (1983), Physica D 9, 189-208,
        doi:10.1016/0167-2789(83)90298-1, its lower end, never below 1; where there is no such pair, as
        if a quarter of the columns varied freely.
    """
    half, around = (_pairs(tree, points, reach) for reach in (_AROUND / 2, _AROUND))
    dimension = -math.log2(clopper_pearson(half, around, 0.95).high) if around > agree else columns / 4
    return Chance(agree=agree, nearly=around - agree, odds=1 / (_AROUND ** max(dimension, 1.0) - 1))


def _but_one(distinct: _Distinct, column: int, which: np.ndarray) -> int:
    """Count pairs that agree in all columns but one, whether or not they agree in it."""
    from scipy.spatial import cKDTree

    reference, points = distinct.reference(column), distinct.rows(column)[which]
    possible = np.isin(reference[:, -1], points[:, -1])
    return _pairs(cKDTree(reference[possible]), points) if possible.any() else 0
