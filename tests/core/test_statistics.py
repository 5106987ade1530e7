import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import (
    Interval,
    auc_interval,
    bootstrap,
    bootstrap_cells,
    calls_needed,
    delong,
    percentile_interval,
    rows_needed,
    verdict,
)


def between(low, high):
    return Interval(low=low, high=high, confidence=0.9)


@pytest.mark.parametrize(
    "low, high, bounds, outcome",
    [
        (0.7, 0.8, {"minimum": 0.7}, Outcome.PASSED),
        (0.6, 0.8, {"minimum": 0.7}, Outcome.INCONCLUSIVE),
        (0.5, 0.6, {"minimum": 0.7}, Outcome.FAILED),
        (0.5, 0.6, {"maximum": 0.7}, Outcome.PASSED),
        (0.8, 0.9, {"maximum": 0.7}, Outcome.FAILED),
        (0.5, 0.6, {"minimum": 0.4, "maximum": 0.7}, Outcome.PASSED),
        (math.nan, math.nan, {"minimum": 0.1}, Outcome.INCONCLUSIVE),
        (-math.inf, math.inf, {"minimum": 0.1}, Outcome.INCONCLUSIVE),
    ],
)
def test_whole_interval_decides(low, high, bounds, outcome):
    assert verdict(between(low, high), **bounds) is outcome


def test_verdict_without_a_bound_is_refused():
    with pytest.raises(ConfigurationError):
        verdict(between(0, 1))


def test_rows_that_would_decide_grow_with_the_square_of_the_reach():
    assert rows_needed(0.72, between(0.68, 0.76), 1000, minimum=0.7) == 4000
    assert rows_needed(0.7, between(0.68, 0.72), 1000, minimum=0.7) is None
    assert rows_needed(0.72, between(-math.inf, math.inf), 1000, minimum=0.7) is None


@given(st.integers(0, 1000), st.integers(5, 60))
def test_delongs_area_is_scikit_learns(seed, rows):
    rng = np.random.default_rng(seed)
    target = np.r_[0, 1, rng.integers(0, 2, rows)]
    scores = rng.integers(0, 5, rows + 2) / 5

    areas, _ = delong(target, scores)

    assert areas[0] == pytest.approx(roc_auc_score(target, scores))


def test_delong_needs_both_classes():
    with pytest.raises(ConfigurationError, match="both classes"):
        delong([1, 1], [0.1, 0.2])


def test_interval_of_an_area_holds_the_true_one_about_as_often_as_it_says():
    rng, held, true = np.random.default_rng(0), 0, 0.7602
    for _ in range(400):
        target = rng.integers(0, 2, 200)
        scores = target + rng.normal(size=200)
        area, covariance = delong(target, scores)
        hits = int(target.sum())
        interval = auc_interval(float(area[0]), float(covariance[0, 0]), hits, 200 - hits)
        held += interval.low <= true <= interval.high

    assert 0.86 <= held / 400 <= 0.98


def test_perfect_ranking_of_few_rows_may_be_luck():
    interval = auc_interval(1.0, 0.0, 3, 3)

    assert interval.low < 0.75
    assert interval.high == 1.0


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000)
    interval = bootstrap(lambda rows: values[rows].mean(), len(values), rng=rng, resamples=2000)
    error = values.std() / math.sqrt(len(values))

    assert interval.low == pytest.approx(values.mean() - 1.645 * error, abs=error / 5)
    assert interval.high == pytest.approx(values.mean() + 1.645 * error, abs=error / 5)


def test_bootstrap_of_more_rows_than_it_draws_is_scaled():
    rng = np.random.default_rng(0)
    values = rng.normal(size=40_000)
    whole = bootstrap(lambda rows: values[rows].mean(), 40_000, rng=rng, most_rows=40_000)
    part = bootstrap(lambda rows: values[rows].mean(), 40_000, rng=rng, most_rows=4_000)

    assert part.high - part.low == pytest.approx(whole.high - whole.low, rel=0.2)


def test_draws_of_cells_are_draws_of_rows():
    rng = np.random.default_rng(0)
    counts = np.array([[50, 10], [5, 35]])
    rows = np.repeat([0.0, 1.0, 1.0, 0.0], [50, 10, 5, 35])
    right = 1 - rows
    cells = bootstrap_cells(lambda c: (c[:, 0, 0] + c[:, 1, 1]) / c.sum(axis=(1, 2)), counts, rng=rng, resamples=5000)
    plain = bootstrap(lambda picked: right[picked].mean(), 100, rng=rng, resamples=5000)

    assert cells.low == pytest.approx(plain.low, abs=0.011)
    assert cells.high == pytest.approx(plain.high, abs=0.011)


def test_unseen_errors_widen_the_interval():
    counts = np.array([3, 0])

    def share(c):
        return c[:, 0] / c.sum(axis=1)

    rng = np.random.default_rng(0)
    sure = bootstrap_cells(share, counts, rng=rng)
    honest = bootstrap_cells(share, counts, rng=rng, unseen=np.array([0.5, 0.5]))

    assert sure.low == 1.0
    assert honest.low < 0.9


def test_draws_without_a_metric_bound_nothing():
    interval = bootstrap(lambda _: math.nan, 10, rng=np.random.default_rng(0), resamples=5)

    assert (interval.low, interval.high) == (-math.inf, math.inf)


def test_percentile_needs_the_textbooks_number_of_calls():
    assert calls_needed(0.95) == 59
    assert calls_needed(0.99) == 299
    assert math.isinf(percentile_interval(range(58), 0.95).high)
    assert percentile_interval(range(59), 0.95).high == 58
    assert math.isinf(percentile_interval(range(2), 0.5).low)


def test_interval_of_a_percentile_holds_it_at_least_as_often_as_it_says():
    rng, true = np.random.default_rng(0), -math.log(0.05)
    over = sum(percentile_interval(rng.exponential(size=200), 0.95).high < true for _ in range(500))

    assert over / 500 <= 0.075


def test_area_of_one_row_a_class_has_no_variance():
    _, covariance = delong([0, 1], [0.1, 0.9])

    assert np.isnan(covariance).all()
