from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.data.first_bounds import middles, outward, share_kept, stretched

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=10, max_size=40), st.booleans())
def test_range_holds_all_values_of_any_size(values, whole):
    found = np.floor(values) if whole else np.array(values)
    low, high = stretched(found, 0.1, whole=whole)

    assert low <= found.min()
    assert high >= found.max()
    assert not (found.min() >= 0 > low)
    assert not (found.max() <= 0 < high)


@given(st.lists(FINITE, min_size=10, max_size=40))
def test_mean_and_median_are_within_their_bounds(values):
    found = np.array(values)
    bounds = middles(found, 0.1)

    for name, value in (("mean", found.mean()), ("median", np.median(found))) if bounds else ():
        low, high = bounds[name]
        assert low <= value <= high or value == pytest.approx(low) or value == pytest.approx(high)


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.integers(1, count), st.just(count))))
def test_data_keeps_the_share_that_was_learned_from_it(counts):
    without, count = counts

    assert 0 <= share_kept(without, count, 0.0) <= 1 - without / count


def test_bounds_are_round_and_whole_numbers_stay_whole():
    assert outward(Decimal("-1.234"), Decimal("8.77"), Decimal("0.5"), whole=False) == (-1.5, 9.0)
    assert outward(Decimal("1.2"), Decimal("8.7"), Decimal("0.3"), whole=True) == (1, 9)
    assert outward(Decimal("0.11"), Decimal("0.29"), Decimal("0.07"), whole=False) == (0.1, 0.3)


def test_zero_is_written_in_one_way():
    low, high = stretched(np.linspace(0, 1.5, 100), 0.1, whole=False)

    assert (repr(low), repr(high)) == ("0.0", "1.8")
    assert repr(stretched(-np.linspace(0, 1.5, 100), 0.1, whole=False)[1]) == "0.0"
    assert repr(outward(Decimal("-0.3"), Decimal("-0.1"), Decimal(1), whole=False)[1]) == "0.0"


def test_end_with_few_values_has_more_room_than_the_margin():
    even, rare = np.linspace(0, 100, 1000), np.append(np.linspace(0, 50, 999), 100)

    assert stretched(even, 0.1, whole=True) == (0, 120)
    assert stretched(rare, 0.1, whole=True)[1] >= 195


def test_great_integers_keep_their_digits():
    ids = np.arange(2**62 + 1, 2**62 + 1001)

    assert stretched(ids, 0.0, whole=True)[0] <= 2**62 + 1
    assert stretched(ids, 0.0, whole=True)[1] < 2**62 + 1200


def test_another_sample_gives_the_same_bounds_or_one_nearby():
    rng = np.random.default_rng(0)
    found = [stretched(rng.normal(50, 10, 5000), 0.1, whole=False) for _ in range(8)]

    assert len({low for low, _ in found}) <= 2
    assert len({high for _, high in found}) <= 4
    assert np.ptp([high for _, high in found]) <= 40
