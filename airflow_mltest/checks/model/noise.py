"""Does the model still answer right when its numbers are a little off?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.drop import asked, drop
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """
    A metric drops by at most *max_drop* when every number carries Gaussian noise, beyond luck.

    Whole numbers stay whole, nothing leaves the range that the data has, and what is missing or
    infinite stays so.

    Args:
        metric: As for `Metric`.
        max_drop: The most it may drop, in the metric's own unit.
        scale: Standard deviation of the noise, as a share of each column's own.
        confidence: That the true drop is not beyond the end that is compared, a share.
    """

    metric: str | Callable[..., float]
    max_drop: float
    scale: float = 0.05
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence(f"Noise({metric_name(self.metric)!r})", self.confidence)
        if not (self.scale > 0 and self.max_drop >= 0):
            msg = f"Noise: scale is above 0 and max_drop 0 or more, not {self.scale} and {self.max_drop}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Ask about the rows with noise, and compare with the answers without."""
        measure = Measure.of(self.metric)
        answers = asked(subject, measure, self._noisy(subject))
        found = drop(subject, measure, answers, allowed=self.max_drop, confidence=self.confidence)
        return Case(
            name=f"noise({measure.name})",
            outcome=found.outcome,
            detail=f"noise of {100 * self.scale:.3g}% of a deviation: {found.words}",
            measurements=(found.measurement(f"{measure.name}_drop_by_noise"),),
            facts={"answers_changed_share": float(found.flipped.mean())},
        )

    def _noisy(self, subject: ModelSubject) -> pd.DataFrame:
        rng, rows = subject.rng(), subject.features.copy()
        numeric = [column for column in rows.columns if rows[column].dtype.kind in "fiu"]
        if not numeric:
            msg = "the model takes no numbers, so there is nothing to put noise on."
            raise ConfigurationError(msg)
        moved = False
        for column in numeric:
            noise = self.scale * rng.standard_normal(len(rows))
            noisy = _with_noise(rows[column], noise)
            moved = moved or not noisy.equals(rows[column])
            rows[column] = noisy
        if not moved:
            msg = f"noise of {self.scale:g} deviations moves no number: all are constant, missing or whole."
            raise ConfigurationError(msg)
        return rows


def _with_noise(column: pd.Series[Any], noise: np.ndarray) -> pd.Series[Any]:
    """Add noise in units of the column's standard deviation, shape (n,), where its values are finite."""
    values = column.to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(values)
    known = values[finite]
    if not known.size:
        return column
    # Noise is no new world: an int8 would overflow, and a count be negative.
    noisy = np.clip(known + noise[finite] * known.std(), known.min(), known.max())
    # A count with noise is still a count.
    given = noisy if column.dtype.kind == "f" else noisy.round()
    changed = column.copy()
    changed[finite] = given.astype(getattr(column.dtype, "numpy_dtype", column.dtype))
    return changed
