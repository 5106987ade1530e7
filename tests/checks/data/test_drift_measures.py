import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from airflow_mltest.checks.data.drift_measures import divergence, kolmogorov_smirnov, share_gap, wasserstein
from airflow_mltest.checks.data.steps import Steps

SHARES = {
    "ten alike": (np.full(10, 0.1), np.full(10, 0.1)),
    "two alike": (np.full(2, 0.5), np.full(2, 0.5)),
    "two apart": (np.array([0.9, 0.1]), np.array([0.8, 0.2])),
    "ten apart": (np.arange(1, 11) / 55, np.full(10, 0.1)),
    "far apart": (np.arange(1, 11) / 55, np.arange(10, 0, -1) / 55),
}
METHODS = ["psi", "jensen_shannon", "chi_squared"]
few_numbers = st.lists(st.integers(-5, 5) | st.floats(-1e6, 1e6), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(few_numbers, few_numbers)
def test_distances_of_ordered_values_are_those_of_their_definitions(reference, current):
    steps = Steps.of(np.array(reference, dtype=float), np.array(current, dtype=float))

    gap = max(abs(np.mean(np.array(reference) <= x) - np.mean(np.array(current) <= x)) for x in reference + current)
    assert kolmogorov_smirnov(steps, 0.05, 0.95).value == pytest.approx(gap)
    distance = stats.wasserstein_distance(reference, current)
    assert steps.distance() == pytest.approx(distance, rel=1e-6, abs=1e-6)


def test_many_rows_are_compared_as_closely_as_is_said():
    rng = np.random.default_rng(0)
    reference, current = rng.lognormal(size=200_000), rng.lognormal(0.1, 1.2, size=100_000)
    steps = Steps.of(reference, current)
    exact = stats.ks_2samp(reference, current).statistic

    assert 0 < steps.resolution <= 1 / 8192
    assert exact - steps.resolution <= kolmogorov_smirnov(steps, 0.05, 0.95).value <= exact
    assert steps.distance() == pytest.approx(stats.wasserstein_distance(reference, current), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(few_numbers, few_numbers)
def test_bins_hold_every_row_once_and_none_is_empty(reference, current):
    counts = Steps.of(np.array(reference, dtype=float), np.array(current, dtype=float)).binned(10)

    assert [one.sum() for one in counts] == [len(reference), len(current)]
    assert (counts[0] + counts[1] > 0).all()


def test_value_that_most_rows_share_has_a_bin_of_its_own():
    reference = np.array([0.0] * 60 + list(range(1, 41)))
    below = np.array([-1.0] * 60 + list(range(1, 41)))
    steps = Steps.of(reference, below)

    assert divergence("psi", *steps.binned(10), 0.1, 0.95).value > 1
    constant = Steps.of(np.full(500, 3.0), np.full(500, 2.0))
    assert divergence("jensen_shannon", *constant.binned(10), 0.1, 0.95).value == pytest.approx(1, abs=0.01)


def test_values_of_the_divergences_are_those_of_their_definitions():
    reference, current = np.array([500_000, 300_000, 200_000]), np.array([400_000, 300_000, 300_000])
    p, q = reference / reference.sum(), current / current.sum()

    assert divergence("psi", reference, current, 0.1, 0.95).value == pytest.approx(
        ((p - q) * np.log(p / q)).sum(), abs=1e-4
    )
    m = (p + q) / 2
    jensen = math.sqrt((p * np.log2(p / m) + q * np.log2(q / m)).sum() / 2)
    assert divergence("jensen_shannon", reference, current, 0.1, 0.95).value == pytest.approx(jensen, abs=1e-4)
    cramer = stats.contingency.association(np.array([reference, current]), method="cramer")
    assert divergence("chi_squared", reference, current, 0.1, 0.95).value == pytest.approx(cramer, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("rows", [(1000, 1000), (5000, 300)], ids=str)
def test_true_distance_is_beyond_an_end_as_seldom_as_is_said(method, shares, rows):
    p, q = SHARES[shares]
    true = divergence(method, p * 1e9, q * 1e9, 0.1, 0.95).value
    rng = np.random.default_rng(0)
    drawn = [
        divergence(method, rng.multinomial(rows[0], p), rng.multinomial(rows[1], q), true, 0.95) for _ in range(300)
    ]

    # 5 %, and three standard errors of 300 trials; the bias is a tenth of the bound at most.
    assert sum(one.interval.low > true + 1e-6 for one in drawn) <= 0.09 * 300
    assert sum(one.interval.high < true - 1e-6 for one in drawn) <= 0.09 * 300
    assert sum(one.chance < 0.05 for one in drawn) <= 0.09 * 300
    if true > 0.01:
        assert np.mean([one.value for one in drawn]) == pytest.approx(true, rel=0.1)


@pytest.mark.parametrize("measure, true", [(kolmogorov_smirnov, 0.0797), (wasserstein, 0.2)])
@pytest.mark.parametrize("moved", [0.0, 0.2])
def test_ordered_values_are_beyond_an_end_at_most_as_often_as_is_said(measure, true, moved):
    rng, true = np.random.default_rng(0), true if moved else 0.0
    drawn = [measure(Steps.of(rng.normal(size=1000), rng.normal(moved, size=700)), true, 0.95) for _ in range(300)]

    assert sum(one.interval.low > true + 1e-4 for one in drawn) <= 0.09 * 300
    assert sum(one.interval.high < true - 1e-4 for one in drawn) <= 0.09 * 300
    assert sum(one.chance < 0.05 for one in drawn) <= 0.09 * 300


@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.02, 0.08), (0.0, 0.05)], ids=str)
def test_gap_of_shares_is_beyond_an_end_as_seldom_as_is_said(shares):
    rng, true = np.random.default_rng(0), abs(shares[0] - shares[1])
    drawn = [
        share_gap((rng.binomial(400, shares[0]), rng.binomial(200, shares[1])), (400, 200), true, 0.95)
        for _ in range(500)
    ]

    assert sum(one.interval.low > true for one in drawn) <= 0.085 * 500
    assert sum(one.interval.high < true for one in drawn) <= 0.085 * 500
    # Of two equal shares either may seem greater.
    assert sum(one.chance < 0.05 for one in drawn) <= (0.085 if true else 0.13) * 500


def test_million_rows_make_the_interval_narrow_and_the_numbers_stay_numbers():
    rows = np.array([300_000_000, 700_000_000])
    for method in METHODS:
        found = divergence(method, rows, rows[::-1], 0.1, 0.95)

        assert 0 < found.interval.low <= found.value <= found.interval.high
        assert found.interval.high - found.interval.low < 1e-3
        assert found.chance == 0


@pytest.mark.parametrize("method", METHODS)
def test_what_never_varied_may_still_have_an_unseen_value(method):
    few, many = (divergence(method, np.array([n]), np.array([n]), 0.1, 0.95) for n in (5, 5000))

    assert few.value == many.value == 0
    assert few.interval.high > 0.1 > many.interval.high


def test_few_rows_say_nothing_of_a_mean_distance():
    found = wasserstein(Steps.of(np.arange(19.0), np.arange(19.0) + 100), 0.1, 0.95)

    assert found.interval.high == math.inf
    assert found.chance == 1


def test_numbers_too_great_for_a_deviation_still_have_an_order():
    steps = Steps.of(1.7e308 * np.linspace(-1, 1, 1000), 1.7e308 * np.linspace(0, 1, 1000))

    assert kolmogorov_smirnov(steps, 0.05, 0.95).value == pytest.approx(0.5, abs=0.01)
    assert math.isnan(wasserstein(steps, 0.1, 0.95).value)
