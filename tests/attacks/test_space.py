import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.space import Space, arrays

NOTHING = Constraints()


def decoded(space, points, rows, origin):
    return space.decode(points, arrays(rows), origin, np.arange(len(rows)))


def test_rows_that_nothing_was_done_to_come_back_to_the_last_bit(loans):
    space = Space.of(loans, NOTHING)
    origin = space.encode(loans)

    pd.testing.assert_frame_equal(decoded(space, origin, loans, origin), loans, check_exact=True)


def test_only_what_was_moved_is_different_and_all_types_stay(loans):
    space = Space.of(loans, NOTHING)
    origin = space.encode(loans)
    moved = np.where(np.isnan(origin), origin, space.snap(origin + 1.5, origin))
    for feature, levels in space.levels.items():
        moved[:, feature] = (origin[:, feature] + 1) % len(levels)
    rows = decoded(space, moved, loans, origin)

    assert rows.dtypes.equals(loans.dtypes)
    assert ((rows["age"] - loans["age"]) == 1).all()
    assert ((rows["years"] - loans["years"]).dropna() == 1).all()
    assert (rows["owner"] != loans["owner"]).all()
    assert (rows["job"] != loans["job"]).all()
    assert (rows["since"] == loans["since"]).all()
    pd.testing.assert_frame_equal(rows.isna(), loans.isna())


def test_numbers_beyond_what_a_float_can_hold_keep_their_last_digit():
    rows = pd.DataFrame({"id": [2**60 + 1, 2**60 + 3], "x": [0.5, 1.5]})
    space = Space.of(rows, NOTHING)
    origin = space.encode(rows)

    assert decoded(space, origin + np.array([0, 1]), rows, origin)["id"].tolist() == [2**60 + 1, 2**60 + 3]


def test_columns_without_a_string_for_a_name_and_frames_of_floats_only():
    rows = pd.DataFrame(np.arange(6.0).reshape(3, 2) + 0.5)
    space = Space.of(rows, Constraints(immutable=("1",)))
    origin = space.encode(rows)

    assert space.plain
    assert space.number.tolist() == [True, False]
    pd.testing.assert_frame_equal(decoded(space, origin, rows, origin), rows)


def test_limits_hold_direction_range_steps_and_budget():
    rows = pd.DataFrame({"up": [0.5, 4.5], "down": [0.5, 4.5], "whole": [0, 4], "fixed": [0.5, 4.5]})
    constraints = Constraints(increasing=("up",), decreasing=("down",), immutable=("fixed",), quantiles=(0.0, 1.0))
    space = Space.of(rows, constraints)

    low, high = space.limits(space.encode(rows), 0.6)

    assert low[1].tolist() == pytest.approx([4.5, 4.5 - 1.2, 3.0, 4.5])
    assert high[0].tolist() == pytest.approx([0.5 + 1.2, 0.5, 1.0, 0.5])
    assert (high[1] == [4.5, 4.5, 4.0, 4.5]).all()


def test_row_outside_the_range_may_stay_and_come_back_but_not_go_farther():
    space = Space.of(pd.DataFrame({"x": [0.5, 10.5]}), Constraints(bounds={"x": (0, 5)}, units={"x": 1.0}))

    low, high = space.limits(np.array([[10.5]]), 100.0)

    assert (low.item(), high.item()) == (0.0, 10.5)


def test_missing_and_infinite_values_do_not_move():
    space = Space.of(pd.DataFrame({"x": [0.5, 1.7, np.nan, np.inf, -np.inf]}), NOTHING)
    origin = np.array([[np.nan], [np.inf], [-np.inf]])

    for end in space.limits(origin, 3.0):
        np.testing.assert_array_equal(end, origin)
    assert (space.moves(origin, origin) == 0).all()


@given(
    st.floats(-1e6, 1e6, width=32),
    st.floats(-1e6, 1e6),
    st.sampled_from(["float16", "float32", "Float32", "int64"]),
)
def test_rounding_never_goes_farther_than_was_asked_and_never_past_the_original(start, end, dtype):
    rows = pd.DataFrame({"x": pd.Series(np.clip([start, 1.25, 2.25], -6e4, 6e4)).astype(dtype.lower()).astype(dtype)})
    space = Space.of(rows, NOTHING)
    origin = space.encode(rows)[:1]
    asked = np.clip(np.array([[end]]), -6e4, 6e4)

    got = space.snap(asked, origin)

    assert abs(got - origin) <= abs(asked - origin)
    assert (got - origin) * (asked - origin) >= 0
    assert got.astype(dtype.lower()).astype(float) == got


def test_another_category_counts_what_it_costs_and_a_derived_feature_nothing():
    rows = pd.DataFrame({"job": ["a", "b"], "x": [0.5, 1.5], "double": [1.0, 3.0]})
    repair = lambda rows: rows.assign(double=2 * rows["x"])  # noqa: E731
    space = Space.of(rows, Constraints(category_cost=0.7, units={"x": 2.0}, derived=("double",), repair=repair))
    origin = space.encode(rows)

    assert space.moves(origin[::-1], origin).tolist() == [[0.7, 0.5, 0.0], [0.7, 0.5, 0.0]]


@pytest.mark.parametrize(
    "column,value,allowed",
    [
        ("income", 20_000.0, True),
        ("income", 1e9, False),
        ("age", 1, False),
        ("late", 0, True),
        ("job", "cook", True),
        ("town", "Delft", False),
        ("since", pd.Timestamp("1999-01-01"), False),
        ("left", -1e9, True),
    ],
)
def test_repair_that_changes_what_may_not_change_is_seen(loans, column, value, allowed):
    rows = loans[(loans["age"] > 1) & (loans["town"] == "Ghent") & (loans["late"] > 0)].head(5).reset_index(drop=True)
    constraints = Constraints(increasing=("age",), immutable=("town",), derived=("left",), repair=lambda rows: rows)
    space = Space.of(loans, constraints)
    changed = rows.copy()
    changed.loc[:, column] = pd.Series([value] * 5, dtype=rows[column].dtype)

    found = space.allows(changed, rows, space.encode(rows), np.arange(5))

    assert found.all() == allowed
    assert space.allows(rows, rows, space.encode(rows), np.arange(5)).all()
