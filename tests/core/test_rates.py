import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from airflow_mltest.core.rates import paired_rates, rows_to_show
from airflow_mltest.core.statistics import Interval

counts = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200)).filter(sum)


def score(gained, lost, rows, true):
    """Tango's statistic, by its definition: the likeliest share of `lost` is searched on a grid."""
    lowest, highest = max(0.0, -true), (1 - true) / 2
    share = np.linspace(lowest, highest, 400_001)[1:-1]
    likelihood = gained * np.log(share + true) + lost * np.log(share)
    likelihood += (rows - gained - lost) * np.log(1 - 2 * share - true)
    best = share[np.argmax(likelihood)]
    return (gained - lost - rows * true) / math.sqrt(rows * (2 * best + true * (1 - true)))


@given(counts)
def test_interval_holds_the_seen_difference_and_mirrors(table):
    gained, lost, same = table
    rows = gained + lost + same
    found, mirrored = paired_rates(gained, lost, rows), paired_rates(lost, gained, rows)

    assert -1 <= found.low <= (gained - lost) / rows <= found.high <= 1
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@pytest.mark.parametrize("gained,lost,rows", [(12, 3, 100), (30, 2, 60), (5, 6, 1000)])
def test_ends_are_where_tangos_statistic_is_a_normal_quantile(gained, lost, rows):
    found = paired_rates(gained, lost, rows)

    assert score(gained, lost, rows, found.low) == pytest.approx(norm.ppf(0.95), abs=1e-3)
    assert score(gained, lost, rows, found.high) == pytest.approx(-norm.ppf(0.95), abs=1e-3)


@given(counts)
def test_an_end_is_beyond_no_difference_only_where_mcnemars_exact_test_is(table):
    gained, lost, same = table
    found = paired_rates(gained, lost, gained + lost + same)

    if found.low > 0:
        assert binomtest(gained, gained + lost, alternative="greater").pvalue <= 0.05 + 1e-12
    if found.high < 0:
        assert binomtest(lost, gained + lost, alternative="greater").pvalue <= 0.05 + 1e-12


def test_two_models_that_never_differ_may_still_differ():
    few, many = paired_rates(0, 0, 50), paired_rates(0, 0, 50_000)

    assert few.low == pytest.approx(-few.high)
    assert few.high > 0.04
    assert many.high < 0.0001


@pytest.mark.parametrize("rows,discordance", [(200, 0.06), (200, 0.2)])
@pytest.mark.parametrize("true", [-0.01, -0.02, 0.0])
def test_each_end_misses_at_most_about_one_time_in_twenty_counted_over_all_tables(rows, discordance, true):
    share, below, above = (discordance + true) / 2 / discordance, 0.0, 0.0
    for differing in range(int(binom.isf(1e-5, rows, discordance)) + 1):
        chance = binom.pmf(differing, rows, discordance)
        for gained, likely in enumerate(binom.pmf(np.arange(differing + 1), differing, share)):
            if chance * likely > 1e-7:
                found = paired_rates(gained, differing - gained, rows)
                above += chance * likely * (found.low > true)
                below += chance * likely * (found.high < true)

    assert above <= 0.0605
    assert below <= 0.0605


def test_rows_to_show_are_those_of_the_textbook():
    rows, discordance, margin = 100_000, 0.06, 0.01
    reach = norm.ppf(0.95) * math.sqrt(discordance / rows)
    expected = (norm.ppf(0.95) + norm.ppf(0.8)) ** 2 * discordance / margin**2

    found = rows_to_show(Interval.between(-reach, reach, 0.95), rows, margin)

    assert expected <= found <= expected * 1.03


def test_no_rows_show_a_margin_of_nothing():
    assert rows_to_show(Interval.between(-0.1, 0.1, 0.95), 100, 0.0) is None
    assert rows_to_show(Interval.between(-math.inf, math.inf, 0.95), 100, 0.1) is None
