"""Does the model still answer right when its numbers are a little off?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.checks.model.subject import predicted, scored
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement
from airflow_mltest.core.statistics import verdict

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """
    A metric drops by at most *max_drop* when every number carries Gaussian noise, beyond luck.

    Args:
        metric: As for `Metric`.
        max_drop: The most it may drop, in the metric's own unit.
        scale: Standard deviation of the noise, as a share of each column's own.
        confidence: That the true drop is not beyond the end that is compared, a share.
    """

    metric: str
    max_drop: float
    scale: float = 0.05
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence(f"Noise({self.metric!r})", self.confidence)
        if not (self.scale > 0 and self.max_drop >= 0):
            msg = f"Noise: scale is above 0 and max_drop 0 or more, not {self.scale} and {self.max_drop}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Ask about the rows with noise, and compare with the answers without."""
        measure = Measure.named(self.metric)
        noisy_rows = self._noisy(subject)
        clean = Answers.of(subject, scores=measure.needs_scores)
        noisy = Answers(
            labels=clean.labels,
            predictions=predicted(subject.model, noisy_rows),
            scores=None if clean.scores is None else scored(subject.model, noisy_rows),
        )
        drop, interval = measure.difference(clean, noisy, self.confidence, subject.rng())
        changed = float((clean.predictions != noisy.predictions).mean())
        return Case(
            name=f"noise({self.metric})",
            outcome=verdict(interval, maximum=self.max_drop),
            detail=(
                f"noise of {self.scale:.0%} of a deviation drops {self.metric} by {drop:.4g}, between "
                f"{interval.low:.4g} and {interval.high:.4g}; {self.max_drop:g} allowed; {changed:.2%} of answers flip"
            ),
            measurements=(
                Measurement(
                    name=f"{self.metric}_drop_by_noise",
                    value=drop,
                    low=interval.low,
                    high=interval.high,
                    maximum=self.max_drop,
                    confidence=interval.confidence,
                ),
            ),
            facts={"answers_changed_share": changed},
        )

    def _noisy(self, subject: ModelSubject) -> pd.DataFrame:
        rng, rows = subject.rng(), subject.features.copy()
        numeric = [column for column in rows.columns if rows[column].dtype.kind in "fiu"]
        if not numeric:
            msg = "the model takes no numbers, so there is nothing to put noise on."
            raise ConfigurationError(msg)
        for column in numeric:
            noisy = rows[column] + rng.normal(scale=self.scale, size=len(rows)) * rows[column].std(ddof=0)
            # Noise is no new world: an int8 would overflow, and a count be negative.
            noisy = noisy.clip(rows[column].min(), rows[column].max())
            # A count with noise is still a count.
            rows[column] = noisy if rows[column].dtype.kind == "f" else noisy.round().astype(rows[column].dtype)
        return rows
