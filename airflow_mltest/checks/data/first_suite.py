"""What data that is taken to be right says of other data of its kind, as expectations that a person edits."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.columns import column_of, require_distinct
from airflow_mltest.checks.data.column_kinds import Kind, kind_of, numbers
from airflow_mltest.checks.data.first_bounds import COMMON, middles, outward, share_kept, stretched
from airflow_mltest.checks.data.privacy import Privacy
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

# Fewer values than this say nothing of the next; a key shows only among more, unless it is called one.
_ENOUGH, _ENOUGH_FOR_KEYS = 20, 100
_MOST_TEXTS, _MOST_CODES = 50, 20
# So many pairs of one number would be expected, were the numbers drawn by chance.
_PAIRS = 10
_MONTH = 31  # days
_KEY = re.compile(r"(?:^|[\W_])(?i:id|key|uuid|guid)$|[a-z](?:Id|ID|Key)$")
# Without groups that capture: pandas warns of them.
_TIMES = {
    "ISO dates": r"^\d{4}-\d{2}-\d{2}$",
    "ISO times": r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?$",
}
_FORMATS = _TIMES | {"UUIDs": r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"}
# Great Expectations looks at each value of an object column, and knows these types by name.
_OBJECTS = {"string": "str", "boolean": "bool", "date": "date", "decimal": "Decimal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """
    One thing that was learned.

    Args:
        expectation: For Great Expectations: `type`, `kwargs`, and where there are some `severity` and `meta`.
        words: The same in a few words; empty where there is nothing to tell.
        column: The column that it is about; empty for the table.
    """

    expectation: dict[str, Any]
    words: str
    column: str = ""


def learn(
    rows: pd.DataFrame, *, margin: float = 0.1, columns: Sequence[str] | None = None, name: str = "the data"
) -> list[Lesson]:
    """
    Learn a first suite, in the order of the columns.

    All bounds leave room for another sample of the same population, and are rounded outward, so that it gives nearly
    the same suite. Values of columns that look like personal data are not learned.

    Args:
        rows: The data that is right.
        margin: How far other data may go beyond it: a share of the span, of a standard deviation, of what is missing.
        columns: Those to learn; None: all, and that there are no others.
        name: What to call the data in errors.

    Raises:
        ConfigurationError: There are no rows, a column is named twice or is not there, or the margin is no share.
    """
    require_distinct(rows.columns, name)
    if rows.empty:
        msg = f"{name} has no rows: there is nothing to learn from."
        raise ConfigurationError(msg)
    if not 0 <= margin <= 1:
        msg = f"the margin is a share from 0 to 1, such as 0.1; not {margin}."
        raise ConfigurationError(msg)
    chosen = {str(column_of(rows, column, name).name) for column in columns or ()}
    names = [str(column) for column in rows.columns]
    lessons = [_row_count(len(rows))]
    if columns is None:
        words = f"{len(names)} columns; others are told"
        kwargs: dict[str, Any] = {"column_set": names, "exact_match": True}
        lessons.append(_lesson("expect_table_columns_to_match_set", words, severity="warning", **kwargs))
    for column in names:
        if columns is None or column in chosen:
            lessons += _of_column(rows[column], margin)
    return lessons


def _lesson(kind: str, words: str, column: str = "", *, severity: str = "", note: str = "", **kwargs: Any) -> Lesson:
    expectation: dict[str, Any] = {"type": kind, "kwargs": ({"column": column} if column else {}) | kwargs}
    expectation |= {"severity": severity} if severity else {}
    expectation |= {"meta": {"note": note}} if note else {}
    return Lesson(expectation=expectation, words=words, column=column)


def _row_count(count: int) -> Lesson:
    low, high = outward(Decimal(count) / 2, Decimal(count) * 2, Decimal(count) / 10, whole=True)
    kwargs = {"min_value": max(low, 1), "max_value": high}
    return _lesson("expect_table_row_count_to_be_between", _told("rows", kwargs), severity="warning", **kwargs)


def _of_column(column: pd.Series[Any], margin: float) -> Iterator[Lesson]:
    name = str(column.name)
    values, note = _of_values(column, margin)
    yield _lesson("expect_column_to_exist", note, name, note=note)
    if column.notna().any():
        yield _type(column)
        yield from _missing(column, margin)
        yield from values


def _type(column: pd.Series[Any]) -> Lesson:
    """Ask for the type by the name that Great Expectations compares with, which is not always the dtype's."""
    name = str(column.name)
    wanted = _OBJECTS.get(_inferred(column), "object") if column.dtype == object else column.dtype.type.__name__
    if column.dtype == np.float64 and column.hasnans and _is_whole(column):
        # Whole numbers are floats only where one is missing.
        either = ["int64", "float64"]
        return _lesson("expect_column_values_to_be_in_type_list", " or ".join(either), name, type_list=either)
    return _lesson("expect_column_values_to_be_of_type", wanted, name, type_=wanted)


def _missing(column: pd.Series[Any], margin: float) -> Iterator[Lesson]:
    name, missing = str(column.name), int(column.isna().sum())
    if not missing:
        yield _lesson("expect_column_values_to_not_be_null", "never missing", name)
    elif mostly := share_kept(missing, len(column), margin):
        words = f"at most {1 - mostly:.3g} missing"
        yield _lesson("expect_column_values_to_not_be_null", words, name, mostly=mostly)


def _of_values(column: pd.Series[Any], margin: float) -> tuple[list[Lesson], str]:
    """Learn from the values that there are; or say why not, or what is odd about them."""
    known, complete = _plain(column.dropna()), not column.hasnans
    kind = kind_of(known)
    why_not = _why_not(known, kind)
    if why_not:
        return [], why_not
    if Privacy(columns=[str(column.name)]).run(DataSubject(rows=known.to_frame())).outcome is not Outcome.PASSED:
        return _lengths(known, margin) if kind is Kind.TEXT else [], "looks like personal data: no value is learned"
    if kind is Kind.NUMBER:
        return _of_numbers(known, margin, complete=complete)
    if kind in {Kind.TIME, Kind.ZONED}:
        return [_earliest(known, kind, margin)], ""
    return _of_labels(known, kind, margin, complete=complete), ""


def _plain(known: pd.Series[Any]) -> pd.Series[Any]:
    """Take categories that are texts for texts; Great Expectations counts with no others."""
    from pandas import CategoricalDtype

    if isinstance(known.dtype, CategoricalDtype) and kind_of(known.cat.categories.to_series()) is Kind.TEXT:
        return known.astype(known.cat.categories.dtype)
    return known


def _why_not(known: pd.Series[Any], kind: Kind) -> str:
    if kind is Kind.EMPTY:
        return "all values are missing"
    # Of objects, Great Expectations compares days with a bound that JSON can hold, and no other times.
    timed = kind in {Kind.TIME, Kind.ZONED} and (known.dtype != object or _inferred(known) == "date")
    if not (timed or kind in {Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN}):
        return f"holds {kind}, of which only the type is learned"
    return f"too few values to learn more from: {len(known)}" if len(known) < _ENOUGH else ""


def _inferred(column: pd.Series[Any]) -> str:
    from pandas.api import types

    return types.infer_dtype(column, skipna=True)


def _of_labels(known: pd.Series[Any], kind: Kind, margin: float, *, complete: bool) -> list[Lesson]:
    name, counts = str(known.name), known.value_counts()
    if len(counts) == 1 or (len(counts) <= _MOST_TEXTS and COMMON * len(counts) <= len(known)):
        rare = kind is Kind.TEXT and len(counts) > 1 and counts.min() < COMMON
        # What is seen once stands for what is not seen yet: I. J. Good (1953), Biometrika 40, 237-264.
        mostly = share_kept(int((counts == 1).sum()), len(known), margin) if rare else 1
        return [_value_set(name, counts.index.tolist(), mostly)]
    format_ = next((word for word, pattern in _FORMATS.items() if known.str.fullmatch(pattern).all()), "")
    key = complete and len(counts) == len(known) and format_ not in _TIMES and not known.str.contains(r"\s").any()
    unique = [_unique(name)] if key and (len(known) >= _ENOUGH_FOR_KEYS or _KEY.search(name)) else []
    if format_:
        regex = _FORMATS[format_]
        return [*unique, _lesson("expect_column_values_to_match_regex", format_, name, regex=regex)]
    return unique + _lengths(known, margin)


def _of_numbers(known: pd.Series[Any], margin: float, *, complete: bool) -> tuple[list[Lesson], str]:
    name = str(known.name)
    # Floats would lose digits of great integers.
    read = known.to_numpy() if known.dtype.kind in "iu" else numbers(known, Kind.NUMBER)
    values = read[np.isfinite(read)]
    infinite, whole = len(read) - len(values), _is_whole(values)
    if len(values) < _ENOUGH:
        return [], f"too few finite values to learn more from: {len(values)}"
    if infinite:
        mostly = share_kept(infinite, len(read), margin)
        return _range(
            name, values, margin, whole=whole, mostly=mostly
        ), f"{infinite} of {len(read)} values are infinite"
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) == 1 or (whole and len(distinct) <= _MOST_CODES and counts.min() >= COMMON):
        return [_value_set(name, [int(one) if whole else float(one) for one in distinct])], ""
    if complete and whole and len(distinct) == len(values) and _is_key(name, values):
        return [_unique(name)], ""
    return [*_range(name, values, margin, whole=whole), *_middles(name, values, margin)], ""


def _is_whole(values: Any) -> bool:
    known = values[np.isfinite(values)]
    return bool((known == np.floor(known)).all())


def _is_key(name: str, values: np.ndarray) -> bool:
    """Say whether numbers of which none is there twice differ on purpose."""
    span = float(values.max()) - float(values.min()) + 1
    return bool(_KEY.search(name)) or len(values) ** 2 / (2 * span) >= _PAIRS


def _unique(name: str) -> Lesson:
    return _lesson("expect_column_values_to_be_unique", "all different", name)


def _value_set(name: str, values: list[Any], mostly: float = 1) -> Lesson:
    words = f"always {values[0]!r}" if len(values) == 1 else f"one of {len(values)} values"
    more: dict[str, Any] = {"mostly": mostly} if mostly < 1 else {}
    return _lesson("expect_column_values_to_be_in_set", words, name, value_set=sorted(values), **more)


def _lengths(known: pd.Series[Any], margin: float) -> list[Lesson]:
    lengths = known.str.len().to_numpy(dtype=float)
    low, high = stretched(lengths, margin, whole=True)
    kwargs: dict[str, Any] = {"min_value": max(low, int(lengths.min() > 0)), "max_value": high}
    words = _told("length", kwargs)
    return [_lesson("expect_column_value_lengths_to_be_between", words, str(known.name), **kwargs)]


def _earliest(known: pd.Series[Any], kind: Kind, margin: float) -> Lesson:
    """Learn no end: time goes on."""
    days = numbers(known, kind)
    room = margin * (float(days.max()) - float(days.min()))
    first = np.datetime64(math.floor(float(days.min()) - room), "D")
    # Where a month more or less is no matter, another sample gives the same one. Python begins with the year 1.
    day = max(first.astype("datetime64[M]" if room > _MONTH else "datetime64[D]"), np.datetime64("0001-01-01", "D"))
    day = day.astype("datetime64[D]")
    # Great Expectations reads a day alone as a date, which no time is compared with.
    suffix = "" if known.dtype == object else "T00:00:00+00:00" if kind is Kind.ZONED else "T00:00:00"
    return _lesson("expect_column_values_to_be_between", f"from {day}", str(known.name), min_value=f"{day}{suffix}")


def _range(name: str, values: np.ndarray, margin: float, *, whole: bool, mostly: float = 1) -> list[Lesson]:
    low, high = stretched(values, margin, whole=whole)
    kwargs = {"min_value": low, "max_value": high} | ({"mostly": mostly} if mostly < 1 else {})
    return [_lesson("expect_column_values_to_be_between", _told("from", kwargs), name, **kwargs)] if mostly else []


def _middles(name: str, values: np.ndarray, margin: float) -> Iterator[Lesson]:
    """Ask where mean and median are, as a warning: they move with the season, too."""
    for what, (low, high) in middles(values, margin).items():
        kwargs: dict[str, Any] = {"min_value": low, "max_value": high}
        yield _lesson(f"expect_column_{what}_to_be_between", _told(what, kwargs), name, severity="warning", **kwargs)


def _told(what: str, bounds: dict[str, Any]) -> str:
    return f"{what} {bounds['min_value']:.10g} to {bounds['max_value']:.10g}"
