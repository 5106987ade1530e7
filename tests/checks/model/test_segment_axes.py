import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.model.segment_axes import Constant, Levels, Numbers, axes_of

EVERYTHING = np.ones(100, dtype=bool)


def numbers(values, bins=4):
    return Numbers.of("age", np.asarray(values, dtype=float), bins)


def levels(values, losses=None, bins=20):
    values = pd.Series(values)
    losses = np.zeros(len(values)) if losses is None else np.asarray(losses, dtype=float)
    return Levels.of("country", values, losses, np.ones(len(values), dtype=bool), bins)


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=60), st.integers(2, 8))
def test_bins_hold_the_rows_of_their_side(values, bins):
    axis = numbers([math.nan if value is None else value for value in values], bins)

    assert 0 <= axis.codes.min() <= axis.codes.max() < axis.bins
    for first in range(axis.bins):
        for last in range(first, axis.bins):
            within = (axis.codes >= first) & (axis.codes <= last)
            assert (axis.holds(axis.side(first, last)) == within).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-9, 9)), min_size=1, max_size=25))
def test_best_range_has_the_greatest_sum_of_all_ranges(rows):
    values, gains = (np.array(one, dtype=float) for one in zip(*rows, strict=True))
    axis = numbers(values)
    best = axis.holds(axis.best(np.ones(len(values), dtype=bool), gains))
    sums = [gains[(values >= low) & (values <= high)].sum() for low in range(7) for high in range(low, 7)]
    inhabited = [
        s
        for s, n in zip(
            sums, [((values >= a) & (values <= b)).sum() for a in range(7) for b in range(a, 7)], strict=True
        )
        if n
    ]

    assert gains[best].sum() == pytest.approx(max(inhabited))


@pytest.mark.parametrize(
    "side,words",
    [
        ((-math.inf, 40.0), "age < 40"),
        ((12.3, 40.0), "12.3 <= age < 40"),
        ((12.3, math.inf), "age >= 12.3"),
        ((12.3, None), "age >= 12.3 or missing"),
        ((math.inf, None), "age missing"),
        ((-math.inf, math.inf), "age not missing"),
        ((-math.inf, None), ""),
    ],
)
def test_ranges_are_told_in_words(side, words):
    assert numbers([1, 2, 3, math.nan]).words(side) == words


def test_missing_is_only_told_where_something_is():
    assert numbers([1, 2, 3]).words((2.0, None)) == "age >= 2"


def test_cut_between_two_rows_has_few_digits():
    axis = numbers(np.array([1.23456, 1.98765, 7.0, 9.0]))

    assert axis.best(np.ones(4, dtype=bool), np.array([-1.0, 1.0, 1.0, -1.0])) == (1.6, 8.0)


def test_the_worst_levels_are_neighbours_and_are_told_by_name():
    axis = levels(["de", "nl", "fr", "be"] * 25, [1, 1, 0, 0.5] * 25)

    assert axis.words(axis.side(2, 3)) == "country in {de, nl}"
    assert axis.words(axis.side(0, 0)) == "country = fr"
    assert axis.words(axis.side(0, 3)) == ""
    assert axis.holds(axis.side(2, 3)).tolist() == [True, True, False, False] * 25


def test_best_levels_are_those_that_gain():
    axis = levels(["de", "nl", "fr", None] * 25)
    side = axis.best(EVERYTHING, np.tile([1.0, -1.0, -1.0, 1.0], 25))

    assert axis.words(side) == "country in {de, missing}"


def test_rare_levels_are_one_and_told_by_what_they_are_not():
    axis = levels(["a"] * 50 + ["b"] * 40 + list("cdefghijkl"), [0] * 90 + [1] * 10, bins=3)

    assert axis.bins == 3
    assert axis.words(axis.side(2, 2)) == "country not in {a, b}"


def test_columns_of_any_type_are_cut_and_those_of_one_value_left_out():
    rows = pd.DataFrame(
        {
            "number": np.arange(100.0),
            "count": pd.array([*range(99), None], dtype="Int64"),
            "flag": np.arange(100) % 2 == 0,
            "word": ["a", "b"] * 50,
            "kind": pd.Categorical(["x", "y"] * 50),
            "constant": 1,
            "missing": np.nan,
        }
    )
    axes = axes_of(rows, np.zeros(100), EVERYTHING)

    assert [axis.name for axis in axes] == ["number", "count", "flag", "word", "kind"]


def test_no_feature_holds_all_rows_and_says_nothing():
    none = Constant()

    assert none.bins == 1
    assert none.words(none.side(0, 0)) == ""
    assert none.best(EVERYTHING, np.zeros(100)) is None
    assert none.holds(None).all()
