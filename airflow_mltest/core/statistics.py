"""
How far a measured number may be from the true one, and when two differ beyond luck.

Throughout, *confidence* is that of each end of an interval on its own (0.95: in 5 of 100 samples
the true value lies beyond that end), since a bound is compared with one end only. Both ends
together cover `2 * confidence - 1` (0.9), and that is what `Interval.confidence` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Measurement, Outcome

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """
    Where a true value lies.

    Args:
        low: Lower end; -inf when the data bound it nowhere.
        high: Upper end; inf when the data bound it nowhere.
        confidence: Coverage of both ends together, a share (0.9).
    """

    low: float
    high: float
    confidence: float

    @classmethod
    def between(cls, low: float, high: float, confidence: float) -> Interval:
        """Make the interval of which each end holds with *confidence* on its own."""
        return cls(low=float(low), high=float(high), confidence=round(2 * confidence - 1, 12))


def verdict(interval: Interval, *, minimum: float | None = None, maximum: float | None = None) -> Outcome:
    """
    Judge a true value by the interval that holds it.

    Returns:
        Passed when the whole interval is on the right side of each bound, failed when the whole
        of it is on the wrong side of one, inconclusive otherwise. NaN never passes.

    Raises:
        ConfigurationError: There is no bound to judge by.
    """
    if minimum is None and maximum is None:
        msg = "There is nothing to judge by: give a minimum, a maximum or both."
        raise ConfigurationError(msg)
    least = -math.inf if minimum is None else minimum
    most = math.inf if maximum is None else maximum
    # NaN is neither above nor below anything, and so stays inconclusive.
    if interval.low >= least and interval.high <= most:
        return Outcome.PASSED
    if interval.high < least or interval.low > most:
        return Outcome.FAILED
    return Outcome.INCONCLUSIVE


def rows_needed(
    value: float, interval: Interval, rows: int, *, minimum: float | None = None, maximum: float | None = None
) -> int | None:
    """
    Say about how many rows would decide, if the measured value stays what it is.

    An interval's width shrinks like 1 / sqrt(rows), so an end that must come `k` times closer to
    *value* needs `k**2` times the rows.

    Returns:
        Rows, rounded up to two digits; None when *value* is on the bound, or the interval infinite.
    """
    factor = 1.0
    for bound in (minimum, maximum):
        if bound is not None and not (interval.low >= bound or interval.high <= bound):
            reach = value - interval.low if value > bound else interval.high - value
            gap = abs(value - bound)
            factor = max(factor, reach / gap if gap else math.inf)
    if not math.isfinite(factor):
        return None
    needed = round(rows * factor**2)
    unit: int = 10 ** max(0, len(str(needed)) - 2)
    return -(-needed // unit) * unit


def would_decide(needed: int | None, what: str = "rows") -> str:
    """Say what `rows_needed` gave, as the end of a sentence."""
    return f"; about {needed} {what} would decide" if needed else f"; no number of {what} can be told"


def measured(
    name: str, value: float, interval: Interval, *, minimum: float | None = None, maximum: float | None = None
) -> Measurement:
    """Write a number, the interval of the true one, and its bounds as a measurement; an infinite end is left out."""
    low, high = (end if math.isfinite(end) else None for end in (interval.low, interval.high))
    return Measurement(
        name=name,
        value=value,
        low=low,
        high=high,
        minimum=minimum,
        maximum=maximum,
        confidence=interval.confidence,
    )


def delong(target: ArrayLike, *scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """
    Give the areas under the ROC curves of several models on the same rows, and how they vary.

    Args:
        target: True where a row is positive, shape (n,).
        scores: One array a model, shape (n,); greater means more likely positive.

    Returns:
        The areas, shape (models,), and their covariance, shape (models, models); NaN with one row of a class.

    Raises:
        ConfigurationError: All rows are of one class.

    Source:
        E. R. DeLong et al. (1988), Biometrics 44(3), 837-845, doi:10.2307/2531595, by the
        O(n log n) midranks of X. Sun and W. Xu (2014), IEEE SPL 21(11), doi:10.1109/LSP.2014.2337313.
    """
    positive = np.asarray(target, dtype=bool)
    table = np.asarray(scores, dtype=float)
    hits, misses = table[:, positive], table[:, ~positive]
    m, n = hits.shape[1], misses.shape[1]
    if not m or not n:
        msg = f"The area under the ROC curve needs rows of both classes: {m} are positive, {n} are negative."
        raise ConfigurationError(msg)
    ranks = _midranks(np.concatenate([hits, misses], axis=1))
    of_hits = (ranks[:, :m] - _midranks(hits)) / n
    of_misses = 1 - (ranks[:, m:] - _midranks(misses)) / m
    return of_hits.mean(axis=1), _covariance(of_hits) / m + _covariance(of_misses) / n


def auc_influence(target: ArrayLike, score: ArrayLike) -> tuple[float, np.ndarray]:
    """
    Give an area under a ROC curve, and how much each row moves it: the squares add up to its variance.

    Args:
        target: True where a row is positive, shape (n,); both classes are there.
        score: Greater means more likely positive, shape (n,).

    Returns:
        The area, and the influence of each row, shape (n,); sums and differences of areas that share rows
        have the sums and differences of these. See `delong`.
    """
    positive = np.asarray(target, dtype=bool)
    table = np.asarray(score, dtype=float)[None]
    m, n = int(positive.sum()), int((~positive).sum())
    ranks, share = _midranks(table)[0], np.empty(len(positive))
    share[positive] = (ranks[positive] - _midranks(table[:, positive])[0]) / n
    share[~positive] = 1 - (ranks[~positive] - _midranks(table[:, ~positive])[0]) / m
    area = float(share[positive].mean())
    return area, (share - area) / np.where(positive, m, n)


def auc_interval(auc: float, variance: float, positives: int, negatives: int, confidence: float = 0.95) -> Interval:
    """
    Bound the true area under the ROC curve by what DeLong's method says of it.

    The wider of two: DeLong's on the logit scale, which stays between 0 and 1; and Newcombe's score
    interval, which knows that a perfect ranking of few rows may be luck, where DeLong's variance is 0.

    Source:
        R. G. Newcombe (2006), Statistics in Medicine 25(4), 559-573, method 5, doi:10.1002/sim.2324.
    """
    z = NormalDist().inv_cdf(confidence)
    low, high = _score_ends(auc, positives, negatives, z)
    if 0 < auc < 1 and variance > 0:
        logit = math.log(auc / (1 - auc))
        spread = z * math.sqrt(variance) / (auc * (1 - auc))
        low = min(low, 1 / (1 + math.exp(spread - logit)))
        high = max(high, 1 / (1 + math.exp(-spread - logit)))
    return Interval.between(low, high, confidence)


def percentile_interval(values: ArrayLike, share: float, confidence: float = 0.95) -> Interval:
    """
    Bound a percentile by two of the measured values, whatever their distribution.

    Args:
        values: Independent measurements, shape (n,).
        share: Which percentile, a share (0.95 for p95).
        confidence: Of each end, a share.

    Returns:
        Two order statistics. An end is infinite when too few values bound it; see `calls_needed`.

    Source:
        The number of values below the percentile is binomial. H. A. David and H. N. Nagaraja,
        Order Statistics, 3rd ed. (2003), section 7.1.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    below = _binomial_cdf(len(ordered), share)
    # below[k] is how sure the value of rank k (0 is the least) is not below the percentile.
    enough = np.flatnonzero(below[:-1] >= confidence)
    high = ordered[enough[0]] if enough.size else math.inf
    enough = np.flatnonzero(1 - below[:-1] >= confidence)
    low = ordered[enough[-1]] if enough.size else -math.inf
    return Interval.between(low, high, confidence)


def calls_needed(share: float, confidence: float = 0.95) -> int:
    """Count the values below which no percentile can be bounded from above: 59 for p95 at 95 %."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def _midranks(table: np.ndarray) -> np.ndarray:
    """Rank each row of *table* from 1, ties sharing the mean of their ranks."""
    ranks = np.empty_like(table)
    for row, into in zip(table, ranks, strict=True):
        _, which, ties = np.unique(row, return_inverse=True, return_counts=True)
        into[:] = (np.cumsum(ties) - (ties - 1) / 2)[which]
    return ranks


def _covariance(values: np.ndarray) -> np.ndarray:
    rows = values.shape[1]
    if rows == 1:
        return np.full((len(values), len(values)), math.nan)
    centred = values - values.mean(axis=1, keepdims=True)
    covariance: np.ndarray = centred @ centred.T / (rows - 1)
    return covariance


def _score_ends(auc: float, positives: int, negatives: int, z: float) -> tuple[float, float]:
    """Find the true areas from which *auc* is z standard errors away, by bisection."""
    more = (positives + negatives) / 2 - 1

    def away(true: float) -> float:
        inflation = 1 + more * ((1 - true) / (2 - true) + true / (1 + true))
        return abs(auc - true) - z * math.sqrt(true * (1 - true) * inflation / (positives * negatives))

    def end(outside: float) -> float:
        inside = auc
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if away(middle) > 0 else (middle, outside)
        return inside

    return end(0.0), end(1.0)


def _binomial_cdf(trials: int, share: float) -> np.ndarray:
    """Give the chances of at most 0, 1, ..., *trials* successes, shape (trials + 1,)."""
    successes = np.arange(trials + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])
    chances = factorials[-1] - factorials - factorials[::-1]
    chances = chances + successes * math.log(share) + (trials - successes) * math.log1p(-share)
    below: np.ndarray = np.minimum(np.cumsum(np.exp(chances)), 1.0)
    return below
