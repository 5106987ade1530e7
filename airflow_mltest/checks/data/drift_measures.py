"""How far apart two samples' distributions are, and how far they may truly be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.core.statistics import Interval

if TYPE_CHECKING:
    from airflow_mltest.checks.data.steps import Steps

Method = Literal["ks", "psi", "jensen_shannon", "chi_squared", "wasserstein"]

# A central limit of fewer rows than this says little more than those rows do.
_FEWEST_ROWS = 20
# Beyond it the noncentral chi-squared distribution is normal to three digits, and SciPy's series are long.
_LARGE = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """
    How far apart two distributions are.

    Args:
        value: The estimate, 0 or more.
        interval: Where the true distance lies.
        chance: Of a distance like this, or a greater one, when the true one is at most what is allowed
            (the p-value of a test of that).
    """

    value: float
    interval: Interval
    chance: float


def kolmogorov_smirnov(steps: Steps, maximum: float, confidence: float) -> Shift:
    """
    Measure the greatest gap between two cumulative distributions, a share: so many rows moved at least.

    The low end allows for that the greatest gap was chosen among all, the high end looks at the place
    of the true one alone. Both hold for whatever distribution; with ties they are on the safe side.

    Source:
        N. Smirnov (1948), Annals of Mathematical Statistics 19(2), 279-281, doi:10.1214/aoms/1177730256.
    """
    from scipy.special import kolmogi, kolmogorov

    value = float(np.abs(steps.gaps).max())
    spread = math.sqrt(1 / steps.rows[0] + 1 / steps.rows[1])
    low = value - float(kolmogi(1 - confidence)) * spread
    high = value + NormalDist().inv_cdf(confidence) * spread / 2 + steps.resolution
    chance = float(kolmogorov(max(value - maximum, 0.0) / spread))
    return Shift(value=value, interval=Interval.between(max(low, 0.0), min(high, 1.0), confidence), chance=chance)


def wasserstein(steps: Steps, maximum: float, confidence: float) -> Shift:
    """
    Measure how far the mean row has moved, in standard deviations of the reference.

    Luck alone moves rows, too. For a Gaussian process its mean is known in closed form, and beyond it
    its tail is at most that of the widest of its linear functionals: both are taken off the low end.

    Source:
        W. Kwapien (1994), Probability in Banach Spaces 9, 373-377, for the mean above the median;
        C. Borell (1975), Inventiones Mathematicae 30, 207-216, doi:10.1007/BF01425510, for the tail.
    """
    one, other = steps.rows
    if not math.isfinite(steps.scale):
        return Shift(value=math.nan, interval=Interval.between(0.0, math.inf, confidence), chance=1.0)
    value = steps.distance() / steps.scale
    if min(one, other) < _FEWEST_ROWS:
        return Shift(value=value, interval=Interval.between(0.0, math.inf, confidence), chance=1.0)
    tail = math.sqrt(steps.deviations[0] ** 2 / one + steps.deviations[1] ** 2 / other) / steps.scale
    luck = math.sqrt(2 / math.pi) * steps.noise() / steps.scale
    z = NormalDist().inv_cdf(confidence)
    beyond = value - maximum - luck
    chance = NormalDist().cdf(-beyond / tail) if tail else float(beyond <= 0)
    interval = Interval.between(max(value - luck - z * tail, 0.0), value + z * tail, confidence)
    return Shift(value=value, interval=interval, chance=chance)


def divergence(method: Method, reference: np.ndarray, current: np.ndarray, maximum: float, confidence: float) -> Shift:
    """
    Measure how differently rows spread over cells: PSI, Jensen-Shannon distance, or Cramér's V.

    All three are, for distributions that are close, a chi-squared statistic over what grows with the
    rows. So the statistic's distribution is noncentral chi-squared, and its noncentrality is bounded by
    inverting that. Where the distributions are far apart and the statistic varies more than that (by the
    delta method), it counts as if there were fewer rows. The luck that many cells have is taken off the
    estimate, so that it is 0 for two samples of one distribution, on average.

    Args:
        method: `psi` is the population stability index (its unit is nats); `jensen_shannon` the distance
            with logarithms to base 2, from 0 to 1; `chi_squared` Cramér's V as it is for two samples of
            the same size, from 0 to 1.
        reference: Rows in each cell, shape (k,); no cell is empty in both.
        current: Likewise.
        maximum: The most that is allowed, in the method's unit.
        confidence: Of each end, a share.

    Source:
        K. Pearson (1900), doi:10.1080/14786440009463897; J. Lin (1991), IEEE Trans. Inf. Theory 37(1),
        145-151, doi:10.1109/18.61115; for inverting noncentrality J. H. Steiger and R. T. Fouladi (1997),
        in What If There Were No Significance Tests?, 221-257.
    """
    rows, others = int(reference.sum()), int(current.sum())
    free = len(reference) - 1
    raw, variance = _divergence(method, reference, current)
    full = _LOCAL[method] * rows * others / (rows + others)
    scale = min(full, 4 * raw / variance) if variance > 0 and raw > 0 else full
    value = max(raw - free / full, 0.0) if free else 0.0
    seen = max(scale * (raw - free / full) + free, 0.0)
    if not free:
        return _constant(method, rows, others, confidence)
    low, high = (end / scale for end in _noncentrality(seen, free, confidence))
    root = method != "psi"
    allowed = scale * (maximum**2 if root else maximum)
    ends = (math.sqrt(low), math.sqrt(high)) if root else (low, high)
    most = 1.0 if root else math.inf
    return Shift(
        value=math.sqrt(value) if root else value,
        interval=Interval.between(min(ends[0], most), min(ends[1], most), confidence),
        chance=_exceeds(seen, free, allowed),
    )


def share_gap(hits: tuple[int, int], rows: tuple[int, int], maximum: float, confidence: float) -> Shift:
    """
    Measure how far two shares of independent rows are apart, such as those of missing values.

    Source:
        A. Agresti and B. Caffo (2000), The American Statistician 54(4), 280-288, doi:10.1080/00031305.2000.10474560.
    """
    z = NormalDist().inv_cdf(confidence)
    one, other = ((hit + 1) / (many + 2) for hit, many in zip(hits, rows, strict=True))
    deviation = math.sqrt(one * (1 - one) / (rows[0] + 2) + other * (1 - other) / (rows[1] + 2))
    value, gap = abs(hits[0] / rows[0] - hits[1] / rows[1]), abs(one - other)
    low, high = max(gap - z * deviation, 0.0), max(gap + z * deviation, value)
    chance = NormalDist().cdf((maximum - gap) / deviation)
    return Shift(value=value, interval=Interval.between(low, min(high, 1.0), confidence), chance=chance)


# What a squared distance is multiplied with, beside n * m / (n + m), to be chi-squared.
_LOCAL = {"psi": 1.0, "jensen_shannon": 8 * math.log(2), "chi_squared": 4.0}


def _divergence(method: Method, reference: np.ndarray, current: np.ndarray) -> tuple[float, float]:
    """Give the squared distance (PSI: itself), and its variance by the delta method."""
    # An empty cell would make the index infinite: half a row in each, as Krichevsky and Trofimov.
    some = 0.5 if method == "psi" else 0.0
    p, q = ((counts + some) / (counts + some).sum() for counts in (reference, current))
    middle, gap = (p + q) / 2, p - q
    if method == "chi_squared":
        value = float((gap**2 / (4 * middle)).sum())
        slopes = gap * (p + 3 * q) / (8 * middle**2), -gap * (q + 3 * p) / (8 * middle**2)
    elif method == "psi":
        logs = np.log(p / q)
        value = float((gap * logs).sum())
        slopes = logs + gap / p, -logs - gap / q
    else:
        # 0 log 0 is 0.
        logs, others = (np.log2(np.where(share > 0, share, middle) / middle) for share in (p, q))
        value = float((p * logs + q * others).sum() / 2)
        slopes = logs / 2, others / 2
    variance = sum(
        float((share * slope**2).sum() - (share * slope).sum() ** 2) / counts.sum()
        for share, slope, counts in zip((p, q), slopes, (reference, current), strict=True)
    )
    return max(value, 0.0), max(float(variance), 0.0)


def _constant(method: Method, rows: int, others: int, confidence: float) -> Shift:
    """Bound the distance where all rows are alike: by how often another value may be that was never seen."""
    fewest = min(rows, others)
    unseen = 1 - (1 - confidence) ** (1 / fewest)
    far, _ = _divergence(method, np.array([fewest, 0.0]), np.array([1 - unseen, unseen]) * fewest)
    high = far if method == "psi" else math.sqrt(far)
    return Shift(value=0.0, interval=Interval.between(0.0, high, confidence), chance=1.0)


def _noncentrality(seen: float, free: int, confidence: float) -> tuple[float, float]:
    """
    Find the noncentralities with which *seen* is at a tail of the chi-squared distribution.

    The upper one is at least what it is where nothing was seen but the usual luck: less luck than usual proves nothing.
    """
    from scipy.special import chdtrc, chndtrinc

    if seen + free > _LARGE:
        z = NormalDist().inv_cdf(confidence)
        middle = seen - free + 2 * z**2
        reach = z * math.sqrt(max(4 * (seen - free) + 4 * z**2 + 2 * free, 0.0))
        return max(middle - reach, 0.0), max(middle + reach, 0.0)
    low = float(chndtrinc(seen, free, confidence)) if chdtrc(free, seen) < 1 - confidence else 0.0
    return low, float(chndtrinc(max(seen, free), free, 1 - confidence))


def _exceeds(seen: float, free: int, noncentrality: float) -> float:
    """Give the chance of *seen* or more."""
    from scipy.special import chdtrc, chndtr

    if not noncentrality:
        return float(chdtrc(free, seen))
    if max(seen, noncentrality) + free > _LARGE:
        deviation = math.sqrt(2 * (free + 2 * noncentrality))
        return NormalDist().cdf(-(seen - free - noncentrality) / deviation)
    return max(1.0 - float(chndtr(seen, free, noncentrality)), 0.0)
