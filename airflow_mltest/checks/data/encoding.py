"""Two tables as numbers in which rows that agree lie in the same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.data.column_kinds import comparable
from airflow_mltest.checks.data.moments import to_utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

# A number with no more values than this is a category: it is equal or it is not.
_MOST_CATEGORIES = 100
_QUARTILES_OF_NORMAL = 1.349


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """
    The rows of two tables, those of the reference first.

    Args:
        numbers: Columns that may be a little off, in spreads of the column, shape (n, continuous); what is
            missing or infinite is 0 here, and told by `states`.
        states: Whether each of `numbers` is finite, missing, or infinite, shape (n, continuous).
        categories: Columns that are equal or not, as codes, shape (n, discrete); missing equals missing.
        first: How many rows are the reference's.
    """

    numbers: np.ndarray
    states: np.ndarray
    categories: np.ndarray
    first: int

    def hashes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """
        Give each row numbers that are equal where the row is.

        Returns:
            Hashes of the whole row and of all but its `numbers`, shape (n,), and what each category adds to
            them, shape (discrete, n): without it, the hash is that of the row without the column.
        """
        codes = np.column_stack([self.states, self.categories]).astype(np.uint64)
        parts = [_hashed(codes[:, place], place) for place in range(codes.shape[1])]
        exact = _sum(parts, len(codes))
        bits = (self.numbers + 0.0).view(np.uint64)  # 0.0 and -0.0 are equal
        measured = [_hashed(bits[:, place], len(parts) + place) for place in range(bits.shape[1])]
        return exact + _sum(measured, len(codes)), exact, np.array(parts[self.states.shape[1] :], dtype=np.uint64)


def encode(reference: pd.DataFrame, rows: pd.DataFrame, columns: Sequence[str], *, exact: bool = False) -> Encoded:
    """
    Encode *columns* of both tables.

    Numbers and times of many values are measured in spreads: the standard deviation in the reference, or that of a
    normal distribution of the same quartiles if it is less, so that a few great values do not make all others near.

    Args:
        reference: One table.
        rows: The other.
        columns: Which both have.
        exact: Treat numbers as categories, too.
    """
    import pandas as pd

    numbers, states, categories = [], [], []
    for name in columns:
        values = _together(reference[name], rows[name])
        scale = None if exact else _scale(values, len(reference))
        if scale is None:
            categories.append(pd.factorize(values)[0] + 1)
            continue
        finite = np.isfinite(values)
        numbers.append(np.where(finite, values, 0.0) / scale)
        states.append(np.select([finite, np.isnan(values), values > 0], [0, 1, 2], 3))
    total = len(reference) + len(rows)

    def table(found: list[np.ndarray], kind: type) -> np.ndarray:
        return np.column_stack(found) if found else np.empty((total, 0), dtype=kind)

    return Encoded(
        numbers=np.ascontiguousarray(table(numbers, float)),
        states=table(states, np.int64),
        categories=table(categories, np.int64),
        first=len(reference),
    )


def _together(one: pd.Series[Any], other: pd.Series[Any]) -> np.ndarray:
    """Put both columns behind each other: as floats if both are numbers or times, as texts else."""
    found, kinds = zip(*map(comparable, (one, other)), strict=True)
    if kinds == ("times", "times"):
        return np.concatenate([to_utc(column, str(one.name)).seconds() for column in found])
    if kinds == ("numbers", "numbers"):
        return np.concatenate([column.to_numpy(dtype=float, na_value=np.nan) for column in found])
    texts = [column.astype(object).map(str, na_action="ignore").to_numpy(dtype=object) for column in found]
    return np.concatenate(texts)


def _scale(values: np.ndarray, first: int) -> float | None:
    """Give the spread of the reference's values; None where values are equal or not."""
    if values.dtype == object:
        return None
    known = values[np.isfinite(values)]
    if len(np.unique(known)) <= _MOST_CATEGORIES:
        return None
    trained = values[:first][np.isfinite(values[:first])]
    if not trained.size:
        return None
    low, high = np.quantile(trained, [0.25, 0.75])
    with np.errstate(over="ignore", invalid="ignore"):
        spreads = [float(trained.std()), float((high - low) / _QUARTILES_OF_NORMAL)]
    usable = [spread for spread in spreads if spread > 0 and np.isfinite(spread)]
    return min(usable) if usable else None


def _sum(hashes: list[np.ndarray], rows: int) -> np.ndarray:
    total = np.zeros(rows, dtype=np.uint64)
    for one in hashes:
        total += one
    return total


def _hashed(values: np.ndarray, place: int) -> np.ndarray:
    """Mix the bits of whole numbers: the finaliser of SplitMix64, one stream a column."""
    mixed = values + np.uint64((0x9E3779B97F4A7C15 * (place + 1)) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
