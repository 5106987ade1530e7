"""What was measured of columns: has it drifted, beyond luck, and what would decide?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.core.outcome import Measurement, Outcome
from airflow_mltest.core.statistics import measured, rows_needed, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.checks.data.drift_columns import Aspect

RANK = {Outcome.FAILED: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASSED: 2}


def judged(aspects: Sequence[Aspect], confidence: float) -> list[Outcome]:
    """Judge each, so that of those that fail at most a share of 1 - *confidence* should not have."""
    from scipy.stats import false_discovery_control

    if not aspects:
        return []
    adjusted = false_discovery_control(np.clip([one.shift.chance for one in aspects], 0, 1))
    found = []
    for one, chance in zip(aspects, adjusted, strict=True):
        outcome = verdict(one.shift.interval, maximum=one.maximum)
        # Beyond the bound by itself, and still no wonder among so many columns.
        lucky = outcome is Outcome.FAILED and chance > 1 - confidence
        found.append(Outcome.INCONCLUSIVE if lucky else outcome)
    return found


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Give the outcome of all of them together: passed only if each is."""
    return min(outcomes, key=RANK.__getitem__, default=Outcome.PASSED)


def measurement(aspect: Aspect) -> Measurement:
    """Give the number behind an answer."""
    interval = aspect.shift.interval
    return measured(aspect.name, aspect.shift.value, interval, maximum=aspect.maximum)


def told(aspect: Aspect) -> str:
    """Say what was measured, and what changed."""
    shift = aspect.shift
    return (
        f"{aspect.measure} is {shift.value:.3g}, between {shift.interval.low:.3g} and {shift.interval.high:.3g}, "
        f"wanted at most {aspect.maximum:g}; {aspect.change}"
    )


def undecided(aspect: Aspect) -> str:
    """Say what would decide."""
    if aspect.shift.interval.low > aspect.maximum:
        return f"{told(aspect)}: may be the luck of one among many columns; name fewer, or give more rows"
    known = math.isfinite(aspect.shift.value)
    needed = known and rows_needed(aspect.shift.value, aspect.shift.interval, aspect.rows, maximum=aspect.maximum)
    rest = f"about {needed} rows would decide" if needed else "no number of rows can be told"
    return f"{told(aspect)}: {aspect.rows} rows cannot tell; {rest}"


def excess(aspect: Aspect) -> float:
    """Tell how far beyond the bound it is, for an order."""
    value = aspect.shift.value if math.isfinite(aspect.shift.value) else 0.0
    return value / aspect.maximum if aspect.maximum else value
