"""Does the model give the same row the same answer?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.subject import predicted, scored
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject

# Sums over a batch are ordered otherwise than over a row: the last bits of a score may differ.
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Deterministic:
    """
    The same rows get the same answers: asked twice, alone or in a batch, in any order.

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
        once = predicted(subject.model, rows), scored(subject.model, rows)
        for way, places, asked in self._ways(rows, rng):
            again = predicted(subject.model, asked), scored(subject.model, asked)
            different = _first_difference(
                *((None if a is None else a[places], b) for a, b in zip(once, again, strict=True))
            )
            if different is not None:
                row, seen, before = different
                detail = f"row {rows.index[places[row]]} was answered {before}, and {seen} {way}"
                return Case(name="deterministic", outcome=Outcome.FAILED, detail=detail)
        detail = f"{len(rows)} rows: twice, in another order, {min(self.alone, len(rows))} of them alone"
        return Case(name="deterministic", outcome=Outcome.PASSED, detail=detail)

    def _ways(self, rows: pd.DataFrame, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, pd.DataFrame]]:
        everything = np.arange(len(rows))
        yield "when asked again", everything, rows
        shuffled = rng.permutation(len(rows))
        yield "in another order", shuffled, rows.iloc[shuffled]
        for place in everything[: self.alone]:
            yield "when asked alone", everything[place : place + 1], rows.iloc[place : place + 1]


def _first_difference(
    answers: tuple[np.ndarray | None, np.ndarray | None], scores: tuple[np.ndarray | None, np.ndarray | None]
) -> tuple[int, object, object] | None:
    for before, after in (answers, scores):
        if before is None or after is None:
            continue
        same = (
            before == after if before.dtype.kind not in "fc" else np.isclose(before, after, rtol=_TOLERANCE, atol=1e-12)
        )
        rows = np.flatnonzero(~(same.all(axis=1) if same.ndim > 1 else same))
        if rows.size:
            return int(rows[0]), after[rows[0]], before[rows[0]]
    return None
