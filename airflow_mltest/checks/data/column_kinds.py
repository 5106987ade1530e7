"""What a column holds, whatever its dtype is called, and how two columns of it are compared."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from airflow_mltest.checks.data.moments import is_timed

if TYPE_CHECKING:
    import pandas as pd

_DAY_US = 86_400_000_000


class Kind(StrEnum):
    """What a column holds, in the words of a report."""

    NUMBER = "numbers"
    BOOLEAN = "true or false"
    TIME = "times without a time zone"
    ZONED = "times with a time zone"
    DURATION = "durations"
    TEXT = "text"
    CATEGORY = "categories"
    MIXED = "values of several types"
    EMPTY = "nothing"


ORDERED = {Kind.NUMBER, Kind.TIME, Kind.ZONED, Kind.DURATION}
# How pandas' `infer_dtype` calls what an object column holds.
_INFERRED = {
    "boolean": Kind.BOOLEAN,
    "integer": Kind.NUMBER,
    "floating": Kind.NUMBER,
    "mixed-integer-float": Kind.NUMBER,
    "decimal": Kind.NUMBER,
    "date": Kind.TIME,
    "timedelta": Kind.DURATION,
    "timedelta64": Kind.DURATION,
    "string": Kind.TEXT,
    "mixed": Kind.MIXED,
    "mixed-integer": Kind.MIXED,
}


def kind_of(column: pd.Series[Any]) -> Kind:
    """Tell what a column holds: by its dtype, and where that says nothing by its values."""
    from pandas import CategoricalDtype, DatetimeTZDtype
    from pandas.api import types

    # The first rows settle it for most.
    if not (column.iloc[:100].notna().any() or column.notna().any()):
        return Kind.EMPTY
    by_dtype = {
        Kind.CATEGORY: isinstance(column.dtype, CategoricalDtype),
        Kind.BOOLEAN: types.is_bool_dtype(column.dtype),
        Kind.ZONED: isinstance(column.dtype, DatetimeTZDtype),
        Kind.TIME: types.is_datetime64_any_dtype(column.dtype),
        Kind.DURATION: types.is_timedelta64_dtype(column.dtype),
        Kind.NUMBER: types.is_any_real_numeric_dtype(column.dtype),
        Kind.TEXT: types.is_string_dtype(column.dtype) and column.dtype != object,
    }
    found = next((kind for kind, holds in by_dtype.items() if holds), None)
    return found or _of_objects(column)


def _of_objects(column: pd.Series[Any]) -> Kind:
    from pandas.api import types

    inferred = types.infer_dtype(column, skipna=True)
    if not inferred.startswith("datetime"):
        return _INFERRED.get(inferred, Kind.CATEGORY)
    zoned = {getattr(value, "tzinfo", None) is not None for value in column.dropna()}
    return Kind.MIXED if len(zoned) > 1 else Kind.ZONED if zoned.pop() else Kind.TIME


def comparable(column: pd.Series[Any]) -> tuple[pd.Series[Any], Literal["times", "numbers", "others"]]:
    """
    Prepare a column to be compared with another row by row.

    Returns:
        The column, in the type of its values if it says `object`, and as what they are compared: times of any kind that
        `to_utc` reads, numbers that a float can hold, or what they are.
    """
    from pandas.api import types

    found = column.infer_objects() if column.dtype == object else column
    if is_timed(found):
        return found, "times"
    return found, "numbers" if types.is_numeric_dtype(found) and found.dtype.kind != "c" else "others"


def common_kind(one: Kind, other: Kind) -> Kind | None:
    """Give the kind as which both can be compared; None if there is none."""
    both = {one, other} - {Kind.EMPTY}
    if len(both) < 2:  # noqa: PLR2004
        return both.pop() if both else Kind.EMPTY
    if both == {Kind.BOOLEAN, Kind.NUMBER}:
        return Kind.NUMBER
    # A reader may keep categories, or may not.
    if Kind.CATEGORY in both and both <= {Kind.CATEGORY, Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN}:
        return Kind.CATEGORY
    return None


def numbers(column: pd.Series[Any], kind: Kind) -> np.ndarray:
    """
    Read an ordered column as numbers, shape (n,): times in days since 1970 (UTC), durations in days.

    Returns:
        Floats; NaN where a value is missing or infinite.
    """
    if kind_of(column) is Kind.EMPTY:
        return np.full(len(column), np.nan)
    if kind is Kind.NUMBER:
        values = column.to_numpy(dtype=float, na_value=np.nan)
        finite = np.isfinite(values)
        return values if finite.all() else np.where(finite, values, np.nan)
    moments = _moments(column, kind)
    days = moments.astype(np.int64) / _DAY_US
    days[np.isnat(moments)] = np.nan
    return days


def _moments(column: pd.Series[Any], kind: Kind) -> np.ndarray:
    """Read times or durations in microseconds; nanoseconds would end in the year 2262, and 9999 is a usual "never"."""
    unit = "timedelta64[us]" if kind is Kind.DURATION else "datetime64[us]"
    if column.dtype != object:
        return (column.dt.tz_convert(None) if kind is Kind.ZONED else column).to_numpy().astype(unit)
    moments = (None if missing else moment for moment, missing in zip(column, column.isna(), strict=True))
    if kind is Kind.ZONED:
        moments = (moment and moment.astimezone(UTC).replace(tzinfo=None) for moment in moments)
    return np.array(list(moments), dtype=unit)


def labels(column: pd.Series[Any], kind: Kind) -> pd.Series[Any]:
    """Read a column as names, strings or missing; with their type where it holds several."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        known = column.cat.categories
        if kind_of(known.to_series()) is Kind.TEXT:
            return column
        return column.cat.rename_categories([str(one) for one in known])
    if kind_of(column) is Kind.TEXT:
        return column
    if kind is Kind.MIXED:
        return column.map(lambda value: f"{value} ({type(value).__name__})", na_action="ignore")
    return column.map(str, na_action="ignore")
