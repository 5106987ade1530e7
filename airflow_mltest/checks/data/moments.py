"""Which moments does a column hold?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

_FIRST = 5
_ZONE = r"(?:Z|z|[+-]\d{2}(?::?\d{2})?)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """
    A column of times, all in UTC.

    Args:
        moments: Aware, with the column's index; NaT where there is none.
        naive: How many came without a time zone, and were taken as UTC.
    """

    moments: pd.Series[Any]
    naive: int

    def microseconds(self) -> np.ndarray:
        """Give whole microseconds since 1970, shape (n,); any number where there is no moment."""
        # Not nanoseconds: in those, the year 9999, which says "never", does not exist.
        moments = self.moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        return np.asarray(moments.astype(np.int64))

    def seconds(self) -> np.ndarray:
        """Give seconds since 1970, shape (n,); NaN where there is no moment."""
        return np.where(self.moments.isna(), np.nan, self.microseconds() / 1e6)

    def note(self) -> str:
        """Say what was assumed; empty if nothing was."""
        known = int(self.moments.notna().sum())
        which = "all times" if self.naive == known else f"{self.naive} of {known} times"
        return f"{which} came without a time zone and were taken as UTC" if self.naive else ""


def is_timed(values: pd.Series[Any]) -> bool:
    """Say whether a column holds datetimes: by its type, or each of its objects by theirs."""
    if values.dtype.kind == "M":
        return True
    known = values.dropna() if values.dtype == object else values.iloc[:0]
    return bool(len(known)) and all(isinstance(value, date) for value in known)


def to_utc(values: pd.Series[Any], name: str) -> Moments:
    """
    Read datetimes, dates and ISO 8601 texts, with a time zone or without, also beside each other.

    Raises:
        ConfigurationError: The column holds numbers, of which nobody knows the unit, or what is no time.
    """
    import pandas as pd

    if values.dtype.kind == "M":
        aware = getattr(values.dtype, "tz", None) is not None
        moments = values.dt.tz_convert("UTC") if aware else values.dt.tz_localize("UTC")
        return Moments(moments=moments, naive=0 if aware else int(values.notna().sum()))
    if values.dtype.kind in "iufcb":
        msg = f"column {name!r} holds numbers ({values.dtype}), not times: give `pd.to_datetime(column, unit=...)`."
        raise ConfigurationError(msg)
    texts = values.astype(object)
    moments = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    wrong = texts.notna() & moments.isna()
    if wrong.any():
        places = ", ".join(str(place) for place in wrong.to_numpy().nonzero()[0][:_FIRST])
        msg = f"column {name!r} holds {int(wrong.sum())} values that are no times, in rows {places}: "
        msg += "write them as ISO 8601 (2026-01-31T12:00:00Z), or parse them before."
        raise ConfigurationError(msg)
    return Moments(moments=moments, naive=_naive(texts))


def _naive(values: pd.Series[Any]) -> int:
    known = values.dropna()
    texts = known.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    zoned = known[texts].astype(str).str.contains(_ZONE, regex=True)
    # A date alone ends in what looks like a zone of hours: 2026-01-31.
    dated = known[texts].astype(str).str.fullmatch(r"\d{4}-\d{2}(?:-\d{2})?")
    others = sum(not (isinstance(value, datetime) and value.tzinfo is not None) for value in known[~texts])
    return int((~zoned | dated).sum()) + others
