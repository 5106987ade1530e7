"""Two samples of numbers as two cumulative distributions on common places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Places are so many quantiles of each sample, and so many of its outermost values: tails may be long.
_QUANTILES = 8192
_ENDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """
    How many rows of two samples lie below each of some places.

    Args:
        at: The places, ascending, shape (2k,): each value is there twice, before and after the rows on it.
        below: Rows of the reference, and of the current sample, below each, two arrays of shape (2k,).
        rows: How many rows each has.
        deviations: The standard deviation of each.
        scale: What distances are divided by: the reference's deviation, or where it is constant that of both;
            infinite or NaN where numbers are too great for one.
        resolution: The greatest gap is at most so much greater than at the places; 0 where every value is one.
    """

    at: np.ndarray
    below: tuple[np.ndarray, np.ndarray]
    rows: tuple[int, int]
    deviations: tuple[float, float]
    scale: float
    resolution: float

    @classmethod
    def of(cls, reference: np.ndarray, current: np.ndarray) -> Steps:
        """
        Lay out two samples of finite numbers, shapes (n,) and (m,), each 1 or more.

        Up to 8192 rows each this is exact. Of more rows the places are 8192 quantiles of each, and its
        outermost values: what happens between two of them is less than 1/8192 of the rows.
        """
        ordered = np.sort(reference), np.sort(current)
        strides = [max(1, len(one) // _QUANTILES) for one in ordered]
        places = np.unique(
            np.concatenate(
                [
                    part
                    for one, stride in zip(ordered, strides, strict=True)
                    for part in (one[::stride], one[:_ENDS], one[-_ENDS:])
                ]
            )
        )
        below = [np.searchsorted(one, np.repeat(places, 2), "left") for one in ordered]
        for one, counts in zip(ordered, below, strict=True):
            counts[1::2] = np.searchsorted(one, places, "right")
        skipped = [(stride - 1) / len(one) for one, stride in zip(ordered, strides, strict=True)]
        # Of values near 1e308 there is an order, and no deviation.
        with np.errstate(over="ignore", invalid="ignore"):
            deviations = float(ordered[0].std()), float(ordered[1].std())
        return cls(
            at=np.repeat(places, 2),
            below=(below[0], below[1]),
            rows=(len(reference), len(current)),
            deviations=deviations,
            scale=deviations[0] or _of_both(ordered, deviations),
            resolution=max(skipped),
        )

    @property
    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Which share of each sample is below each place, two arrays of shape (2k,)."""
        return self.below[0] / self.rows[0], self.below[1] / self.rows[1]

    @property
    def gaps(self) -> np.ndarray:
        """How much more of the reference than of the current sample is below each place, shape (2k,)."""
        reference, current = self.shares
        gaps: np.ndarray = reference - current
        return gaps

    def distance(self) -> float:
        """Give the area between both cumulative distributions, in the values' unit (Wasserstein's of order 1)."""
        return float(np.trapezoid(np.abs(self.gaps), self.at))

    def noise(self) -> float:
        """Give the area under the standard error of the gap, in the values' unit."""
        reference, current = self.shares
        variance = reference * (1 - reference) / self.rows[0] + current * (1 - current) / self.rows[1]
        return float(np.trapezoid(np.sqrt(variance), self.at))

    def quantile(self, share: float, *, of: int) -> float:
        """Give the value that *share* of the reference (of=0), or of the current sample (of=1), is at or below."""
        place = int(np.searchsorted(self.below[of], share * self.rows[of]))
        return float(self.at[min(place, len(self.at) - 1)])

    def binned(self, bins: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Count both samples in bins that hold as many rows of the reference each, as far as ties allow.

        A value that many rows share gets a bin of its own: a constant has three, below, on and above it.
        """
        below, rows = self.below[0], self.rows[0]
        places = np.searchsorted(below, np.arange(1, bins) / bins * rows)
        heavy = places[below[places] - below[np.maximum(places - 1, 0)] > rows / (2 * bins)]
        inner = np.union1d(places, heavy - 1)
        counts = [np.diff(one[inner], prepend=0, append=many) for one, many in zip(self.below, self.rows, strict=True)]
        used = (counts[0] + counts[1]) > 0
        return counts[0][used], counts[1][used]


def _of_both(samples: tuple[np.ndarray, np.ndarray], deviations: tuple[float, float]) -> float:
    """Give the deviation of both samples mixed half and half; 1 where they are one constant."""
    apart = (float(samples[0].mean()) - float(samples[1].mean())) / 2
    return math.hypot(math.hypot(*deviations) / math.sqrt(2), apart) or 1.0
