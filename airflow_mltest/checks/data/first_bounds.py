"""Bounds that another sample of the same population keeps, rounded outward to numbers that people would write."""

from __future__ import annotations

import math
import sys
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np

# What so many rows have, another sample has as well; and how thinly an end is settled, so many rows show.
COMMON = 10
# Standard errors by which two samples of one population do not differ.
_BEYOND = 4.0


def share_kept(without: int, count: int, margin: float) -> float:
    """
    Give the share of rows that are sound in another sample at least, where *without* of *count* are not.

    Returns:
        A share below 1; 0 where there may be none.
    """
    share = without / count
    allowed = Decimal(share * (1 + margin) + _BEYOND * math.sqrt(share * (1 - share) * 2 / count) + COMMON / count)
    return float(max(1 - _multiple(allowed, _step(allowed / 2), ROUND_CEILING), Decimal(0)))


def stretched(values: np.ndarray, margin: float, *, whole: bool) -> tuple[Any, Any]:
    """
    Widen the range of *values* by a share of its span; where few are near an end, as far as luck moves that.

    Args:
        values: Finite numbers, shape (n,), at least 10.
        margin: The share.
        whole: The bounds are whole numbers, too.
    """
    ordered = [Decimal(value) for value in np.sort(values)[[0, COMMON - 1, -COMMON, -1]].tolist()]
    span = ordered[3] - ordered[0]
    room = Decimal(margin) * span
    low = ordered[0] - max(room, 2 * (ordered[1] - ordered[0]))
    high = ordered[3] + max(room, 2 * (ordered[3] - ordered[2]))
    return _signed(outward(low, high, span / 5, whole=whole), values)


def middles(values: np.ndarray, margin: float) -> dict[str, tuple[float, float]]:
    """
    Give bounds of the mean and the median of another sample; nothing where floats cannot hold them.

    Args:
        values: Finite numbers, shape (n,).
        margin: How far they may move besides luck, a share of a standard deviation.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(values.mean()), float(values.std())
    if not math.isfinite(spread):
        return {}
    allowed = margin + _BEYOND * math.sqrt(2 / len(values))
    about = min(0.5, allowed / 2)
    found = {
        "mean": (mean - allowed * spread, mean + allowed * spread),
        "median": np.quantile(values, [0.5 - about, 0.5 + about]).tolist(),
    }
    step = Decimal(allowed * spread) / 2
    return {
        name: _signed(outward(Decimal(low), Decimal(high), step, whole=False), values)
        for name, (low, high) in found.items()
    }


def _signed(bounds: tuple[Any, Any], values: np.ndarray) -> tuple[Any, Any]:
    """Keep bounds on the side of 0 on which all values are."""
    low, high = bounds
    zero = type(low)(0)
    return (max(low, zero) if values.min() >= 0 else low, min(high, zero) if values.max() <= 0 else high)


def outward(low: Decimal, high: Decimal, coarse: Decimal, *, whole: bool) -> tuple[Any, Any]:
    """Round a range outward in readable steps of at most *coarse*; whole numbers in steps of 1 at least."""
    step = max(_step(coarse), Decimal(1)) if whole else _step(coarse)
    most = Decimal(sys.float_info.max)
    kind = int if whole else float
    return kind(max(_multiple(low, step, ROUND_FLOOR), -most)), kind(min(_multiple(high, step, ROUND_CEILING), most))


def _multiple(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    # Adding nothing makes 0 of -0.
    return (value / step).to_integral_value(rounding) * step + 0


def _step(coarse: Decimal) -> Decimal:
    """Give the greatest 1, 2 or 5 of a power of ten that is not above *coarse*; 1 for nothing."""
    if not coarse:
        return Decimal(1)
    power = Decimal(1).scaleb(coarse.adjusted())
    return power * next(digit for digit in (5, 2, 1) if coarse >= digit * power)
