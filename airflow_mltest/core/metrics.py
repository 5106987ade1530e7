"""The numbers a suite leaves behind, by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltest.core.outcome import Suite


def metrics_of(suite: Suite) -> dict[str, float]:
    """
    Give every finite number that *suite* measured, by name.

    A number that could not be measured is absent, never NaN: what reads a metric then has to
    say what its absence means. Of two measurements with one name the later is told apart by
    its case (`noise.roc_auc`).
    """
    metrics: dict[str, float] = {}
    for case in suite.cases:
        for measurement in case.measurements:
            if math.isfinite(measurement.value):
                taken = measurement.name in metrics
                metrics[f"{case.name}.{measurement.name}" if taken else measurement.name] = float(measurement.value)
    return metrics
