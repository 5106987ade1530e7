"""A score-based attack: of all moves to the edge of the budget take those that help most, until the answer changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.attacks.shrink import prefixes, ranks

if TYPE_CHECKING:
    from airflow_mltest.attacks.target import Target

_MOST_ROUNDS = 6


def greedy(target: Target, budget: float, which: np.ndarray, sign: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """
    Look for adversaries within *budget*, for all rows in lock step, in three calls of the model a round.

    A round asks about every move of one feature to an edge of what the budget allows, and of every category;
    sorts those that help; then asks about the first one, the first two, and so on. It takes the fewest of
    these that should change the answer, else the best, and asks whether it does. For a linear model of two
    classes that is the exact optimum.

    Deterministic, and a row's result does not depend on the others.

    Args:
        target: The model, with scores or a tolerance.
        budget: How far each feature may move, in scaled units.
        which: The rows to attack, as places in `target.rows`, shape (m,).
        sign: For numbers, whether the answer is to rise or to fall.

    Returns:
        Points, shape (m, d), and which of them are adversaries, shape (m,).
    """
    points = target.origin[which]
    found = np.zeros(len(which), dtype=bool)
    ends = target.space.ends(points, budget)
    margins = target.margins(points, which, sign)
    # Where a model answers otherwise than by its greatest probability, 0 is not where the answer changes.
    goals = np.minimum(margins, 0.0)
    moves = int((~np.isnan(ends)).sum(axis=(1, 2)).max(initial=0))
    active = np.flatnonzero(margins < np.inf)
    for _ in range(_MOST_ROUNDS):
        if not active.size:
            break
        going = []
        for part in target.groups(len(active), moves):
            some = active[part]
            new, better = _round(target, points[some], which[some], ends[some], margins[some], goals[some], sign)
            improved = better < margins[some]
            points[some[improved]], margins[some[improved]] = new[improved], better[improved]
            some = some[improved]
            found[some] = target.flips(points[some], which[some])
            goals[some] = np.minimum(goals[some], margins[some])
            going.append(some[~found[some]])
        active = np.concatenate(going)
    return points, found


def _round(  # noqa: PLR0913, PLR0917  where each row is, and where it may go
    target: Target,
    points: np.ndarray,
    which: np.ndarray,
    ends: np.ndarray,
    margins: np.ndarray,
    goals: np.ndarray,
    sign: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Make the best step from each point; gives the new points, and their margins."""
    moved = target.space.moves(points, target.origin[which]) > 0
    room = points.shape[1] if target.max_features is None else target.max_features - moved.sum(axis=1)
    room = np.broadcast_to(room, len(points))
    eligible = moved | (room > 0)[:, None]
    # What is there already is no move; NaN equals nothing and is left out as well.
    row, feature, move = np.nonzero((np.abs(ends - points[:, :, None]) > 0) & eligible[:, :, None])
    alone = points[row]
    alone[np.arange(len(row)), feature] = ends[row, feature, move]
    gains = np.full(ends.shape, -np.inf)
    gains[row, feature, move] = margins[row] - target.margins(alone, which[row], sign)
    best = np.take_along_axis(ends, gains.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    gain = gains.max(axis=2)

    rank = ranks(-gain)
    counts = np.minimum((gain > 0).sum(axis=1), np.where(room > 0, room, points.shape[1]))
    sizes = prefixes(counts)
    row, column = np.nonzero(sizes > 0)
    tried = np.where(rank[row] < sizes[row, column][:, None], best[row], points[row])
    together = np.full(sizes.shape, np.inf)
    together[row, column] = target.margins(tried, which[row], sign)
    crossed = together < goals[:, None]
    chosen = np.where(crossed.any(axis=1), crossed.argmax(axis=1), together.argmin(axis=1))
    everyone = np.arange(len(points))
    new = np.where(rank < sizes[everyone, chosen][:, None], best, points)
    return new, together[everyone, chosen]
