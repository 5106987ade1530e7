"""Does the model give the same row the same answer?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.agreement import LAST_BITS, Said, first_difference
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject
    from airflow_mltest.core.ports import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Deterministic:
    """
    The same rows get the same answers: asked twice, alone or in a batch, in any order.

    A model that writes into the rows that it is given fails, too: whoever uses them after it, or asks
    it again, has others. The last bits of numbers may differ, since a batch sums in another order.

    Args:
        rows: How many rows to ask about.
        alone: How many of them to ask about one by one.
    """

    rows: int = 200
    alone: int = 20

    def __post_init__(self) -> None:
        if self.rows < 1 or self.alone < 0:
            msg = f"Deterministic: rows is 1 or more and alone 0 or more, not {self.rows} and {self.alone}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Ask in each way, and look for the first row that differs."""
        rng, features = subject.rng(), subject.features
        rows = features.iloc[rng.permutation(len(features))[: self.rows]]
        once = Said.by(subject.model, rows)
        detail = _written_into(subject.model, rows) or self._answered_otherwise(subject, rows, once, rng)
        if detail:
            return Case(name="deterministic", outcome=Outcome.FAILED, detail=detail)
        detail = f"{len(rows)} rows: twice, in another order, {min(self.alone, len(rows))} of them alone"
        return Case(name="deterministic", outcome=Outcome.PASSED, detail=detail)

    def _answered_otherwise(
        self, subject: ModelSubject, rows: pd.DataFrame, once: Said, rng: np.random.Generator
    ) -> str:
        for done, (way, places) in enumerate(self._ways(len(rows), rng)):
            again = Said.by(subject.model, rows.iloc[places])
            found = first_difference(once[places], again, tolerance=LAST_BITS)
            if found:
                row = rows.index[places[found.place]]
                return f"row {row} was answered {found.before}, and {found.after} {way}"
            subject.progress(done + 1, 2 + min(self.alone, len(rows)))
        return ""

    def _ways(self, rows: int, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
        everything = np.arange(rows)
        yield "when asked again", everything
        yield "in another order", rng.permutation(rows)
        for place in everything[: self.alone]:
            yield "when asked alone", everything[place : place + 1]


def _written_into(model: Model, rows: pd.DataFrame) -> str:
    """Say what the model does to the rows that it is given; empty if it leaves them as they are."""
    for method in ("predict", "scores"):
        given = rows.copy()
        getattr(model, method)(given)
        if list(given.columns) != list(rows.columns) or not given.index.equals(rows.index):
            detail = f"has other columns or rows afterwards: {', '.join(map(str, given.columns))}"
        else:
            written = [str(name) for name in rows.columns if not given[name].equals(rows[name])]
            detail = f"is changed afterwards in {', '.join(written)}" if written else ""
        if detail:
            return f"the data frame that `{method}` is given {detail}; let the model work on a copy"
    return ""
