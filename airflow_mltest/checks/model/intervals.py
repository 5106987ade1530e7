"""How far may a metric on these rows be from the truth? The narrowest method that holds for it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.confusion import cell_metric, cells_of, proportion, unseen_errors
from airflow_mltest.checks.model.multiclass_auc import multiclass_auc
from airflow_mltest.core.rates import paired_rates
from airflow_mltest.core.resampling import bootstrap, bootstrap_cells
from airflow_mltest.core.statistics import Interval, auc_interval, delong

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.checks.model.answers import Answers
    from airflow_mltest.checks.model.measure import Measure

_RESAMPLES = 400
# Numbers drawn at a time: 400 draws of 10,000 rows cost what a slow metric of scikit-learn may cost, a few seconds.
_MOST_DRAWN = 10_000
# A bootstrap, or a central limit, of fewer rows than this says little more than those rows do.
_FEWEST_ROWS = 20


def interval_of(measure: Measure, answers: Answers, confidence: float, rng: np.random.Generator) -> Interval:
    """Bound the true value; see `Measure.interval`."""
    name, given, told = measure.function.__name__, measure.given(answers), measure.told(answers)
    if answers.weights is None:
        if measure.is_auc(given):
            return _auc(answers.labels == answers.classes[-1], given, confidence)
        if name == "roc_auc_score" and (parts := multiclass_auc(answers.labels, given, answers.classes, told)):
            return _of_influence(*parts, confidence)
        cells = None if measure.needs_scores else cells_of(answers.labels, given, known=answers.classes)
        metric = cell_metric(name, told)
        rate = None if cells is None else proportion(name, told, cells)
        if rate:
            found = clopper_pearson(*rate, confidence)
            return _as_f1(found, confidence) if name == "f1_score" else found
        if cells is not None and metric:
            unseen = unseen_errors(len(cells), models=1)
            return bootstrap_cells(metric, cells, rng=rng, confidence=confidence, unseen=unseen)
    values = measure.row_values(answers)
    if values is not None:
        return _scaled(_rate_or_mean(name, values, answers.weights, confidence), measure.factor, confidence)
    return _by_rows(lambda rows: measure.drawn(answers, given, told, rows), given, confidence, rng)


def difference_of(
    measure: Measure, one: Answers, other: Answers, confidence: float, rng: np.random.Generator
) -> Interval:
    """Bound how much better *one* is than *other*, paired; see `Measure.difference`."""
    first, second, told = measure.given(one), measure.given(other), measure.told(one)
    if first.dtype.kind == "f" and np.array_equal(first, second):
        return Interval.between(0.0, 0.0, confidence)
    areas = _areas_difference(measure, one, first, second, confidence)
    if areas:
        return areas
    values, others = measure.row_values(one), measure.row_values(other)
    if values is not None and others is not None:
        gains = measure.sign * measure.factor * (values - others)
        if measure.function.__name__ in {"accuracy_score", "zero_one_loss"}:
            return paired_rates(int((gains > 0).sum()), int((gains < 0).sum()), len(gains), confidence)
        return mean_interval(gains, confidence)
    cells = None if measure.needs_scores else cells_of(one.labels, first, second, known=one.classes)
    metric = cell_metric(measure.function.__name__, told)
    if cells is not None and metric:
        return bootstrap_cells(
            lambda drawn: measure.sign * (metric(drawn.sum(axis=-1)) - metric(drawn.sum(axis=-2))),
            cells,
            rng=rng,
            confidence=confidence,
            unseen=unseen_errors(len(cells), models=2),
        )

    def gain(rows: np.ndarray) -> float:
        return measure.sign * (measure.drawn(one, first, told, rows) - measure.drawn(other, second, told, rows))

    return _by_rows(gain, first, confidence, rng)


def clopper_pearson(hits: int, trials: int, confidence: float) -> Interval:
    """Bound a share exactly: C. J. Clopper and E. S. Pearson (1934), Biometrika 26(4), 404-413."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, trials - hits + 1, 1 - confidence)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, confidence)) if hits < trials else 1.0
    return Interval.between(low, high, confidence)


def mean_interval(values: np.ndarray, confidence: float) -> Interval:
    """
    Bound a mean of values, shape (n,), that may be as skewed as losses are; infinite below 20 rows.

    Of 100 log losses, the upper end of Student's interval is too low in 9 of 100 samples where it
    may be in 5; that of Hall's transformation, used here, in 5.

    Source:
        P. Hall (1992), JRSS B 54(1), 221-228, doi:10.1111/j.2517-6161.1992.tb01876.x.
    """
    from scipy.special import stdtrit

    rows, mean = len(values), float(values.mean())
    if rows < _FEWEST_ROWS:
        return Interval.between(-math.inf, math.inf, confidence)
    deviation, root = float(values.std(ddof=1)), math.sqrt(rows)
    z = float(stdtrit(rows - 1, confidence))
    if deviation <= 1e-12 * abs(mean):  # rounding, of which there is no skewness
        return Interval.between(mean, mean, confidence)
    skewness = float((((values - mean) / deviation) ** 3).mean())

    def reach(end: float) -> float:
        if abs(skewness) < 1e-6:  # noqa: PLR2004  its limit
            return end
        within = 1 + skewness * (end / root - skewness / (6 * rows))
        return 3 * root / skewness * (float(np.cbrt(within)) - 1)

    return Interval.between(mean - deviation / root * reach(z), mean - deviation / root * reach(-z), confidence)


def independent_difference(one: float, interval: Interval, other: float, others: Interval) -> Interval:
    """
    Bound the difference of two values measured on different rows, from the interval of each.

    Source:
        The square-and-add method of R. G. Newcombe (1998), Statistics in Medicine 17(8), 873-890,
        method 10, for any metric: G. Y. Zou and A. Donner (2008), Statistics in Medicine 27(10), 1693-1702.
    """
    gap = one - other
    low = gap - math.hypot(one - interval.low, others.high - other)
    high = gap + math.hypot(interval.high - one, other - others.low)
    return Interval(low=low, high=high, confidence=interval.confidence)


def _rate_or_mean(name: str, values: np.ndarray, weights: np.ndarray | None, confidence: float) -> Interval:
    if weights is not None:
        # A weighted mean varies as the mean of these does (its linearisation).
        centre = np.average(values, weights=weights)
        return mean_interval(centre + weights / weights.mean() * (values - centre), confidence)
    if name in {"accuracy_score", "zero_one_loss"}:
        return clopper_pearson(int(values.sum()), len(values), confidence)
    return mean_interval(values, confidence)


def _scaled(interval: Interval, factor: int, confidence: float) -> Interval:
    low, high = sorted((factor * interval.low, factor * interval.high))
    return Interval.between(low, high, confidence)


def _as_f1(jaccard: Interval, confidence: float) -> Interval:
    low, high = (2 * end / (1 + end) for end in (jaccard.low, jaccard.high))
    return Interval.between(low, high, confidence)


def _areas_difference(
    measure: Measure, one: Answers, first: np.ndarray, second: np.ndarray, confidence: float
) -> Interval | None:
    """Bound the difference of two areas under ROC curves; None if the metric is another, or varies otherwise."""
    if measure.is_auc(first):
        return _auc_difference(one.labels == one.classes[-1], first, second, confidence)
    if measure.function.__name__ != "roc_auc_score":
        return None
    parts = [multiclass_auc(one.labels, given, one.classes, measure.keywords) for given in (first, second)]
    if parts[0] is None or parts[1] is None:
        return None
    gap, moved = parts[0][0] - parts[1][0], parts[0][1] - parts[1][1]
    reach = NormalDist().inv_cdf(confidence) * float(np.linalg.norm(moved))
    return Interval.between(gap - reach, gap + reach, confidence)


def _of_influence(area: float, influence: np.ndarray, confidence: float) -> Interval:
    """Bound an area on the logit scale; where all rows are in place, as if half a row were not."""
    half_a_row = 0.5 / len(influence)
    area = min(max(area, half_a_row), 1 - half_a_row)
    deviation = max(float(np.linalg.norm(influence)), half_a_row)
    reach = NormalDist().inv_cdf(confidence) * deviation / (area * (1 - area))
    low, high = (1 / (1 + math.exp(sign * reach - math.log(area / (1 - area)))) for sign in (1, -1))
    return Interval.between(low, high, confidence)


def _auc(positive: np.ndarray, given: np.ndarray, confidence: float) -> Interval:
    area, covariance = delong(positive, given)
    hits = int(positive.sum())
    return auc_interval(float(area[0]), float(covariance[0, 0]), hits, len(positive) - hits, confidence)


def _auc_difference(positive: np.ndarray, first: np.ndarray, second: np.ndarray, confidence: float) -> Interval:
    area, covariance = delong(positive, first, second)
    value = float(area[0] - area[1])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance > 0:
        reach = NormalDist().inv_cdf(confidence) * math.sqrt(variance)
        return Interval.between(value - reach, value + reach, confidence)
    # Two perfect rankings, or too few rows to pair: the two intervals, as if independent.
    ends = [_auc(positive, given, confidence) for given in (first, second)]
    return independent_difference(float(area[0]), ends[0], float(area[1]), ends[1])


def _by_rows(
    metric: Callable[[np.ndarray], float], given: np.ndarray, confidence: float, rng: np.random.Generator
) -> Interval:
    rows = len(given)
    if rows < _FEWEST_ROWS:
        return Interval.between(-math.inf, math.inf, confidence)
    most_rows = max(_MOST_DRAWN * rows // given.size, _MOST_DRAWN // 10)
    return bootstrap(metric, rows, rng=rng, confidence=confidence, resamples=_RESAMPLES, most_rows=most_rows)
