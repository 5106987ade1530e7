"""Does the model, saved and loaded again, answer the same?"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.agreement import Said, first_difference
from airflow_mltest.core.errors import ConfigurationError, MltestError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """
    The model is saved anew and loaded, and gives the same answers and probabilities, bit for bit.

    Args:
        rows: How many rows to ask about.
    """

    rows: int = 200

    def __post_init__(self) -> None:
        if self.rows < 1:
            msg = f"RoundTrip: rows is 1 or more, not {self.rows}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Ask, save, load, and ask again."""
        again = getattr(subject.model, "again", None)
        if again is None:
            msg = f"{subject.model.uri} cannot be saved: only a model that was loaded from MLflow can be saved anew."
            raise ConfigurationError(msg)
        features = subject.features
        rows = features.iloc[subject.rng().permutation(len(features))[: self.rows]]
        before = Said.by(subject.model, rows)
        with ExitStack() as stack:
            try:
                other = stack.enter_context(again())
            except (MltestError, OSError):  # it cannot be tried here; that says nothing of the model
                raise
            except Exception as error:  # noqa: BLE001  whatever the model raises when it is saved or loaded
                detail = f"it does not survive being saved and loaded: {type(error).__name__}: {error}"
                return Case(name="round_trip", outcome=Outcome.FAILED, detail=detail)
            found = first_difference(before, Said.by(other, rows), tolerance=0)
        if found:
            detail = f"row {rows.index[found.place]} was answered {found.before}, and {found.after} by what was saved"
            return Case(name="round_trip", outcome=Outcome.FAILED, detail=detail)
        detail = f"{len(rows)} rows are answered the same to the last bit by the model saved anew"
        return Case(name="round_trip", outcome=Outcome.PASSED, detail=detail)
