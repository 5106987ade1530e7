"""The model under attack: which points are adversaries, and which of them stand up to a second look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.attacks.space import SLACK, arrays
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from airflow_mltest.attacks.constraints import Constraints
    from airflow_mltest.attacks.space import Space

# Tree models are at their best from about here on. Of wide tables fewer rows: a batch is at most 32 MB.
BATCH_ROWS, _BATCH_CELLS = 16_384, 2**22


# A forest gives 0 to a class, and a linear model 1e-200: both are far from it.
_LEAST = 1e-300


class OutOfTimeError(Exception):
    """The attack has to stop; what is not finished is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversaries:
    """
    What an attack found, a row each.

    Args:
        found: Whether there is one, shape (n,); the rest means something only where there is.
        rows: The adversaries, in the types of the originals, length n.
        size: The largest move of a feature, in scaled units, shape (n,); inf where there is none.
        changed: The features that differ, those that are derived left out, shape (n, d).
        answers: What the model says to `rows`, shape (n,).
    """

    found: np.ndarray
    rows: pd.DataFrame
    size: np.ndarray
    changed: np.ndarray
    answers: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Adversaries]) -> Adversaries:
        """Put those of several groups of rows one after the other."""
        import pandas as pd

        return cls(
            found=np.concatenate([part.found for part in parts]),
            rows=pd.concat([part.rows for part in parts]),
            size=np.concatenate([part.size for part in parts]),
            changed=np.concatenate([part.changed for part in parts]),
            answers=np.concatenate([part.answers for part in parts]),
        )


@dataclass(kw_only=True)
class Target:
    """
    A model, and the rows whose answers are to be changed.

    Args:
        space: Which changes there are.
        constraints: How derived features follow, and which rows could exist.
        rows: The originals, length n.
        answers: What the model says to them, shape (n,).
        ask: Takes a data frame, gives answers, shape (m,). It must not keep or write what it is given.
        scores: Takes a data frame, gives probabilities, shape (m, classes); None without.
        own: The column of the probabilities that is a row's own class, shape (n,).
        tolerance: Answers are numbers, and one that is off by more than this is another one. None: labels.
        out_of_time: Asked before each batch.
        max_features: An adversary has at most so many changed features.
        batch_rows: How many rows the model is asked about at once, at most. Results do not depend on it.
        origin: The points of `rows`, shape (n, d).
    """

    space: Space
    constraints: Constraints
    rows: pd.DataFrame
    answers: np.ndarray
    ask: Callable[[pd.DataFrame], np.ndarray]
    scores: Callable[[pd.DataFrame], np.ndarray | None] | None = None
    own: np.ndarray | None = None
    tolerance: float | None = None
    out_of_time: Callable[[], bool] = field(default=lambda: False)
    max_features: int | None = None
    batch_rows: int = BATCH_ROWS
    origin: np.ndarray = field(init=False)
    _arrays: list[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.origin = self.space.encode(self.rows)
        self._arrays = arrays(self.rows)
        self.batch_rows = max(1, min(self.batch_rows, _BATCH_CELLS // max(self.origin.shape[1], 1)))

    def others(self, answers: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Say which of *answers* differ from those of the originals *which*, shapes broadcast."""
        first = self.answers[which]
        if self.tolerance is None:
            different: np.ndarray = answers != first
            return different
        beyond: np.ndarray = np.abs(answers - first) > self.tolerance
        return beyond

    def flips(self, points: np.ndarray, which: np.ndarray) -> np.ndarray:
        """
        Say which points are adversaries: another answer, and a row that could exist.

        Args:
            points: Shape (m, d).
            which: The original of each, shape (m,).
        """
        flipped = np.zeros(len(points), dtype=bool)
        for part in self._parts(len(points)):
            rows, could_be = self._rows(points[part], which[part])
            flipped[part] = self.others(self.ask(rows), which[part]) & could_be
        return flipped

    def margins(self, points: np.ndarray, which: np.ndarray, sign: int = 1) -> np.ndarray:
        """
        Say how far points are from another answer, shape (m,); below 0 it is likely another one.

        With probabilities it is the logarithm of the own class's over the greatest other one. Without, the
        answers are numbers, and it is what the tolerance leaves of the change in the direction of *sign*.
        Infinite for a row that could not exist.
        """
        margins = np.full(len(points), np.inf)
        for part in self._parts(len(points)):
            rows, could_be = self._rows(points[part], which[part])
            margins[part] = np.where(could_be, self._margins(rows, which[part], sign), np.inf)
        return margins

    def verified(self, points: np.ndarray, found: np.ndarray, which: np.ndarray) -> Adversaries:
        """
        Ask again about what an attack found, and keep what is an adversary by every rule.

        Args:
            points: The best of each row, shape (m, d).
            found: Where the attack thinks it is one, shape (m,).
            which: The original of each, shape (m,).
        """
        origin = self.origin[which]
        rows, could_be = self._rows(np.where(found[:, None], points, origin), which)
        asked = [self.ask(rows.iloc[part]) for part in self._parts(len(rows))]
        answers = np.concatenate([self.answers[:0], *asked])
        moves = self.space.moves(self.space.encode(rows), origin)
        # A repair may have changed more than it should.
        allowed = self.space.allows(rows, self.rows, self.origin, which)
        holds = found & could_be & allowed & self.others(answers, which)
        if self.max_features is not None:
            holds &= (moves > SLACK).sum(axis=1) <= self.max_features
        return Adversaries(
            found=holds,
            rows=rows.set_axis(self.rows.index[which]),
            size=np.where(holds, moves.max(axis=1, initial=0.0), np.inf),
            changed=(moves > SLACK) & holds[:, None],
            answers=answers,
        )

    def groups(self, rows: int, points: int) -> Iterator[slice]:
        """Cut *rows* so that one group, with so many points for each row, is one batch."""
        step = max(1, self.batch_rows // max(points, 1))
        for start in range(0, rows, step):
            yield slice(start, min(start + step, rows))

    def _parts(self, points: int) -> Iterator[slice]:
        for start in range(0, points, self.batch_rows):
            if self.out_of_time():
                raise OutOfTimeError
            yield slice(start, start + self.batch_rows)

    def _rows(self, points: np.ndarray, which: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """Give points as rows of the table, and whether these could exist."""
        rows = self.space.decode(points, self._arrays, self.origin, which)
        could_be = np.ones(len(rows), dtype=bool)
        if not could_be.size:  # the author's callables need not know what to do with nothing
            return rows, could_be
        if self.constraints.repair is not None:
            rows = _repaired(self.constraints.repair, rows)
        if self.constraints.valid is not None:
            could_be = _valid(self.constraints.valid, rows)
        return rows, could_be

    def _margins(self, rows: pd.DataFrame, which: np.ndarray, sign: int) -> np.ndarray:
        if self.tolerance is not None:
            margins = 1 - sign * (self.ask(rows) - self.answers[which]) / self.tolerance
        elif self.scores is None or self.own is None:
            msg = "There is no score to follow: the model gives labels only."
            raise ConfigurationError(msg)
        else:
            table = np.array(self.scores(rows), dtype=float)
            own = self.own[which][:, None]
            mine = np.take_along_axis(table, own, axis=1)[:, 0]
            np.put_along_axis(table, own, 0.0, axis=1)
            margins = np.log(np.maximum(mine, _LEAST)) - np.log(np.maximum(table.max(axis=1), _LEAST))
        # The last bits depend on the batch, and would decide between moves that are equally good.
        rounded: np.ndarray = np.round(margins, 9)
        return rounded


def _repaired(repair: Callable[[pd.DataFrame], pd.DataFrame], rows: pd.DataFrame) -> pd.DataFrame:
    repaired = repair(rows.copy())
    if len(repaired) != len(rows) or set(repaired.columns) != set(rows.columns):
        msg = (
            f"Constraints: repair gave {len(repaired)} rows of {len(repaired.columns)} features "
            f"for {len(rows)} of {len(rows.columns)}: it has to give the rows it was given, with the same features."
        )
        raise ConfigurationError(msg)
    if not repaired.columns.equals(rows.columns):
        repaired = repaired[rows.columns]
    # A sum of whole numbers that came back as floats is to be asked as what the model knows.
    return repaired if repaired.dtypes.equals(rows.dtypes) else repaired.astype(rows.dtypes.to_dict())


def _valid(valid: Callable[[pd.DataFrame], np.ndarray | pd.Series[bool]], rows: pd.DataFrame) -> np.ndarray:
    said = np.asarray(valid(rows.copy()))
    if said.shape != (len(rows),) or said.dtype.kind != "b":
        msg = f"Constraints: valid gave {said.dtype} {said.shape} for {len(rows)} rows: a boolean a row was wanted."
        raise ConfigurationError(msg)
    return said
