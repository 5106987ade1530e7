"""The smallest adversary of each row that can be found in time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.attacks.boundary import Effort, boundary
from airflow_mltest.attacks.greedy import greedy
from airflow_mltest.attacks.shrink import fewer, nearer
from airflow_mltest.attacks.target import Adversaries, OutOfTimeError, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_mltest.attacks.starts import Pool

# Rows that are attacked together: few at first, to learn what a row costs; then as many as fit a few seconds,
# because what is not finished when the time is over is lost.
_FIRST_ROWS, _MOST_ROWS, _SHARD_S = 4, 500, 10.0
_SHRINKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """
    How adversaries are looked for.

    Args:
        method: By scores, or by labels only.
        budgets: How far each feature may move, in scaled units: by scores, each in turn; by labels, the greatest.
        pool: Rows with the model's answers, to start from.
        seed: Of what is drawn.
        effort: How much a search by labels asks.
    """

    method: Literal["scores", "labels"]
    budgets: Sequence[float]
    pool: Pool
    seed: int = 0
    # More than an attack alone needs to beat others: what a verdict rests on may cost some milliseconds a row.
    effort: Effort = field(default_factory=lambda: Effort(iterations=6))

    def run(self, target: Target, *, on_progress: Callable[[int, int], None] = lambda *_: None) -> Adversaries:
        """
        Attack the rows of *target*, a few at a time.

        Returns:
            The adversaries of the first rows: of all of them, unless time was over before.
        """
        rows, shards, size, done = len(target.rows), [], _FIRST_ROWS, 0
        while done < rows:
            which = np.arange(done, min(done + size, rows))
            start_s = time.monotonic()
            try:
                shards.append(self.attack(target, which))
            except OutOfTimeError:
                break
            done += len(which)
            on_progress(done, rows)
            row_s = (time.monotonic() - start_s) / len(which)
            size = int(np.clip(_SHARD_S / max(row_s, 1e-9), _FIRST_ROWS, _MOST_ROWS))
        nothing = np.arange(0)
        return Adversaries.joined(shards or [target.verified(target.origin[:0], nothing > 0, nothing)])

    def attack(self, target: Target, which: np.ndarray) -> Adversaries:
        """Attack some rows, places in `target.rows`, together; what is found does not depend on which others."""
        if self.method == "labels":
            points, found = boundary(
                target, self.pool, which, seed=self.seed, budget=max(self.budgets), effort=self.effort
            )
        else:
            points, found = self._by_scores(target, which)
        return target.verified(points, found, which)

    def _by_scores(self, target: Target, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, found = target.origin[which], np.zeros(len(which), dtype=bool)
        # Numbers can be wrong in two directions, and moves of both would cancel.
        signs = (1,) if target.tolerance is None else (1, -1)
        for budget in sorted(self.budgets):
            for sign in signs:
                rest = np.flatnonzero(~found)
                if rest.size:
                    points[rest], found[rest] = greedy(target, budget, which[rest], sign)
        there = np.flatnonzero(found)
        best = points[there]
        for _ in range(_SHRINKS if there.size else 0):
            best = nearer(target, fewer(target, best, which[there]), which[there], norm="linf")
        points[there] = best
        return points, found
