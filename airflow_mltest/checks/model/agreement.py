"""Do two sets of answers to the same rows agree, and where do they not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.asking import predicted, scored

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.core.ports import Model

# Sums over a batch are ordered otherwise than over a row: the last bits of a number may differ.
LAST_BITS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """
    What a model said about some rows.

    Args:
        answers: Labels or numbers, shape (n,).
        scores: Probabilities, shape (n, classes); None if it gives none.
    """

    answers: np.ndarray
    scores: np.ndarray | None

    @classmethod
    def by(cls, model: Model, rows: pd.DataFrame) -> Said:
        """
        Ask *model* about *rows*.

        Raises:
            ConfigurationError: It raised, or gave other than one finite answer a row.
        """
        return cls(answers=predicted(model, rows), scores=scored(model, rows))

    def __getitem__(self, places: Any) -> Said:
        return Said(answers=self.answers[places], scores=None if self.scores is None else self.scores[places])


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    The first row that was answered otherwise.

    Args:
        place: Its position, from 0.
        before: What was said of it first: an answer, or its probabilities.
        after: What was said of it then.
    """

    place: int
    before: Any
    after: Any


def first_difference(before: Said, after: Said, *, tolerance: float) -> Difference | None:
    """
    Find the first row whose answer, or else whose probabilities, differ.

    Args:
        before: What was said first.
        after: What was said then, of the same rows in the same order.
        tolerance: How far numbers may be apart, relative to their size; 0 asks for the same bits.
    """
    if (before.scores is None) != (after.scores is None):
        words = ["no probabilities" if said.scores is None else said.scores[0] for said in (before, after)]
        return Difference(place=0, before=words[0], after=words[1])
    pairs = [(before.answers, after.answers)]
    if before.scores is not None and after.scores is not None:
        pairs.append((before.scores, after.scores))
    for one, other in pairs:
        places = np.flatnonzero(differ(one, other, tolerance=tolerance))
        if places.size:
            first = int(places[0])
            return Difference(place=first, before=one[first], after=other[first])
    return None


def differ(one: np.ndarray, other: np.ndarray, *, tolerance: float) -> np.ndarray:
    """
    Say which rows of two arrays differ, shape (n,).

    Args:
        one: Answers or probabilities, shape (n,) or (n, classes).
        other: Likewise; probabilities of another number of classes differ everywhere.
        tolerance: As for `first_difference`; of anything but numbers none is allowed.
    """
    if one.shape != other.shape:
        return np.ones(len(one), dtype=bool)
    numeric = {one.dtype.kind, other.dtype.kind} <= set("fiub")
    if numeric and tolerance and "f" in one.dtype.kind + other.dtype.kind:
        different = ~np.isclose(one, other, rtol=tolerance, atol=tolerance / 1000)
    else:
        different = np.asarray(one != other, dtype=bool)
    whole: np.ndarray = different.reshape(len(different), -1).any(axis=1)
    return whole
