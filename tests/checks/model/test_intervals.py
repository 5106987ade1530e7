import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.intervals import clopper_pearson, independent_difference, mean_interval
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.core.statistics import Interval


@pytest.mark.parametrize("rows", [50, 200])
def test_each_end_of_a_mean_of_log_losses_misses_about_one_time_in_twenty(rows):
    rng = np.random.default_rng(0)
    missed = np.zeros(2)
    for _ in range(600):
        chance = rng.beta(0.5, 0.5, rows).clip(1e-9, 1 - 1e-9)
        losses = -np.log(np.where(rng.random(rows) < chance, chance, 1 - chance))
        found = mean_interval(losses, 0.95)
        missed += [found.low > 2 * math.log(2) - 1, found.high < 2 * math.log(2) - 1]

    # 0.05 and three standard errors of 600 trials.
    assert (missed / 600 <= 0.077).all()


def test_a_mean_of_few_rows_is_not_bounded_and_one_of_equal_rows_is_known():
    assert mean_interval(np.arange(19.0), 0.95) == Interval.between(-math.inf, math.inf, 0.95)
    assert mean_interval(np.full(50, 0.1), 0.95).high == pytest.approx(0.1)


def test_clopper_and_pearson_bound_nothing_from_nothing():
    assert clopper_pearson(0, 0, 0.95) == Interval.between(0, 1, 0.95)
    assert clopper_pearson(10, 10, 0.95).low == pytest.approx(0.05**0.1)


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.9, 0.95, 0.995]))
def test_clopper_and_pearsons_ends_are_scipys(hits, misses, confidence):
    found = clopper_pearson(hits, hits + misses, confidence)
    expected = binomtest(hits, max(hits + misses, 1)).proportion_ci(2 * confidence - 1) if hits + misses else (0, 1)

    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-9)


def test_difference_of_independent_rates_is_newcombes():
    # R. G. Newcombe (1998), table II, contrast (a): 56/70 - 48/80, method 10, with Wilson's intervals.
    found = independent_difference(
        0.8, Interval(low=0.6918, high=0.8768, confidence=0.95), 0.6, Interval(low=0.4902, high=0.7000, confidence=0.95)
    )

    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-3)


def test_weighted_mean_is_as_wide_as_a_bootstrap_says():
    rng = np.random.default_rng(0)
    labels = rng.normal(size=800)
    given = Answers(
        labels=labels, predictions=labels + rng.normal(size=800), scores=None, weights=rng.gamma(1.0, size=800)
    )
    measure = Measure.named("mean_absolute_error")
    found = measure.interval(given, 0.95, rng)
    draws = [measure.value(given[rng.integers(800, size=800)]) for _ in range(400)]

    assert found.high - found.low == pytest.approx(np.diff(np.quantile(draws, [0.05, 0.95]))[0], rel=0.15)


def test_weighted_metric_of_answers_is_bootstrapped_with_its_weights():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    wrong = rng.random(400) < 0.2
    heavy = Answers(
        labels=labels, predictions=np.where(wrong, 1 - labels, labels), scores=None, weights=np.where(wrong, 9.0, 1.0)
    )
    measure = Measure.named("recall")

    assert measure.value(heavy) < 0.5
    assert measure.interval(heavy, 0.95, rng).high < 0.5
