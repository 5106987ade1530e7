"""How far a metric may be from the true one, by what it is on rows drawn again and again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.core.statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Callable


def bootstrap(  # noqa: PLR0913 - what is drawn, how often and by which luck
    metric: Callable[[np.ndarray], float],
    rows: int,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 500,
    most_rows: int = 20_000,
) -> Interval:
    """
    Bound a metric by what it is on rows drawn again and again, with replacement.

    Args:
        metric: Takes row numbers, shape (k,), and gives the metric of those rows. A difference of
            two models is such a metric, too: it takes the same rows from both, so it is paired.
        rows: How many there are.
        rng: The luck.
        confidence: Of each end, a share.
        resamples: How often to draw.
        most_rows: Draw at most so many at a time; the spread is then scaled to *rows*.

    Returns:
        The percentile interval. Draws in which the metric is NaN are left out.
    """
    size = min(rows, most_rows)
    draws = np.array([metric(rng.integers(rows, size=size)) for _ in range(resamples)])
    if size < rows:
        centre = metric(np.arange(rows))
        draws = centre + (draws - centre) * math.sqrt(size / rows)
    return percentiles(draws, confidence)


def bootstrap_cells(  # noqa: PLR0913 - as above, and what is imagined besides
    metric: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 10_000,
    unseen: np.ndarray | None = None,
) -> Interval:
    """
    Bound a metric that depends on the counts of a table only, such as a confusion matrix.

    Drawing n rows again is drawing their cells from a multinomial: the distribution is exactly
    that of `bootstrap`, at a cost that does not depend on n.

    Args:
        metric: Takes resampled tables, shape (resamples, *shape), and gives (resamples,) metrics.
        counts: The rows in each cell, any shape. Two models on the same rows are a table with an
            axis for the truth and one for each model: drawn whole, it is paired.
        rng: The luck.
        confidence: Of each end, a share.
        resamples: How often to draw.
        unseen: Rows to imagine in each cell, shape of *counts*. A bootstrap never draws an error that
            was not seen, so three of three would be 100 % for sure. With *unseen* the interval is
            widened to hold also that of a Dirichlet distribution with counts + unseen.

    Returns:
        The percentile interval.
    """
    seen = percentiles(metric(drawn_cells(counts, rng, resamples)), confidence)
    if unseen is None:
        return seen
    # Not normalised to a Dirichlet draw: a metric of shares does not change with the total.
    shapes = (counts + unseen)[..., None]
    wide = percentiles(metric(_last_first(rng.standard_gamma(shapes, size=(*counts.shape, resamples)))), confidence)
    return Interval.between(min(seen.low, wide.low), max(seen.high, wide.high), confidence)


def drawn_cells(counts: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """Draw the rows of a table of *counts* again, with replacement; shape (resamples, *counts.shape)."""
    rows = int(counts.sum())
    drawn = rng.multinomial(rows, counts.ravel() / rows, size=resamples)
    return _last_first(drawn.T.astype(float, order="C").reshape(*counts.shape, resamples))


def shrinkage(draws: Callable[[float], np.ndarray], seen: float, confidence: float) -> tuple[float, float, float]:
    """
    Find the factors by which true distances may differ from those that were seen.

    A sum of distances, or the greatest of them, is above 0 by luck alone, and a bootstrap doubles that
    luck. So the test is inverted instead: a factor is possible when distances that are so many times
    those seen, with new luck on top, would show what was seen.

    Args:
        draws: Takes a factor, and gives what is seen when the true distances are *factor* times the
            seen ones, shape (resamples,); the same luck each time, and more with a greater factor.
        seen: What was seen.
        confidence: Of each end, a share.

    Returns:
        The least factor, the one for which *seen* is the median, and the greatest; 0 where no distance
        at all explains it.
    """

    def factor_at(chance: float) -> float:
        """Find the greatest factor with which no more than is seen is seen with *chance*."""

        def possible(factor: float) -> bool:
            return float((draws(factor) <= seen).mean()) >= chance

        inside, outside = 0.0, 1.0
        if not possible(inside):
            return 0.0
        while possible(outside) and outside < 1e6:  # noqa: PLR2004  nothing was seen at all
            inside, outside = outside, 2 * outside
        for _ in range(24):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if possible(middle) else (inside, middle)
        return inside

    return factor_at(confidence), factor_at(0.5), factor_at(1 - confidence)


def percentiles(draws: np.ndarray, confidence: float) -> Interval:
    """Give the ends that *confidence* of the draws, shape (n,), do not lie beyond; NaN are left out."""
    known = draws[~np.isnan(draws)]
    low, high = np.quantile(known, [1 - confidence, confidence]) if known.size else (-math.inf, math.inf)
    return Interval.between(low, high, confidence)


def _last_first(draws: np.ndarray) -> np.ndarray:
    # A view: a cell's draws stay beside each other in memory, or a metric of a few cells takes ten times as long.
    return np.moveaxis(draws, -1, 0)
