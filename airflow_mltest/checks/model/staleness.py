"""Is the model young enough?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

# Clocks of two machines disagree by seconds; by more than this, one of them is wrong.
_SKEW = timedelta(minutes=5)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """
    The model was made no longer ago than *max_age*.

    Args:
        max_age: A `timedelta`, or days.
    """

    max_age: timedelta | float

    def __post_init__(self) -> None:
        days = self._max_days
        if not 0 < days < float("inf"):
            msg = f"Staleness: max_age is a timedelta or days, above 0, not {self.max_age!r}."
            raise ConfigurationError(msg)

    @property
    def _max_days(self) -> float:
        return self.max_age / _DAY if isinstance(self.max_age, timedelta) else float(self.max_age)

    def run(self, subject: ModelSubject) -> Case:
        """Compare the model's age with what is allowed."""
        made = getattr(subject.model, "created_at", None)
        if made is None:
            msg = f"nobody knows when {subject.model.uri} was made: only models that were saved with MLflow say so."
            raise ConfigurationError(msg)
        if made.tzinfo is None:
            msg = f"{subject.model.uri} says it was made at {made}, without a time zone: give an aware `created_at`."
            raise ConfigurationError(msg)
        age = datetime.now(UTC) - made
        if age < -_SKEW:
            msg = f"{subject.model.uri} was made {made:%Y-%m-%d %H:%M %Z}, which is yet to come: check both clocks."
            raise ConfigurationError(msg)
        days = max(age / _DAY, 0.0)
        outcome = Outcome.PASSED if days <= self._max_days else Outcome.FAILED
        return Case(
            name="staleness",
            outcome=outcome,
            detail=f"made {made:%Y-%m-%d %H:%M %Z}, {days:.3g} days ago; {self._max_days:g} days allowed",
            measurements=(Measurement(name="model_age_days", value=days, maximum=self._max_days),),
        )
