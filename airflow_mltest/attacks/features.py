"""What the values of one column may become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.attacks.constraints import Constraints

# Of a name with thousands of levels, the most frequent ones stand for the rest.
_MOST_LEVELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """
    What one column allows.

    Args:
        number: It moves as a number.
        rises: It may go up.
        falls: It may go down.
        integer: It moves by whole steps.
        unit: A scaled unit, in its own.
        low: Its least value.
        high: Its greatest value.
        narrow: Its type, if that is a float narrower than 64 bits.
        levels: What it may become, if it moves as a category, the most frequent first; else None.
        derived: It follows from others.
    """

    number: bool
    rises: bool
    falls: bool
    integer: bool
    unit: float
    low: float
    high: float
    narrow: np.dtype[Any] | None
    levels: np.ndarray | None
    derived: bool

    @classmethod
    def of(cls, column: pd.Series[Any], name: str, constraints: Constraints) -> Feature:
        """
        Learn from a column of the data what it allows.

        Raises:
            ConfigurationError: The constraints call it a number, and it is none.
        """
        number = is_number(column) and name not in (constraints.categorical or ())
        if not number:
            _refuse_number_words(column, name, constraints)
        free = name not in constraints.immutable and name not in constraints.derived
        low, high = _range(column, name, constraints) if number else (0.0, 0.0)
        return cls(
            number=number and free,
            rises=name not in constraints.decreasing,
            falls=name not in constraints.increasing,
            integer=number and _is_whole(column, name, constraints),
            unit=_unit(column, name, constraints) if number else 1.0,
            low=low,
            high=high,
            narrow=_narrow(column) if number else None,
            levels=_levels(column, name, constraints) if free and not number else None,
            derived=name in constraints.derived,
        )


def is_number(column: pd.Series[Any]) -> bool:
    """Say whether a column has real numbers; a boolean is none."""
    from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

    return is_numeric_dtype(column) and not is_complex_dtype(column) and not is_bool_dtype(column)


def floats(column: pd.Series[Any]) -> np.ndarray:
    """Give a column of numbers as float64, NaN for what is missing."""
    values: np.ndarray = column.to_numpy(dtype=float, na_value=np.nan)
    return values


def same_values(one: pd.Series[Any], other: pd.Series[Any]) -> np.ndarray:
    """Say where two columns have the same, missing being the same as missing, shape (n,)."""
    before, after = one.reset_index(drop=True), other.reset_index(drop=True)
    same = (before == after).fillna(value=False) | (before.isna() & after.isna())
    return same.to_numpy(dtype=bool)


def _refuse_number_words(column: pd.Series[Any], name: str, constraints: Constraints) -> None:
    words = ("increasing", "decreasing", "integer", "bounds", "units")
    said = [word for word in words if name in (getattr(constraints, word) or ())]
    if said:
        msg = f"Constraints: {' and '.join(said)} name {name!r}, which is {column.dtype}, no number."
        raise ConfigurationError(msg)


def _plain(column: pd.Series[Any]) -> np.dtype[Any]:
    """Give the numpy type of numbers, also that under one of pandas' own."""
    dtype: Any = column.dtype
    plain: np.dtype[Any] = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    return plain


def _narrow(column: pd.Series[Any]) -> np.dtype[Any] | None:
    plain = _plain(column)
    return plain if plain.kind == "f" and plain.itemsize < np.dtype(float).itemsize else None


def _known(column: pd.Series[Any]) -> np.ndarray:
    values = floats(column)
    known: np.ndarray = values[np.isfinite(values)]
    return known


def _range(column: pd.Series[Any], name: str, constraints: Constraints) -> tuple[float, float]:
    values = _known(column)
    if name in constraints.bounds:
        low, high = constraints.bounds[name]
    elif values.size:
        low, high = np.quantile(values, constraints.quantiles)
    else:
        low, high = 0.0, 0.0
    # What an int8 cannot hold would come back with another sign.
    holds = np.iinfo(_plain(column)) if column.dtype.kind in "iu" else np.finfo(_plain(column))
    low, high = max(low, float(holds.min)), min(high, float(holds.max))
    return float(low), float(high)


def _unit(column: pd.Series[Any], name: str, constraints: Constraints) -> float:
    if name in constraints.units:
        return float(constraints.units[name])
    with np.errstate(over="ignore"):
        spread = float(_known(column).std()) if len(_known(column)) else 0.0
    # What never varies has no unit of its own; it moves only if bounds say so.
    return spread if 0 < spread < np.inf else 1.0


def _is_whole(column: pd.Series[Any], name: str, constraints: Constraints) -> bool:
    if column.dtype.kind in "iu":
        return True
    if constraints.integer is not None:
        return name in constraints.integer
    values = _known(column)
    return bool((values == np.floor(values)).all())


def _levels(column: pd.Series[Any], name: str, constraints: Constraints) -> np.ndarray | None:
    import pandas as pd

    if constraints.categorical is not None and name not in constraints.categorical:
        return None
    if column.dtype.kind in "mMc" or isinstance(column.dtype, (pd.PeriodDtype, pd.IntervalDtype, pd.DatetimeTZDtype)):
        return None
    try:
        counts = {level: count for level, count in column.dropna().value_counts().items() if count}
    except TypeError:  # lists and the like
        return None
    # By name where equally frequent: the order of appearance would depend on that of the rows.
    seen = sorted(counts, key=lambda level: (-counts[level], str(level)))
    if len(seen) < 2:  # noqa: PLR2004
        return None
    levels = np.empty(min(len(seen), _MOST_LEVELS), dtype=object)
    levels[:] = seen[:_MOST_LEVELS]
    return levels
