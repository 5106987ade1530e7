"""What does a feature look like along one side of a segment: ranges of numbers, sets of categories."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Names in a set that are still read.
_MOST_NAMES = 8


class Axis(Protocol):
    """A feature that is cut into bins; a side is a part of it, in its own form."""

    @property
    def bins(self) -> int:
        """How many bins there are."""

    @property
    def codes(self) -> np.ndarray:
        """The bin of each row, shape (n,)."""

    def side(self, first: int, last: int) -> Any:
        """Give the side that bins *first* to *last* make."""

    def best(self, rows: np.ndarray, gains: np.ndarray) -> Any:
        """Give the side with the greatest sum of *gains*, one for each of *rows*, shape (n,), boolean."""

    def wider(self, side: Any) -> list[Any]:
        """Give the sides that take fewer words, because an end is left out."""

    def holds(self, side: Any) -> np.ndarray:
        """Say which rows are within a side, shape (n,)."""

    def words(self, side: Any) -> str:
        """Say what is true of a side; nothing if it is all there is."""


@dataclass(frozen=True, slots=True)
class Constant:
    """No feature: the other side of a segment of one."""

    bins: int = 1

    @property
    def codes(self) -> np.ndarray:
        """All rows are in one bin."""
        return np.zeros(1, dtype=np.intp)

    def side(self, _first: int, _last: int) -> None:
        """There is one side."""

    def best(self, _rows: np.ndarray, _gains: np.ndarray) -> None:
        """It is the best."""

    def wider(self, _side: None) -> list[None]:
        """There is none."""
        return []

    def holds(self, _side: None) -> np.ndarray:
        """It holds all rows."""
        return np.ones(1, dtype=bool)

    def words(self, _side: None) -> str:
        """Say nothing."""
        return ""


@dataclass(frozen=True)
class Numbers:
    """
    Ordered values, cut at quantiles; a side is (low, high): low <= value < high, high None for no end.

    Args:
        name: The feature's.
        values: Shape (n,); inf where missing, so that missing is a bin of its own.
        edges: Where bins begin, but for the first.
    """

    name: str
    values: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, name: str, values: np.ndarray, bins: int) -> Numbers:
        """Cut *values*, NaN where missing, into at most *bins* of about as many rows."""
        known = values[np.isfinite(values)]
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins, method="higher")) if known.size else known
        edges = edges[edges > known.min()] if known.size else edges
        if known.size < len(values):
            edges = np.append(edges, math.inf)
        return cls(name, np.where(np.isfinite(values), values, math.inf), edges)

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1

    @cached_property
    def codes(self) -> np.ndarray:
        """The bin of each row."""
        return np.searchsorted(self.edges, self.values, side="right")

    def side(self, first: int, last: int) -> tuple[float, float | None]:
        """Give the range from where *first* begins to where *last* ends."""
        low = -math.inf if first == 0 else float(self.edges[first - 1])
        return low, None if last == len(self.edges) else float(self.edges[last])

    def best(self, rows: np.ndarray, gains: np.ndarray) -> tuple[float, float | None]:
        """Find the greatest sum over neighbours (Kadane's), cutting between different values only."""
        values = self.values[rows]
        order = np.argsort(values, kind="stable")
        values = values[order]
        ends = np.flatnonzero(np.append(values[1:] != values[:-1], True))
        sums = np.concatenate([[0.0], np.cumsum(gains[order])[ends]])
        before = np.minimum.accumulate(sums)
        last = int(np.argmax(sums[1:] - before[:-1]))
        first = int(np.argmin(sums[: last + 1]))
        distinct = values[ends]
        low = -math.inf if first == 0 else _between(distinct[first - 1], distinct[first])
        return low, None if last + 1 == len(distinct) else _between(distinct[last], distinct[last + 1])

    def wider(self, side: tuple[float, float | None]) -> list[tuple[float, float | None]]:
        """Leave out one end, or both."""
        return [(-math.inf, None), (side[0], None), (-math.inf, side[1])]

    def holds(self, side: tuple[float, float | None]) -> np.ndarray:
        """Compare."""
        low, high = side
        above = self.values >= low
        return above if high is None else above & (self.values < high)

    def words(self, side: tuple[float, float | None]) -> str:
        """Say "12.3 <= age < 40"."""
        low, high = side
        if low == math.inf:
            return f"{self.name} missing"
        if high == math.inf and low == -math.inf:
            return f"{self.name} not missing"
        if high is None or high == math.inf:
            missing = " or missing" if high is None and len(self.edges) and self.edges[-1] == math.inf else ""
            return "" if low == -math.inf else f"{self.name} >= {low:.15g}{missing}"
        return f"{self.name} < {high:.15g}" if low == -math.inf else f"{low:.15g} <= {self.name} < {high:.15g}"


@dataclass(frozen=True, slots=True)
class Levels:
    """
    Categories; a side is a set of bins, each a level, and the last all rare ones if there are too many.

    Args:
        name: The feature's.
        codes: The bin of each row, shape (n,).
        levels: A name for each bin; None for the rare ones.
    """

    name: str
    codes: np.ndarray
    levels: tuple[str | None, ...]

    @classmethod
    def of(cls, name: str, values: pd.Series[Any], losses: np.ndarray, searched: np.ndarray, bins: int) -> Levels:
        """
        Order the levels by their mean loss in the rows *searched*, so that the worst are neighbours.

        Source:
            For one feature the worst set is then a range: W. D. Fisher (1958), JASA 53(284), 789-798.
        """
        import pandas as pd

        codes, found = pd.factorize(values, use_na_sentinel=False)
        counts = np.bincount(codes, minlength=len(found))
        common = np.argsort(-counts, kind="stable")[: bins if len(found) <= bins else bins - 1]
        group = np.full(len(found), len(common))
        group[common] = np.arange(len(common))
        codes = group[codes]
        names: list[str | None] = ["missing" if pd.isna(found[at]) else str(found[at]) for at in common]
        names += [None] if len(found) > len(common) else []
        seen = np.bincount(codes[searched], minlength=len(names))
        mean = np.bincount(codes[searched], losses[searched], minlength=len(names)) / np.maximum(seen, 1)
        order = np.argsort(mean, kind="stable")
        return cls(name, np.argsort(order)[codes], tuple(names[at] for at in order))

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.levels)

    def side(self, first: int, last: int) -> frozenset[int]:
        """Give the set of the bins from *first* to *last*."""
        return frozenset(range(first, last + 1))

    def best(self, rows: np.ndarray, gains: np.ndarray) -> frozenset[int]:
        """Take each level that gains."""
        sums = np.bincount(self.codes[rows], gains, minlength=self.bins)
        return frozenset(int(one) for one in np.flatnonzero(sums > 0))

    def wider(self, _side: frozenset[int]) -> list[frozenset[int]]:
        """Leave out the feature."""
        return [frozenset(range(self.bins))]

    def holds(self, side: frozenset[int]) -> np.ndarray:
        """Look up."""
        return np.asarray(np.isin(np.arange(self.bins), list(side))[self.codes])

    def words(self, side: frozenset[int]) -> str:
        """Say "country in {de, nl}", or which levels it is not."""
        if len(side) == self.bins:
            return ""
        rare = any(self.levels[one] is None for one in side)
        outside = frozenset(range(self.bins)) - side
        told = outside if rare or len(side) > len(outside) + 1 else side
        names = sorted(str(self.levels[one]) for one in told if self.levels[one] is not None)
        if told is side and len(names) == 1:
            return f"{self.name} = {names[0]}"
        more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return f"{self.name} {'in' if told is side else 'not in'} {{{', '.join(names[:_MOST_NAMES])}{more}}}"


def axes_of(rows: pd.DataFrame, losses: np.ndarray, searched: np.ndarray, *, bins: int = 20) -> list[Axis]:
    """
    Cut each column of *rows* that has more than one value: numbers at quantiles, words, flags and categories by value.

    Other columns, such as times, are left out.

    Args:
        rows: Features.
        losses: Of each row, shape (n,); categories are ordered by them.
        searched: The rows whose losses may be looked at, shape (n,), boolean.
        bins: The most a feature is cut into.
    """
    axes: list[Axis] = []
    for column in rows.columns:
        values = rows[column]
        if values.dtype.kind in "fiu":
            axes.append(Numbers.of(str(column), values.to_numpy(dtype=float, na_value=math.nan), bins))
        elif values.dtype.kind in "bOSU" or values.dtype.name in {"category", "str", "string", "boolean"}:
            axes.append(Levels.of(str(column), values.astype(object), losses, searched, bins))
    return [axis for axis in axes if axis.codes.min() < axis.codes.max()]


def _between(below: float, above: float) -> float:
    """Find the number with the fewest digits that is above *below*, and not above *above*."""
    if above == math.inf:
        return above
    middle = below + (above - below) / 2
    shortest = (float(f"{middle:.{digits}g}") for digits in range(1, 18))
    return next((cut for cut in shortest if below < cut <= above), float(above))
