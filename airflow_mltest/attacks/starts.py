"""Rows that are answered otherwise already, to start an attack from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.attacks.shrink import fewer, nearer, size

if TYPE_CHECKING:
    from airflow_mltest.attacks.shrink import Norm
    from airflow_mltest.attacks.target import Target

# The nearest rows of another answer; of these, some are made of the original, and some of those compared.
_NEAR = 32
# Distances to more rows than this cost more than they gain.
MOST_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """
    Rows, and what the model says to them.

    Args:
        points: Shape (p, d).
        answers: Shape (p,).
    """

    points: np.ndarray
    answers: np.ndarray

    @classmethod
    def drawn(cls, points: np.ndarray, answers: np.ndarray, rng: np.random.Generator) -> Pool:
        """Keep at most `MOST_ROWS` of many rows."""
        kept = np.sort(rng.permutation(len(points))[:MOST_ROWS])
        return cls(points=points[kept], answers=answers[kept])


def starts(  # noqa: PLR0913  what is near, and how many are compared
    target: Target, pool: Pool, which: np.ndarray, *, norm: Norm, budget: float, compared: int
) -> tuple[np.ndarray, np.ndarray]:
    """
    Make adversaries of near rows of another answer, moved to where the original may go, and take the best.

    The nearest row is seldom behind the nearest part of the boundary, so several are compared where they
    cross it. If few features may change, also originals with one feature at the end of what is allowed
    are; and those count most that can be cut down to as few.

    Returns:
        Points, shape (m, d), and which of them are adversaries, shape (m,).
    """
    makers = _Starts(target=target, pool=pool, norm=norm, budget=budget, compared=compared)
    points, found = target.origin[which], np.zeros(len(which), dtype=bool)
    for part in target.groups(len(which), _NEAR):
        points[part], found[part] = makers.best(which[part])
    return points, found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Starts:
    """Arguments as for `starts`."""

    target: Target
    pool: Pool
    norm: Norm
    budget: float
    compared: int

    def best(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose a start for each original."""
        most = self.target.max_features
        makes = [self._made(which, self._nearest(which))] + ([] if most is None else [self._singles(which)])
        found = [self._some(which, *made) for made in makes]
        row, moved = (np.concatenate(parts) for parts in zip(*found, strict=True))
        beyond = np.zeros(len(row))
        if most is not None:
            moved = fewer(self.target, fewer(self.target, moved, which[row]), which[row])
            moves = self.target.space.moves(moved, self.target.origin[which[row]])
            beyond = np.maximum((moves > 0).sum(axis=1) - most, 0)
        moved = nearer(self.target, moved, which[row], norm=self.norm, rounds=3)
        return self._first(which, row, moved, beyond)

    def _nearest(self, which: np.ndarray) -> np.ndarray:
        """Give places in the pool, nearest first, shape (m, k); -1 where there are no more of another answer."""
        from scipy.spatial.distance import cdist

        used, scale = self.target.space.number, self.target.space.scale
        # Pair by pair, not by a matrix product, whose last bits depend on the batch.
        distance = cdist(
            np.nan_to_num(self.target.origin[which][:, used] / scale[used]),
            np.nan_to_num(self.pool.points[:, used] / scale[used]),
        )
        other = self.target.others(self.pool.answers[None, :], which[:, None])
        distance[~other] = np.inf
        most = min(_NEAR, distance.shape[1])
        near = np.argpartition(distance, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)
        return np.where(np.take_along_axis(other, near, axis=1), near, -1)

    def _made(self, which: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Move originals to rows of the pool as far as they may; gives the place in *which*, and the point, of each."""
        space, origin = self.target.space, self.target.origin[which]
        low, high = space.limits(origin, self.budget)
        row, column = np.nonzero(near >= 0)
        there = self.pool.points[near[row, column]]
        moved = np.where(np.isnan(there), origin[row], np.clip(there, low[row], high[row]))
        moved = np.where(space.number, space.snap(moved, origin[row]), origin[row])
        if not space.levels or space.category_cost > self.budget:
            return row, moved
        # Each once with its own categories, and once with those of the row it is moved to. Missing stays
        # missing, and a level that is too rare to be known is none to move to.
        named = np.isin(np.arange(len(space.columns)), list(space.levels))
        taken = named & (there >= 0) & ~np.isnan(origin[row])
        return np.concatenate([row, row]), np.concatenate([moved, np.where(taken, there, moved)])

    def _singles(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Move one feature of an original at a time to where it may go at most."""
        origin = self.target.origin[which]
        ends = self.target.space.ends(origin, self.budget)
        row, feature, move = np.nonzero(np.abs(ends - origin[:, :, None]) > 0)
        moved = origin[row]
        moved[np.arange(len(row)), feature] = ends[row, feature, move]
        return row, moved

    def _some(self, which: np.ndarray, row: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keep a few adversaries of each row, from the nearest to the farthest."""
        flipped = self.target.flips(moved, which[row])
        row, moved = row[flipped], moved[flipped]
        order = np.lexsort((self._length(moved, which[row]), row))
        row, moved = row[order], moved[order]
        count = np.bincount(row, minlength=len(which))[row]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        # Ranks at which a ruler with so many marks passes from one to the next; the nearest is always one.
        kept = rank * self.compared // count != (rank - 1) * self.compared // count
        return row[kept], moved[kept]

    def _length(self, moved: np.ndarray, which: np.ndarray) -> np.ndarray:
        return size(self.target.space.moves(moved, self.target.origin[which]), self.norm)

    def _first(
        self, which: np.ndarray, row: np.ndarray, moved: np.ndarray, beyond: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose the nearest of each row, of those that are least *beyond* the features that may change."""
        points, found = self.target.origin[which], np.zeros(len(which), dtype=bool)
        order = np.lexsort((self._length(moved, which[row]), beyond, row))
        first = order[np.unique(row[order], return_index=True)[1]]
        points[row[first]], found[row[first]] = moved[first], True
        return points, found
