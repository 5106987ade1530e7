"""Where is the loss greatest? Every range of one feature, and every rectangle of two, at once."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.segment_axes import Axis, Constant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Two segments that share more of the smaller one than this are one.
_SAME = 0.5
_ROUNDS = 3
# An end that lifts the log likelihood by less than this is not worth its words: choosing one of 20 bins lifts it, too.
_LIKELIHOOD_OF_AN_END = math.log(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """
    Rows that one or two features tell apart from the rest.

    Args:
        words: What is true of them: "12.3 <= age < 40 and country in {de, nl}".
        rows: Which they are, shape (n,), boolean.
        surplus: By how much their loss stands out among all segments that were looked at: log
            likelihood over that of equal losses, less the logarithm of their number; above 0 is rare by luck.
    """

    words: str
    rows: np.ndarray
    surplus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rectangle:
    """A first guess, on whole bins."""

    surplus: float
    axes: tuple[Axis, Axis]
    sides: tuple[tuple[int, int], tuple[int, int]]


def find_segments(  # noqa: PLR0913  what is looked at, and how far
    axes: Sequence[Axis],
    losses: np.ndarray,
    searched: np.ndarray,
    *,
    min_rows: int,
    most: int = 5,
    deadline_s: float = math.inf,
) -> tuple[list[Segment], bool]:
    """
    Find the segments in which losses are greater than in the other rows by the most standard errors.

    Sums over all rectangles of bins are two products with a matrix of ranges; the edges of the best
    are then moved to the best place between two rows.

    Args:
        axes: The features.
        losses: Of each row, shape (n,); greater is worse.
        searched: The rows to look at, shape (n,), boolean; what is found is to be tested on the others.
        min_rows: The fewest of them in a segment; the most is half of them.
        most: How many segments to give.
        deadline_s: When to stop, on the clock of `time.perf_counter`.

    Returns:
        Segments, the worst first, none of them mostly within another; and whether all were looked at.
    """
    excess = losses[searched] - losses[searched].mean()
    deviation = float(excess.std())
    if not deviation > 0:
        return [], True
    excess = excess / deviation
    guesses, complete = _until(deadline_s, _rectangles(axes, excess, searched, min_rows))
    found: list[Segment] = []
    for guess in sorted(guesses, key=lambda guess: -guess.surplus):
        if len(found) == most:
            break
        if all(_apart(_held(guess), segment.rows) for segment in found):
            segment = _refined(guess, excess, searched, min_rows)
            found += [segment] if all(_apart(segment.rows, other.rows) for other in found) else []
    return sorted(found, key=lambda segment: -segment.surplus), complete


def _until(deadline_s: float, rectangles: Iterator[_Rectangle]) -> tuple[list[_Rectangle], bool]:
    """Take rectangles as long as there is time; say whether these are all."""
    taken = []
    for rectangle in rectangles:
        taken.append(rectangle)
        if time.perf_counter() > deadline_s:
            return taken, False
    return taken, True


def _rectangles(axes: Sequence[Axis], excess: np.ndarray, searched: np.ndarray, min_rows: int) -> Iterator[_Rectangle]:
    """Give the best rectangle of each feature and of each pair of two."""
    codes = [axis.codes[searched] for axis in axes]
    ranges = [len(_ranges(axis.bins)) for axis in axes]
    alone = math.log(max(sum(ranges), 1))
    both = math.log(max((sum(ranges) ** 2 - sum(count**2 for count in ranges)) / 2, 1))
    constant = Constant()
    for place, axis in enumerate(axes):
        best = _best((codes[place], np.zeros(len(excess), dtype=np.intp)), (axis.bins, 1), excess, min_rows)
        if best:
            yield _Rectangle(surplus=best[0] ** 2 / 2 - alone, axes=(axis, constant), sides=best[1])
    for one, other in itertools.combinations(range(len(axes)), 2):
        bins = (axes[one].bins, axes[other].bins)
        best = _best((codes[one], codes[other]), bins, excess, min_rows)
        if best:
            yield _Rectangle(surplus=best[0] ** 2 / 2 - both, axes=(axes[one], axes[other]), sides=best[1])


def _best(
    codes: tuple[np.ndarray, np.ndarray], bins: tuple[int, int], excess: np.ndarray, min_rows: int
) -> tuple[float, tuple[tuple[int, int], tuple[int, int]]] | None:
    """Find the rectangle whose mean excess is most standard errors above 0; None if all are too small."""
    cell = codes[0] * bins[1] + codes[1]
    size = bins[0] * bins[1]
    rows = _summed(np.bincount(cell, minlength=size), bins)
    score = _summed(np.bincount(cell, weights=excess, minlength=size), bins)
    everything = np.float32(len(excess))
    variance = rows * (everything - rows)
    np.putmask(variance, (rows < min_rows) | (rows > everything / 2), np.inf)
    # The square of z with the sign of z, in place: memory is what this costs.
    score *= np.abs(score)
    score /= variance
    where = np.unravel_index(int(score.argmax()), score.shape)
    if not score[where] > 0:
        return None
    first, second = (_ranges(count)[at] for count, at in zip(bins, where, strict=True))
    z = math.sqrt(len(excess) * float(score[where]))
    return z, ((int(first[0]), int(first[1])), (int(second[0]), int(second[1])))


def _summed(table: np.ndarray, bins: tuple[int, int]) -> np.ndarray:
    """Sum a table, shape (bins * bins,), over all rectangles, shape (ranges, ranges)."""
    cells = table.astype(np.float32).reshape(bins)
    summed: np.ndarray = _indicator(bins[0]) @ cells @ _indicator(bins[1]).T
    return summed


@cache
def _ranges(bins: int) -> np.ndarray:
    """List the first and last bin of each range, shape (ranges, 2)."""
    return np.array([(first, last) for first in range(bins) for last in range(first, bins)])


@cache
def _indicator(bins: int) -> np.ndarray:
    """Say which bins each range holds, shape (ranges, bins)."""
    ranges, bin_ = _ranges(bins), np.arange(bins)
    return np.asarray((bin_ >= ranges[:, :1]) & (bin_ <= ranges[:, 1:]), dtype=np.float32)


def _held(guess: _Rectangle) -> np.ndarray:
    held = [
        (axis.codes >= first) & (axis.codes <= last)
        for axis, (first, last) in zip(guess.axes, guess.sides, strict=True)
    ]
    return np.asarray(held[0] & held[1])


def _refined(guess: _Rectangle, excess: np.ndarray, searched: np.ndarray, min_rows: int) -> Segment:
    """Move each side to where the segment stands out most, the other held; then leave out ends that add little."""
    axes = guess.axes
    sides = [axis.side(*bins) for axis, bins in zip(axes, guess.sides, strict=True)]
    held = [axis.holds(side) for axis, side in zip(axes, sides, strict=True)]
    z = _z(held[0] & held[1], excess, searched, min_rows)

    def take(place: int, side: Any, least: float) -> None:
        nonlocal z
        moved = axes[place].holds(side)
        found = _z(moved & held[1 - place], excess, searched, min_rows)
        if found > least:
            z, sides[place], held[place] = found, side, moved

    for place in [0, 1] * _ROUNDS:
        inside = (held[0] & held[1])[searched]
        # A row earns its place when it lifts the sum by more than it lifts the standard error:
        # dz / z = d(sum) / sum - d(rows) / (2 rows).
        gains = excess - excess[inside].sum() / (2 * inside.sum())
        within = held[1 - place] & searched
        take(place, axes[place].best(within, gains[within[searched]]), z)
    for place in (0, 1):
        for side in axes[place].wider(sides[place]):
            take(place, side, math.sqrt(max(z**2 - 2 * _LIKELIHOOD_OF_AN_END, 0.0)))
    words = [axis.words(side) for axis, side in zip(axes, sides, strict=True)]
    return Segment(words=" and ".join(filter(None, words)), rows=held[0] & held[1], surplus=guess.surplus)


def _z(held: np.ndarray, excess: np.ndarray, searched: np.ndarray, min_rows: int) -> float:
    inside = held[searched]
    rows, everything = int(inside.sum()), len(excess)
    if not min_rows <= rows <= everything / 2:
        return -math.inf
    return float(excess[inside].sum() / math.sqrt(rows * (1 - rows / everything)))


def _apart(one: np.ndarray, other: np.ndarray) -> bool:
    return int((one & other).sum()) <= _SAME * min(int(one.sum()), int(other.sum()))
