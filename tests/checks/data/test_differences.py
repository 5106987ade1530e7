from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.data.differences import differences

VALUES = st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=3), st.booleans()), min_size=1)


def rows(one, other, tolerance=1e-6):
    return differences(pd.Series(one), pd.Series(other), tolerance=tolerance).rows.tolist()


@given(VALUES)
def test_a_column_is_the_same_as_itself(values):
    column = pd.Series(values, dtype=object)

    assert not differences(column, column.copy(), tolerance=0).rows.any()


@given(VALUES, VALUES)
def test_what_differs_does_not_depend_on_which_is_first(one, other):
    size = min(len(one), len(other))
    columns = [pd.Series(values[:size], dtype=object) for values in (one, other)]

    there, back = (differences(*pair, tolerance=1e-6).rows for pair in (columns, columns[::-1]))
    assert (there == back).all()


@pytest.mark.parametrize(
    "one, other, differ",
    [
        ([np.nan, np.inf, -np.inf, np.inf], [np.nan, np.inf, np.inf, 1.0], [False, False, True, True]),
        ([2**53, 2**60], [2**53 + 1, 2**60], [True, False]),
        ([1, 0], [True, False], [False, False]),
        ([1, 2], [1.0, 2.5], [False, True]),
        ([1e9, 0.0], [1e9, 1e-9], [False, False]),
        ([0.0], [1e-9], [True]),
        ([5, "5"], [5, 5], [False, True]),
        ([Decimal("1.5"), None], [1.5, np.nan], [False, False]),
        ([[1, 2], [1]], [[1, 2], [2]], [False, True]),
    ],
)
def test_values_are_compared_as_what_they_are(one, other, differ):
    assert rows(one, other) == differ


def test_arrays_in_cells_are_compared_whole():
    one = pd.Series([np.array([1, 2]), np.array([1, 2])], dtype=object)
    other = pd.Series([np.array([1, 2]), np.array([1, 3])], dtype=object)

    assert rows(one, other) == [False, True]


def test_categories_of_other_sets_are_compared_by_value():
    one, other = pd.Series(["a", "b"], dtype="category"), pd.Series(["a", "c"], dtype="category")

    assert rows(one, other) == [False, True]


def test_times_are_compared_as_moments_whatever_their_zone():
    naive = pd.Series(pd.to_datetime(["2026-01-01 12:00", "2026-01-02 00:00", None]))
    aware = naive.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    moved = aware + pd.to_timedelta([0, 90, 0], unit="s")
    found = differences(naive, moved, tolerance=0)

    assert rows(naive, aware) == [False, False, False]
    assert found.rows.tolist() == [False, True, False]
    assert found.distance[1] == 90


def test_nullable_numbers_are_numbers():
    assert rows(pd.array([1, None, 3], dtype="Int64"), [1.0, np.nan, 4.0]) == [False, False, True]


def test_the_year_that_says_never_is_a_time():
    one = pd.Series(np.array(["9999-12-31", "2026-01-01"], dtype="datetime64[us]"))
    other = pd.Series(np.array(["9999-12-31", "9999-12-31"], dtype="datetime64[s]"))

    assert rows(one, other) == [False, True]


def test_times_beside_other_objects_are_compared_one_by_one():
    moment = pd.Timestamp("2026-01-01")

    assert rows([moment, moment, 5], [moment.tz_localize("UTC"), moment, "5"]) == [True, False, True]
