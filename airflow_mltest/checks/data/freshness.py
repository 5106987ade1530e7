"""Is the data young enough?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_mltest.checks.data.moments import to_utc
from airflow_mltest.checks.data.subject import REDACTED
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.data.subject import DataSubject

# Clocks of two machines disagree by seconds; by more than this, one of them is wrong.
_CLOCKS = timedelta(minutes=5)
_HOUR = timedelta(hours=1)
_FIRST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """
    The newest time in a column is no longer ago than *max_age*, and none is yet to come.

    Times without a zone are taken as UTC, which is told.

    Args:
        column: Holds times: datetimes, dates, or ISO 8601 texts.
        max_age: Of the newest row: a `timedelta`, or hours.
        max_age_of_oldest: Of the oldest row, likewise; None: any.
        now: What to count from, aware; None: the time of the run.
    """

    column: str
    max_age: timedelta | float
    max_age_of_oldest: timedelta | float | None = None
    now: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("max_age", "max_age_of_oldest"):
            given = getattr(self, name)
            if given is not None and not 0 < _hours(given) < math.inf:
                msg = f"Freshness({self.column!r}): {name} is a timedelta or hours, above 0, not {given!r}."
                raise ConfigurationError(msg)
        if self.now is not None and self.now.tzinfo is None:
            msg = f"Freshness({self.column!r}): now is aware, such as datetime.now(UTC), not {self.now}."
            raise ConfigurationError(msg)

    def run(self, subject: DataSubject) -> Case:
        """Compare the ages of the newest and the oldest row with what is allowed."""
        found = to_utc(subject.column(self.column), self.column)
        known = found.moments.dropna()
        if known.empty:
            msg = f"column {self.column!r} is missing in all {len(subject.rows)} rows: nobody knows how old they are."
            raise ConfigurationError(msg)
        now = self.now or datetime.now(UTC)
        ahead = (found.moments > now + _CLOCKS).to_numpy()
        newest, oldest = (
            Measurement(name=f"{which}_age_hours", value=max((now - moment) / _HOUR, 0.0), maximum=most)
            for which, moment, most in (
                ("newest", known.max(), _hours(self.max_age)),
                ("oldest", known.min(), None if self.max_age_of_oldest is None else _hours(self.max_age_of_oldest)),
            )
        )
        newest_told, oldest_told = (
            REDACTED if subject.hides(self.column) else _told(moment) for moment in (known.max(), known.min())
        )
        words = [_words(newest, newest_told), _words(oldest, oldest_told)]
        if ahead.any():
            rows = ", ".join(str(subject.label(subject.rows, place)) for place in ahead.nonzero()[0][:_FIRST])
            words.insert(0, f"{int(ahead.sum())} rows are yet to come, the last {newest_told}: rows {rows}")
        missing = len(found.moments) - len(known)
        words += [f"{missing} of {len(found.moments)} rows have no {self.column}"] if missing else []
        words += [found.note()] if found.naive else []
        old = any(one.maximum is not None and one.value > one.maximum for one in (newest, oldest))
        return Case(
            name=f"freshness({self.column})",
            outcome=Outcome.FAILED if old or ahead.any() else Outcome.PASSED,
            detail="; ".join(words),
            measurements=(newest, oldest),
        )


def _hours(given: timedelta | float) -> float:
    return given / _HOUR if isinstance(given, timedelta) else float(given)


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def _words(age: Measurement, moment: str) -> str:
    which = age.name.partition("_")[0]
    words = f"the {which} row is of {moment}, {age.value:.3g} hours ago"
    return words if age.maximum is None else f"{words}; {age.maximum:g} allowed"
