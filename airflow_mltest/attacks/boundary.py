"""A label-only attack: from a row of another class to the boundary, along it, and then to few features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.attacks.shrink import Norm, fewer, flips_each, nearer, size
from airflow_mltest.attacks.starts import Pool, starts

if TYPE_CHECKING:
    from airflow_mltest.attacks.target import Target

# Directions are whole multiples of this: their sums have no rounding, whatever the order in which a matrix
# product takes them. So a row's result has the same bits in any batch.
_GRID = 2.0**-20
# Probes on a model of steps have to be farther apart than its steps: ten times HopSkipJump's radius.
_RADIUS, _MOST_RADIUS = 10.0, 0.3
# A smaller box is a little smaller: one feature at its edge has to make up for all the others.
_SMALLER = 0.9
_STEPS = 0.5 ** np.arange(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """
    How much a label-only attack asks, for each row.

    Args:
        iterations: How often the boundary's direction is estimated.
        probes: Points of the first estimate; the k-th has sqrt(k) times as many.
        polish: How often features are given their original values back in the end.
        starts: How many rows of another answer are compared, to start from.
    """

    iterations: int = 2
    probes: int = 100
    polish: int = 3
    starts: int = 8


def boundary(  # noqa: PLR0913 - what is asked, how, and by which luck
    target: Target,
    pool: Pool,
    which: np.ndarray,
    *,
    seed: int,
    norm: Norm = "linf",
    budget: float = np.inf,
    effort: Effort = Effort(),
) -> tuple[np.ndarray, np.ndarray]:
    """
    Look for the nearest adversaries of all rows in lock step, by answers alone.

    In the manner of HopSkipJump, but from the nearest row that is answered otherwise; with directions that
    all rows share; with a search between both ends that asks about several points at once; keeping the
    best, and ending on the boundary. Then features are given their original values back.

    A row's result depends on itself, the pool and the seed, not on the batch.

    Args:
        target: The model.
        pool: Rows with the model's answers, to start from.
        which: The rows to attack, as places in `target.rows`, shape (m,).
        seed: Of the directions.
        norm: What nearness is: the largest move, or the Euclidean length of all, in scaled units.
        budget: The farthest that a feature may move, in scaled units.
        effort: How much to ask.

    Returns:
        Points, shape (m, d), and which of them are adversaries, shape (m,).

    Source:
        J. Chen et al. (2020), HopSkipJumpAttack, IEEE S&P, doi:10.1109/SP40000.2020.00045.
    """
    walk = _Walk(target=target, seed=seed, norm=norm, budget=budget, effort=effort)
    points, found = starts(target, pool, which, norm=norm, budget=budget, compared=effort.starts)
    rows = np.flatnonzero(found)
    if rows.size:
        points[rows] = walk.from_starts(points[rows], which[rows])
    return points, found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """Along the boundary, towards the originals; arguments as for `boundary`."""

    target: Target
    seed: int
    norm: Norm
    budget: float
    effort: Effort

    def from_starts(self, points: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Make adversaries smaller, shape (m, d)."""
        now = best = nearer(self.target, points, which, norm=self.norm)
        for number in range(1, self.effort.iterations + 1):
            directions = self._directions(number)
            stepped = now.copy()
            for part in self.target.groups(len(now), len(directions)):
                stepped[part] = self._step(now[part], which[part], directions, number)
            now = nearer(self.target, stepped, which, norm=self.norm)
            shorter = self._length(now, which) < self._length(best, which)
            best = np.where(shorter[:, None], now, best)
        for _ in range(self.effort.polish):
            if self.norm == "linf":
                best = self._cornered(best, which)
            best = nearer(self.target, fewer(self.target, best, which), which, norm=self.norm, rounds=2)
        return best

    def _cornered(self, points: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Go into a smaller box around the original, with one feature at an edge of it, where that will do."""
        cornered = points.copy()
        for part in self.target.groups(len(points), 2 * points.shape[1]):
            cornered[part] = self._corner(points[part], which[part])
        return cornered

    def _corner(self, points: np.ndarray, which: np.ndarray) -> np.ndarray:
        space, origin = self.target.space, self.target.origin[which]
        moves = space.moves(points, origin)
        box = np.minimum(_SMALLER * moves.max(axis=1, keepdims=True), self.budget)
        low, high = space.limits(origin, box)
        inside = np.where(space.number, np.clip(points, low, high), points)
        moved = moves > 0
        room = np.inf if self.target.max_features is None else self.target.max_features
        may = (high > low) & (moved | (moved.sum(axis=1, keepdims=True) < room))
        row, feature = np.nonzero(may)
        edges, half = inside[np.tile(row, 2)], np.arange(len(row))
        edges[half, feature] = low[row, feature]
        edges[half + len(row), feature] = high[row, feature]
        row = np.tile(row, 2)
        flipped = np.flatnonzero(self.target.flips(edges, which[row]))
        # Backwards, so that of several the first one is written last.
        found = points.copy()
        found[row[flipped[::-1]]] = edges[flipped[::-1]]
        return found

    def _length(self, points: np.ndarray, which: np.ndarray) -> np.ndarray:
        return size(self.target.space.moves(points, self.target.origin[which]), self.norm)

    def _directions(self, number: int) -> np.ndarray:
        """Draw those of one iteration, in scaled units, shape (probes, d)."""
        shape = round(self.effort.probes * np.sqrt(number)), len(self.target.space.columns)
        drawn = np.random.default_rng([self.seed, number]).normal(size=shape)
        on_grid: np.ndarray = np.round(drawn / _GRID) * _GRID
        return on_grid

    def _step(self, points: np.ndarray, which: np.ndarray, directions: np.ndarray, number: int) -> np.ndarray:
        """Estimate where the boundary leads away from the original's answer, and go as far as is an adversary."""
        space, origin = self.target.space, self.target.origin[which]
        low, high = (end[:, None, :] for end in space.limits(origin, self.budget))
        moves = space.moves(points, origin)
        free = high > low
        if self.target.max_features is not None:
            free &= moves[:, None, :] > 0

        def tried(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            offsets += points[:, None, :]
            np.clip(offsets, low, high, out=offsets)
            if not free.all():
                offsets = np.where(free, offsets, points[:, None, :])
            return flips_each(self.target, space.snap(offsets, origin[:, None, :]), which)

        count = np.maximum(free.sum(axis=(1, 2)), 1)
        radius = size(moves, "l2") * np.minimum(_MOST_RADIUS, _RADIUS / count) / np.sqrt(count)
        _, asked = tried(radius[:, None, None] * (directions * space.scale))
        ahead = self._unit(_normal(asked, directions) * free[:, 0]) * space.scale
        reach = size(moves, self.norm) / np.sqrt(number)
        steps, asked = tried((reach[:, None] * _STEPS)[:, :, None] * ahead[:, None, :])
        farthest = steps[np.arange(len(points)), asked.argmax(axis=1)]
        return np.where(asked.any(axis=1, keepdims=True), farthest, points)

    def _unit(self, normal: np.ndarray) -> np.ndarray:
        """Make directions as long as one scaled unit is in the norm: the steepest way."""
        if self.norm == "linf":
            signs: np.ndarray = np.sign(normal)
            return signs
        length = size(normal, "l2")[:, None]
        unit: np.ndarray = normal / np.where(length > 0, length, 1.0)
        return unit


def _normal(asked: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Estimate the boundary's normal from which probes were adversaries, shape (m, d)."""
    signs = np.where(asked, 1.0, -1.0)
    mean = signs.mean(axis=1, keepdims=True)
    whole: np.ndarray = signs @ directions
    # HopSkipJump's baseline, which lowers the variance; it would cancel all if all are on one side.
    normal: np.ndarray = np.where(np.abs(mean) < 1, whole - mean * directions.sum(axis=0), whole)
    return normal
