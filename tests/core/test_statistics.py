import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import (
    Interval,
    auc_influence,
    auc_interval,
    calls_needed,
    delong,
    percentile_interval,
    rows_needed,
    verdict,
)


def between(low, high):
    return Interval.between(low, high, 0.95)


def test_each_end_holds_with_the_confidence_and_both_with_what_is_left():
    assert Interval.between(0, 1, 0.95) == Interval(low=0.0, high=1.0, confidence=0.9)


@pytest.mark.parametrize(
    "low,high,minimum,maximum,outcome",
    [
        (0.8, 0.9, 0.8, None, Outcome.PASSED),
        (0.79, 0.9, 0.8, None, Outcome.INCONCLUSIVE),
        (0.6, 0.8, 0.8, None, Outcome.INCONCLUSIVE),
        (0.6, 0.79, 0.8, None, Outcome.FAILED),
        (0.1, 0.2, None, 0.2, Outcome.PASSED),
        (0.1, 0.3, None, 0.2, Outcome.INCONCLUSIVE),
        (0.21, 0.3, None, 0.2, Outcome.FAILED),
        (0.4, 0.5, 0.3, 0.6, Outcome.PASSED),
        (0.1, 0.7, 0.3, 0.6, Outcome.INCONCLUSIVE),
        (0.7, 0.8, 0.3, 0.6, Outcome.FAILED),
        (math.nan, 0.9, 0.1, None, Outcome.INCONCLUSIVE),
        (math.nan, math.nan, 0.1, None, Outcome.INCONCLUSIVE),
        (0.5, math.nan, 0.1, None, Outcome.INCONCLUSIVE),
        (0.5, 0.6, math.nan, None, Outcome.INCONCLUSIVE),
        (-math.inf, math.inf, 0.1, None, Outcome.INCONCLUSIVE),
    ],
)
def test_verdict_needs_the_whole_interval_on_one_side(low, high, minimum, maximum, outcome):
    assert verdict(between(low, high), minimum=minimum, maximum=maximum) is outcome


def test_verdict_without_a_bound_is_refused():
    with pytest.raises(ConfigurationError, match="nothing to judge by"):
        verdict(between(0, 1))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_only_one_side_of_a_minimum_can_be_proven(one, two, minimum):
    low, high = sorted((one, two))
    outcome = verdict(between(low, high), minimum=minimum)

    assert (outcome is Outcome.PASSED) == (low >= minimum)
    assert (outcome is Outcome.FAILED) == (high < minimum)


def test_twice_as_close_takes_four_times_the_rows():
    assert rows_needed(0.82, between(0.78, 0.86), 100, minimum=0.8) == 400
    assert rows_needed(0.78, between(0.74, 0.82), 100, minimum=0.8) == 400
    assert rows_needed(0.18, between(0.14, 0.22), 100, maximum=0.2) == 400


def test_rows_needed_are_rounded_up_to_two_digits():
    assert rows_needed(0.82, between(0.777, 0.86), 1000, minimum=0.8) == 4700


def test_the_harder_of_two_bounds_says_how_many_rows_are_needed():
    assert rows_needed(0.82, between(0.72, 0.92), 100, minimum=0.8, maximum=0.87) == 2500


def test_no_number_of_rows_decides_for_a_value_on_the_bound():
    assert rows_needed(0.8, between(0.7, 0.9), 100, minimum=0.8) is None


def test_no_number_of_rows_is_told_without_an_interval():
    assert rows_needed(0.9, between(-math.inf, math.inf), 3, minimum=0.8) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60))
def test_delong_areas_are_those_of_scikit_learn_with_ties(rows):
    target, score = map(np.array, zip(*rows, strict=True))
    if target.all() or not target.any():
        with pytest.raises(ConfigurationError, match="both classes"):
            delong(target, score)
        return
    areas, _ = delong(target, score, -score)

    assert areas[0] == pytest.approx(roc_auc_score(target, score))
    assert areas[1] == pytest.approx(1 - areas[0])


def test_delong_covariance_is_that_of_its_definition():
    rng = np.random.default_rng(3)
    target = np.arange(40) < 15
    scores = rng.integers(0, 6, size=(2, 40)) + target
    kernel = np.sign(scores[:, target][:, :, None] - scores[:, ~target][:, None, :]) / 2 + 0.5
    expected = np.cov(kernel.mean(axis=2)) / 15 + np.cov(kernel.mean(axis=1)) / 25

    _, covariance = delong(target, *scores)

    np.testing.assert_allclose(covariance, expected)


def test_influences_of_rows_add_up_to_the_variance_that_delong_gives():
    rng = np.random.default_rng(4)
    target = np.arange(300) < 100
    score = rng.integers(0, 9, 300) + 2 * target
    areas, covariance = delong(target, score)

    area, influence = auc_influence(target, score)

    assert area == pytest.approx(areas[0])
    assert influence @ influence == pytest.approx(covariance[0, 0], rel=0.02)


def test_delong_does_not_know_how_a_single_positive_row_varies():
    areas, covariance = delong([1, 0, 0, 0], [0.9, 0.1, 0.95, 0.3])

    assert areas[0] == pytest.approx(2 / 3)
    assert np.isnan(covariance).all()
    found = auc_interval(float(areas[0]), float(covariance[0, 0]), 1, 3)
    assert 0 <= found.low < 2 / 3 < found.high <= 1


def test_perfect_ranking_of_few_rows_may_be_luck():
    areas, covariance = delong([1, 1, 1, 0, 0, 0], [6, 5, 4, 3, 2, 1])
    few = auc_interval(float(areas[0]), float(covariance[0, 0]), 3, 3)
    many = auc_interval(1.0, 0.0, 3000, 3000)

    assert areas[0] == 1
    assert few.low < 0.8
    assert 0.99 < many.low < many.high == 1


@pytest.mark.parametrize("positives,negatives,auc", [(10, 90, 0.6), (10, 90, 0.9), (50, 450, 0.8), (30, 30, 0.99)])
def test_each_end_of_an_auc_interval_misses_at_most_one_time_in_twenty(positives, negatives, auc):
    rng = np.random.default_rng(0)
    target = np.arange(positives + negatives) < positives
    beyond = np.zeros(2)
    for _ in range(600):
        scores = rng.normal(size=target.size) + math.sqrt(2) * norm.ppf(auc) * target
        areas, covariance = delong(target, scores)
        found = auc_interval(float(areas[0]), float(covariance[0, 0]), positives, negatives)
        beyond += [found.low > auc, found.high < auc]

    # 0.05 and three standard errors of 600 trials.
    assert (beyond / 600 <= 0.077).all()


def test_difference_of_two_paired_areas_covers_zero_as_often_as_it_says():
    rng = np.random.default_rng(1)
    target = np.arange(200) < 60
    missed = 0
    for _ in range(600):
        shared = rng.normal(size=200) + target
        areas, covariance = delong(target, shared + rng.normal(size=200) / 2, shared + rng.normal(size=200) / 2)
        deviation = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
        missed += areas[0] - areas[1] > norm.ppf(0.95) * deviation

    assert 0.023 <= missed / 600 <= 0.077


@pytest.mark.parametrize("share,calls", [(0.5, 5), (0.95, 59), (0.99, 299)])
def test_a_percentile_needs_a_number_of_calls_to_be_bounded(share, calls):
    assert calls_needed(share) == calls
    assert math.isfinite(percentile_interval(range(calls), share).high)
    assert math.isinf(percentile_interval(range(calls - 1), share).high)


def test_too_few_calls_bound_a_percentile_only_from_below():
    found = percentile_interval([3.0, 1.0, 2.0], 0.95)

    assert (found.low, found.high) == (2.0, math.inf)
    assert percentile_interval([1.0], 0.5).low == -math.inf


@given(st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.94, 0.99]))
def test_percentile_ends_are_the_nearest_ranks_that_hold(calls, share):
    found = percentile_interval(range(calls), share)
    below = binom.cdf(np.arange(calls), calls, share)

    # Rank k is beyond the percentile with the chance that at most k values are below it.
    assert found.high == (np.argmax(below >= 0.95) if (below >= 0.95).any() else math.inf)
    assert found.low == (np.flatnonzero(below <= 0.05)[-1] if (below <= 0.05).any() else -math.inf)


def test_percentile_of_a_skewed_time_is_missed_at_most_one_time_in_twenty():
    times = np.random.default_rng(5).lognormal(size=(2000, 100))
    true = math.exp(norm.ppf(0.95))
    found = [percentile_interval(sample, 0.95) for sample in times]

    assert np.mean([one.high < true for one in found]) <= 0.065
    assert np.mean([one.low > true for one in found]) <= 0.065
