"""How far apart two models may truly be that were right or wrong on the same rows."""

from __future__ import annotations

import math
from statistics import NormalDist

from airflow_mltest.core.statistics import Interval


def paired_rates(gained: int, lost: int, rows: int, confidence: float = 0.95) -> Interval:
    """
    Bound the true difference of two success rates on the same rows.

    Tango's score interval: its ends are the differences from which the seen one is z standard
    errors away, where the errors are those under that very difference. So it is not of width 0
    when the two never differ. Against no difference at all there is an exact test, McNemar's:
    an end lies beyond 0 only where that test agrees.

    Args:
        gained: Rows that only the first has right.
        lost: Rows that only the second has right.
        rows: All rows.
        confidence: Of each end, a share.

    Returns:
        The interval of the first's rate minus the second's.

    Source:
        T. Tango (1998), Statistics in Medicine 17(8), 891-908,
        doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B.
        Q. McNemar (1947), Psychometrika 12(2), 153-157, doi:10.1007/BF02295996.
    """
    z = NormalDist().inv_cdf(confidence)
    low, high = -_highest(lost, gained, rows, z), _highest(gained, lost, rows, z)
    if low > 0 and _tail(lost, gained + lost) > 1 - confidence:
        low = 0.0
    if high < 0 and _tail(gained, gained + lost) > 1 - confidence:
        high = 0.0
    return Interval.between(low, high, confidence)


def rows_to_show(interval: Interval, rows: int, margin: float, *, power: float = 0.8) -> int | None:
    """
    Say about how many rows would show that two equal models differ by less than *margin*.

    For two success rates it is (z_confidence + z_power)**2 * discordance / margin**2, where
    discordance is the share of rows that only one has right: the variance of a row's difference.

    Args:
        interval: Of the difference, on *rows* rows.
        rows: How many there are.
        margin: What must be shown, in the unit of the interval.
        power: How likely it is then shown, a share.

    Returns:
        Rows, rounded up to two digits; None without a margin or a finite interval.
    """
    spread = interval.high - interval.low
    if not (margin > 0 and math.isfinite(spread)):
        return None
    z = NormalDist().inv_cdf((1 + interval.confidence) / 2)
    needed = math.ceil(rows * ((z + NormalDist().inv_cdf(power)) * spread / (2 * z * margin)) ** 2)
    unit: int = 10 ** max(0, len(str(needed)) - 2)
    return -(-needed // unit) * unit


def _highest(gained: int, lost: int, rows: int, z: float) -> float:
    """Find the greatest difference that is not more than *z* standard errors above the seen one."""
    seen = gained - lost

    def away(true: float) -> float:
        # The share of `lost` that is most likely when the true difference is `true`.
        slope = (2 * rows - seen) * true - gained - lost
        share = (math.sqrt(max(slope**2 + 8 * rows * lost * true * (1 - true), 0.0)) - slope) / (4 * rows)
        return (rows * true - seen) - z * math.sqrt(max(rows * (2 * share + true * (1 - true)), 0.0))

    inside, outside = seen / rows, 1.0
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if away(middle) > 0 else (middle, outside)
    return inside


def _tail(hits: int, trials: int) -> float:
    """Give the chance of at most *hits* heads in *trials* throws of a fair coin."""
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in range(hits + 1)]
    return math.fsum(math.exp(one - trials * math.log(2)) for one in logs)
