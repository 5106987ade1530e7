"""Rows of a table as points: numbers in their own units, categories as codes, and back without a loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.attacks.features import Feature, floats, is_number, same_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from airflow_mltest.attacks.constraints import Constraints

# What rounding in the last bits may add to a distance.
SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """
    The changes that rows of a table allow, feature by feature.

    A point has a float64 for each feature: a number as it is, a category as its place among `levels`
    (-1 for one that is not there), NaN for what is missing or never moves. Numbers are not rescaled, so
    that what an attack has not touched is the original to the last bit; `scale` is what a unit is.

    Args:
        columns: The features' names, length d.
        scale: A scaled unit, in the feature's own, shape (d,).
        low: The least value, shape (d,).
        high: The greatest value, shape (d,).
        number: Which features move as numbers, shape (d,).
        rises: Which may go up, shape (d,).
        falls: Which may go down, shape (d,).
        integer: Which move by whole steps, shape (d,).
        narrow: Types of those that are floats of fewer than 64 bits.
        levels: The categories of those that are names and may change, the most frequent first.
        derived: Which follow from others, shape (d,).
        category_cost: Scaled units that another category counts.
        plain: All columns are float64, so that a matrix is a data frame already.
    """

    columns: tuple[str, ...]
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    number: np.ndarray
    rises: np.ndarray
    falls: np.ndarray
    integer: np.ndarray
    narrow: Mapping[int, np.dtype[Any]]
    levels: Mapping[int, np.ndarray]
    derived: np.ndarray
    category_cost: float
    plain: bool

    @classmethod
    def of(cls, data: pd.DataFrame, constraints: Constraints) -> Space:
        """
        Learn units, ranges and categories from *data*.

        Raises:
            ConfigurationError: The constraints name what is not there, or call a number what is none.
        """
        constraints.require_columns(data.columns)
        found = [Feature.of(data.iloc[:, j], str(name), constraints) for j, name in enumerate(data.columns)]
        return cls(
            columns=tuple(data.columns),
            scale=np.array([one.unit for one in found]),
            low=np.array([one.low for one in found]),
            high=np.array([one.high for one in found]),
            number=np.array([one.number for one in found]),
            rises=np.array([one.rises for one in found]),
            falls=np.array([one.falls for one in found]),
            integer=np.array([one.integer for one in found]),
            narrow={j: one.narrow for j, one in enumerate(found) if one.narrow is not None},
            levels={j: one.levels for j, one in enumerate(found) if one.levels is not None},
            derived=np.array([one.derived for one in found]),
            category_cost=constraints.category_cost,
            plain=all(str(dtype) == "float64" for dtype in data.dtypes),
        )

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Give the points of a data frame's rows, shape (n, d)."""
        import pandas as pd

        if self.plain:
            return np.array(frame.to_numpy(dtype=float), order="C")
        points = np.full(frame.shape, np.nan)
        for j in range(len(self.columns)):
            column = frame.iloc[:, j]
            if j in self.levels:
                codes = pd.Index(self.levels[j]).get_indexer(pd.Index(column.astype(object)))
                points[:, j] = np.where(column.isna(), np.nan, codes)
            elif is_number(column):
                points[:, j] = floats(column)
        return points

    def decode(
        self, points: np.ndarray, originals: Sequence[Any], origin: np.ndarray, which: np.ndarray
    ) -> pd.DataFrame:
        """
        Give the original rows, changed to *points* where these are not *origin*, in the same types.

        Args:
            points: Shape (m, d).
            originals: The columns' arrays; see `arrays`.
            origin: Their points, shape (n, d).
            which: The original of each point, shape (m,).
        """
        import pandas as pd

        if self.plain:
            return pd.DataFrame(points, columns=list(self.columns), copy=False)
        start = origin[which]
        # NaN is not itself; it never changes.
        changed = (points != start) & ~np.isnan(start)
        columns = {}
        for j, original in enumerate(originals):
            columns[j] = values = original.take(which)
            where = np.flatnonzero(changed[:, j])
            if where.size:
                new = points[where, j]
                if j in self.levels:
                    new = self.levels[j][new.astype(int)]
                values[where] = new if values.dtype == object else new.astype(_numpy_type(values))
        rows = pd.DataFrame(columns, copy=False)
        rows.columns = pd.Index(self.columns)
        return rows

    def limits(self, origin: np.ndarray, budget: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the least and greatest value of each number within a budget, or one a row, (n, 1); shapes (n, d)."""
        reach = budget * self.scale
        with np.errstate(invalid="ignore"):  # infinite originals, which are put back below
            low = np.where(self.falls, np.maximum(origin - reach, np.minimum(self.low, origin)), origin)
            high = np.where(self.rises, np.minimum(origin + reach, np.maximum(self.high, origin)), origin)
        fixed = ~(self.number & np.isfinite(origin))
        low, high = np.where(fixed, origin, low), np.where(fixed, origin, high)
        return self.snap(low, origin), self.snap(high, origin)

    def ends(self, origin: np.ndarray, budget: float) -> np.ndarray:
        """List what each feature may be moved to at most, shape (n, d, moves): limits, or categories; else NaN."""
        named = self.levels if self.category_cost <= budget else {}
        ends = np.full((*origin.shape, max([2, *map(len, named.values())])), np.nan)
        for move, edge in enumerate(self.limits(origin, budget)):
            ends[:, :, move] = np.where(self.number, edge, np.nan)
        for feature, levels in named.items():
            codes = np.arange(len(levels), dtype=float)
            ends[:, feature, : len(levels)] = np.where(np.isnan(origin[:, feature, None]), np.nan, codes)
        return ends

    def snap(self, points: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Round what is no whole number, or no float32, where it has to be one: towards the original."""
        if not (self.integer.any() or self.narrow):
            return points
        snapped = points.copy()
        whole = self.integer
        for_whole, from_whole = points[..., whole], origin[..., whole]
        up = for_whole > from_whole
        rounded = np.where(up, np.floor(for_whole), np.ceil(for_whole))
        # An original that is not whole itself must not be passed on the way back.
        beyond = np.where(up, rounded <= from_whole, rounded >= from_whole)
        snapped[..., whole] = np.where(beyond, from_whole, rounded)
        for j, dtype in self.narrow.items():
            wide, start = points[..., j], origin[..., j]
            narrow = wide.astype(dtype)
            over = np.abs(narrow.astype(float) - start) > np.abs(wide - start)
            snapped[..., j] = np.where(over, np.nextafter(narrow, start.astype(dtype)), narrow)
        return snapped

    def moves(self, points: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Give how far each feature has moved, in scaled units, shape (..., d); what cannot be compared has not."""
        moved = np.abs(difference(points, origin)) / self.scale
        for j in self.levels:
            moved[..., j] = np.where(moved[..., j] > 0, self.category_cost, moved[..., j])
        return np.where(self.derived | ~(moved > 0), 0.0, moved)

    def allows(self, rows: pd.DataFrame, originals: pd.DataFrame, origin: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Say which rows break no rule about a single feature, shape (m,); arguments as for `decode`."""
        points, origin = self.encode(rows), origin[which]
        low, high = self.limits(origin, math.inf)
        within = self.number & (points >= low) & (points <= high)
        within &= points == self.snap(points, origin)
        allowed = within | (points == origin) | (np.isnan(points) & np.isnan(origin)) | self.derived
        for j in np.flatnonzero(~self.number & ~self.derived):
            if j in self.levels:
                allowed[:, j] |= (points[:, j] >= 0) & ~np.isnan(origin[:, j])
            else:
                allowed[:, j] = same_values(originals.iloc[which].iloc[:, int(j)], rows.iloc[:, int(j)])
        every: np.ndarray = allowed.all(axis=1)
        return every


def difference(points: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Subtract, knowing that what is the same is 0 apart, also where it is infinite; shape of *points*."""
    apart: np.ndarray = np.subtract(points, origin, out=np.zeros_like(points), where=points != origin)
    return apart


def arrays(rows: pd.DataFrame) -> list[Any]:
    """Take a data frame apart: the array of each column, numpy's where it is one."""
    return [
        rows.iloc[:, j].to_numpy()
        if rows.dtypes.iloc[j].kind in "fiub" and isinstance(rows.dtypes.iloc[j], np.dtype)
        else rows.iloc[:, j].array
        for j in range(rows.shape[1])
    ]


def _numpy_type(values: Any) -> Any:
    """Give the type that new values of an array have to have: that under an extension type, or any object's."""
    dtype = values.dtype
    return dtype if isinstance(dtype, np.dtype) else getattr(dtype, "numpy_dtype", object)
