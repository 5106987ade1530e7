"""Are there about as many rows as there should be?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.data.subject import DataSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """
    The number of rows is at least *minimum* and at most *maximum*.

    Args:
        minimum: Fewest rows.
        maximum: Most rows; None for any number.
        of_reference: Both bounds are shares of the reference's rows (0.9), not rows.
    """

    minimum: float = 1
    maximum: float | None = None
    of_reference: bool = False

    def run(self, subject: DataSubject) -> Case:
        """Count."""
        unit, per = "rows", 1
        if self.of_reference:
            if subject.reference is None:
                msg = "RowCount(of_reference=True) needs a `reference` to count."
                raise ConfigurationError(msg)
            unit, per = "of the reference's rows", len(subject.reference)
        count = len(subject.rows) / per
        wanted = f"at least {self.minimum:g}" + (f" and at most {self.maximum:g}" if self.maximum is not None else "")
        holds = self.minimum <= count and (self.maximum is None or count <= self.maximum)
        return Case(
            name="row_count",
            outcome=Outcome.PASSED if holds else Outcome.FAILED,
            detail=f"{count:g} {unit}; wanted {wanted}",
            measurements=(Measurement(name="row_count", value=count, minimum=self.minimum, maximum=self.maximum),),
        )
