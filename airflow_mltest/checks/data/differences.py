"""In which rows do two columns differ, and how far?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.data.column_kinds import comparable
from airflow_mltest.checks.data.moments import to_utc

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """
    Two columns, row by row.

    Args:
        rows: Which rows differ, shape (n,).
        distance: How far, shape (n,): in the column's unit, of times in seconds; NaN where that has no meaning.
        missing: Which rows are missing in one of the two only, shape (n,).
        types: Both types in words, where they are of different kinds; else empty.
    """

    rows: np.ndarray
    distance: np.ndarray
    missing: np.ndarray
    types: str = ""

    def how_far(self, *, hidden: bool = False) -> str:
        """Say how far the rows that differ do, no distance if values are *hidden*; empty where none does."""
        told = []
        known = self.distance[self.rows & np.isfinite(self.distance)]
        # A distance from 0 is a value.
        if known.size and not hidden:
            told.append(f"by {np.median(known):.4g} in the median and {known.max():.4g} at most")
        if self.missing.any():
            told.append(f"{int(self.missing.sum())} of them are missing in one of the two")
        return ", ".join(told)


def differences(one: pd.Series[Any], other: pd.Series[Any], *, tolerance: float) -> Differences:
    """
    Compare two columns of n rows each; missing equals missing.

    Numbers equal each other whatever their types are, whole ones exactly, others within *tolerance*. Times equal each
    other in any time zone; without one they are in UTC. All else is equal if Python says so: 5 is not "5".

    Args:
        one: A column.
        other: Another.
        tolerance: How far two floats may be apart, as a share of the greater.
    """
    found, kinds = zip(*map(comparable, (one, other)), strict=True)
    gone = [column.isna().to_numpy() for column in found]
    missing = gone[0] != gone[1]
    both = ~(gone[0] | gone[1])
    if kinds == ("times", "times"):
        moments = [to_utc(column, str(one.name)).microseconds() for column in found]
        distance = np.where(both, np.abs(moments[0] - moments[1]) / 1e6, np.nan)
        rows = distance > 0
    elif kinds == ("numbers", "numbers"):
        rows, distance = _numbers(found[0], found[1], both, tolerance)
    else:
        distance = np.full(len(one), np.nan)
        values = [column.astype(object).to_numpy(dtype=object) for column in found]
        rows = ~_equal(values[0], values[1])
    types = "" if kinds[0] == kinds[1] else f"{one.dtype} in the reference and {other.dtype} in the data"
    all_missing = gone[0].all() or gone[1].all()
    return Differences(
        rows=(rows & both) | missing, distance=distance, missing=missing, types="" if all_missing else types
    )


def _numbers(
    one: pd.Series[Any], other: pd.Series[Any], both: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    first, second = (column.to_numpy(dtype=float, na_value=np.nan) for column in (one, other))
    with np.errstate(invalid="ignore", over="ignore"):  # infinity less infinity
        distance = np.abs(first - second)
        greater = np.maximum(np.abs(first), np.abs(second))
    if one.dtype.kind in "iub" and other.dtype.kind in "iub":
        rows = np.zeros(len(one), dtype=bool)
        # As Python's numbers only where floats cannot tell: beyond 2**53, and int64 beside uint64.
        rows[both] = distance[both] > 0
        large = both & ~rows & (greater >= 2**53)
        pairs = zip(one[large].tolist(), other[large].tolist(), strict=True)
        rows[large] = [int(left) != int(right) for left, right in pairs]
        return rows, distance
    finite = greater[np.isfinite(greater)]
    # Beside the greatest number of its column, a rounding error is nothing, however great it is beside 0.
    rounding = np.finfo(float).eps * float(finite.max(initial=0.0))
    with np.errstate(invalid="ignore"):
        same = (first == second) | (np.isfinite(distance) & (distance <= np.maximum(tolerance * greater, rounding)))
    return ~same, distance


def _equal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compare objects, shape (n,) each."""
    try:
        return np.asarray(first == second, dtype=bool)
    except (ValueError, TypeError):  # arrays in a cell, or a naive time beside an aware one
        pairs = zip(first, second, strict=True)
        return np.fromiter((_same(*pair) for pair in pairs), dtype=bool, count=len(first))


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except ValueError:
        return bool(np.array_equal(one, other))
    except TypeError:
        return False
