"""Make adversaries smaller: nearer to the original, and of fewer features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.attacks.space import difference

if TYPE_CHECKING:
    from airflow_mltest.attacks.target import Target

Norm = Literal["l2", "linf"]
# Points that are tried at once between two ends: 3 cut the gap by 4 in one call of the model.
_CUTS = np.array([0.25, 0.5, 0.75])
# Of many prefixes, some: a full scan would ask about a point for each feature.
_ALL_UP_TO = 6


def size(moves: np.ndarray, norm: Norm) -> np.ndarray:
    """Give the length of moves in scaled units, shape (..., d) to (...)."""
    if norm == "linf":
        largest: np.ndarray = moves.max(axis=-1, initial=0.0)
        return largest
    length: np.ndarray = np.sqrt(np.square(moves).sum(axis=-1))
    return length


def nearer(target: Target, points: np.ndarray, which: np.ndarray, *, norm: Norm, rounds: int = 4) -> np.ndarray:
    """
    Search between each adversary and its original for the nearest one that still is one.

    For the Euclidean norm on the straight line; for the maximum norm in shrinking boxes around the
    original. Categories stay.

    Args:
        target: The model.
        points: Adversaries, shape (m, d).
        which: The original of each, shape (m,).
        norm: By what nearness is measured.
        rounds: Each cuts the gap between the two by four.

    Returns:
        Adversaries, shape (m, d).
    """
    space, origin = target.space, target.origin[which]
    number = space.number & np.isfinite(origin)
    away = np.where(number, difference(points, origin), 0.0)
    reach = size(np.abs(away) / space.scale, norm)[:, None, None] * space.scale
    least, most = np.minimum(points, origin)[:, None, :], np.maximum(points, origin)[:, None, :]
    low, high = np.zeros(len(points)), np.ones(len(points))
    best = points.copy()
    for _ in range(rounds):
        cuts = low[:, None] + (high - low)[:, None] * _CUTS
        if norm == "linf":
            moved = np.clip(away[:, None, :], -cuts[:, :, None] * reach, cuts[:, :, None] * reach)
        else:
            moved = cuts[:, :, None] * away[:, None, :]
        # The last bit of a sum may be beyond what was allowed.
        tried = np.clip(origin[:, None, :] + moved, least, most)
        tried = np.where(number[:, None, :], tried, points[:, None, :])
        tried, flipped = flips_each(target, space.snap(tried, origin[:, None, :]), which)
        some, first = np.flatnonzero(flipped.any(axis=1)), flipped.argmax(axis=1)
        ends = np.column_stack([low, cuts, high])
        at = np.full(len(points), len(_CUTS))
        at[some] = first[some]
        everyone = np.arange(len(points))
        low, high = ends[everyone, at], ends[everyone, at + 1]
        best[some] = tried[some, first[some]]
    return best


def fewer(target: Target, points: np.ndarray, which: np.ndarray) -> np.ndarray:
    """
    Give features their original values back, as many as an adversary can do without.

    First each alone, all features of all adversaries at once; then those that can be missed alone together,
    the smallest moves first, as many as go.

    Returns:
        Adversaries, shape (m, d), none of them with a feature moved that was not.
    """
    best = points.copy()
    for part in target.groups(len(points), points.shape[1]):
        best[part] = _fewer(target, points[part], which[part])
    return best


def _fewer(target: Target, points: np.ndarray, which: np.ndarray) -> np.ndarray:
    origin = target.origin[which]
    moves = target.space.moves(points, origin)
    row, feature = np.nonzero(moves > 0)
    alone = points[row]
    alone[np.arange(len(row)), feature] = origin[row, feature]
    spare = np.zeros(moves.shape, dtype=bool)
    spare[row, feature] = target.flips(alone, which[row])
    rank = ranks(np.where(spare, moves, np.inf))
    sizes = prefixes(spare.sum(axis=1))
    row, column = np.nonzero(sizes > 0)
    tried = np.where(rank[row] < sizes[row, column][:, None], origin[row], points[row])
    kept = points.copy()
    # Ascending in length within a row, so that of several that go the longest is written last.
    longest = np.flatnonzero(target.flips(tried, which[row]))
    kept[row[longest]] = tried[longest]
    return kept


def ranks(table: np.ndarray) -> np.ndarray:
    """Give each entry's place in its row, least first, equal ones from left to right; shape as *table*."""
    order = np.argsort(table, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(table.shape[1])[None, :], axis=1)
    return places


def prefixes(counts: np.ndarray) -> np.ndarray:
    """
    Choose lengths of prefixes to try: all short ones, and longer ones ever farther apart, up to the whole.

    Args:
        counts: How many there are of each row, shape (m,).

    Returns:
        Shape (m, k), 0 where nothing is to be tried. A row's lengths depend on its own count only.
    """
    most = int(counts.max(initial=0))
    steps = list(range(1, _ALL_UP_TO + 1))
    while steps[-1] < most:
        steps.append(steps[-1] * 4 // 3)
    sizes = np.array(steps)
    # The whole stands in the first place that is as long.
    cut = np.minimum(sizes, counts[:, None])
    repeated = np.column_stack([np.zeros(len(counts), dtype=bool), cut[:, 1:] == cut[:, :-1]])
    return np.where(repeated, 0, cut)


def flips_each(target: Target, points: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ask about several points of each original, shape (m, k, d); gives them, and which are adversaries, (m, k)."""
    rows, several, features = points.shape
    flipped = target.flips(points.reshape(-1, features), np.repeat(which, several))
    return points, flipped.reshape(rows, several)
