"""When the model says 80 %, is it right 80 times in 100?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.resampling import shrinkage
from airflow_mltest.core.statistics import Interval, measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

_DRAWS = 2000
_BARS_CONFIDENCE = 0.975  # each end; both together are the usual 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """
    The expected calibration error is at most *max_error*, beyond luck.

    It is the mean distance, over rows, between what the model says and how often that is so, in bins
    of as many rows each. Of two classes it is the probability of the greater one that is compared; of
    more, that of the class the model chose (top label).

    A model that is calibrated perfectly still shows an error on finitely many rows: 0.04 on 500 rows
    and 10 bins. That luck is taken out of the estimate and of its interval.

    Args:
        max_error: The most it may be, a share.
        bins: How many bins; fewer show less of the shape, and need fewer rows.
        confidence: That the true error is not beyond the end that is compared, a share.
    """

    max_error: float
    bins: int = 10
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence("Calibration", self.confidence)
        if not (0 < self.max_error < 1 and self.bins >= 1):
            msg = f"Calibration: max_error is a share, and bins 1 or more, not {self.max_error} and {self.bins}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Compare what was said with what was so, bin by bin."""
        said, so, what = _claims(Answers.of(subject, scores=True))
        if len(said) < 2 * self.bins:
            msg = f"Calibration needs 2 rows a bin: {len(said)} rows are too few for {self.bins} bins."
            raise ConfigurationError(msg)
        bins = np.array_split(np.argsort(said, kind="stable"), self.bins)
        rows = np.array([len(one) for one in bins])
        hits = np.array([int(so[one].sum()) for one in bins])
        claimed = np.array([float(said[one].mean()) for one in bins])
        value, interval = calibration_error(claimed, hits, rows, self.confidence, subject.rng())
        outcome = verdict(interval, maximum=self.max_error)
        seen = float((rows * np.abs(hits / rows - claimed)).sum() / rows.sum())
        detail = (
            f"expected calibration error of {what} is {value:.4g}, between {interval.low:.4g} and "
            f"{interval.high:.4g} on {len(said)} rows in {self.bins} bins ({seen:.4g} with its luck); "
            f"wanted at most {self.max_error:g}"
        )
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(value, interval, len(said), maximum=self.max_error)
            detail += would_decide(needed)
        measurement = measured("calibration_error", value, interval, maximum=self.max_error)
        return Case(
            name="calibration",
            outcome=outcome,
            detail=detail,
            measurements=(measurement,),
            figures=(_reliability(claimed, hits, rows, what),),
        )


def calibration_error(
    claimed: np.ndarray, hits: np.ndarray, rows: np.ndarray, confidence: float, rng: np.random.Generator
) -> tuple[float, Interval]:
    """
    Estimate the expected calibration error without its bias, and bound it.

    See `shrinkage`: without any distance this is consistency resampling, and the low end is 0 where
    that explains what was seen.

    Args:
        claimed: Mean probability of each bin, shape (bins,).
        hits: Rows of each bin in which it was so, shape (bins,).
        rows: Rows of each bin, shape (bins,).
        confidence: Of each end, a share.
        rng: The luck.

    Source:
        J. Bröcker and L. A. Smith (2007), Weather and Forecasting 22(3), 651-661, for consistency
        resampling; A. Kumar et al. (2019), NeurIPS, arXiv:1909.10155, for the bias.
    """
    share = rows / rows.sum()
    distance = hits / rows - claimed
    smoothed = (hits + 0.5) / (rows + 1)
    noise = rng.standard_normal((_DRAWS, len(rows))) * np.sqrt(smoothed * (1 - smoothed) / rows)
    seen = float(share @ np.abs(distance))

    low, middle, high = shrinkage(lambda factor: np.abs(factor * distance + noise) @ share, seen, confidence)
    # Of all ways to spread an error over bins, the even one shows the least of it.
    _, _, even = shrinkage(lambda factor: np.abs(factor * seen + noise) @ share, seen, confidence)
    return seen * middle, Interval.between(seen * low, min(seen * max(high, even), 1.0), confidence)


def _claims(answers: Answers) -> tuple[np.ndarray, np.ndarray, str]:
    """Give what the model says of each row, whether it is so, and of what: shapes (n,), (n,)."""
    if answers.scores is None:
        msg = "Calibration needs probabilities, and the model gives only answers: log it with `predict_proba`."
        raise ConfigurationError(msg)
    classes = answers.classes
    if answers.scores.shape[1] != len(classes):
        msg = (
            f"the model gives probabilities of {answers.scores.shape[1]} classes, and labels and answers know "
            f"{len(classes)}: it cannot be told which is which."
        )
        raise ConfigurationError(msg)
    if len(classes) == 2:  # noqa: PLR2004
        return answers.scores[:, 1], answers.labels == classes[1], f"the probability of {classes[1]}"
    chosen = answers.scores.argmax(axis=1)
    return answers.scores.max(axis=1), classes[chosen] == answers.labels, "the chosen class (top label)"


def _reliability(claimed: np.ndarray, hits: np.ndarray, rows: np.ndarray, what: str) -> Figure:
    bars = [clopper_pearson(int(k), int(n), _BARS_CONFIDENCE) for k, n in zip(hits, rows, strict=True)]
    series = Series(
        x=tuple(float(one) for one in claimed),
        y=tuple(float(one) for one in hits / rows),
        low=tuple(one.low for one in bars),
        high=tuple(one.high for one in bars),
        style="points",
    )
    return Figure(
        title=f"Reliability of {what}", x="said, mean probability", y="so, share of rows", series=(series,),
        diagonal=True,
    )  # fmt: skip
