import numpy as np
import pandas as pd
import pytest

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.features import Feature, same_values
from airflow_mltest.core.errors import ConfigurationError


def feature(values, name="x", **constraints):
    return Feature.of(pd.Series(values), name, Constraints(**constraints))


def test_number_moves_in_the_range_of_the_data_by_standard_deviations():
    found = feature([0.0, 0.5, 4.0, np.nan, np.inf])

    assert (found.number, found.integer, found.low, found.high) == (True, False, 0.0, 4.0)
    assert found.unit == pytest.approx(np.std([0.0, 0.5, 4.0]))


def test_quantiles_bounds_and_units_say_otherwise():
    values = np.linspace(0, 1, 101)

    assert feature(values, quantiles=(0.1, 0.9)).low == pytest.approx(0.1)
    assert feature(values, bounds={"x": (-1, 2)}).high == 2
    assert feature(values, units={"x": 7}).unit == 7


def test_whole_numbers_move_by_whole_steps_also_where_missing_values_made_them_floats():
    assert feature([1, 2, 3]).integer
    assert feature([1.0, 2.0, np.nan]).integer
    assert not feature([1.0, 2.0, np.nan], integer=()).integer
    assert feature([1.5, 2.0], integer=("x",)).integer


def test_bounds_never_ask_for_what_the_type_cannot_hold():
    found = feature(np.array([0, 5], dtype="int8"), bounds={"x": (-1000, 1000)})

    assert (found.low, found.high) == (-128, 127)
    assert feature(pd.array([0, 5], dtype="UInt8"), bounds={"x": (-1000, 1000)}).low == 0
    assert feature(np.array([0.5], dtype="float16"), bounds={"x": (-1e9, 1e9)}).high == 65504


def test_names_and_truth_values_may_become_others_that_the_data_has():
    assert feature(["b", "a", "b", None]).levels.tolist() == ["b", "a"]
    assert feature([True, False, False]).levels.tolist() == [False, True]
    assert feature(pd.Categorical(["a", "b"], categories=["a", "b", "unseen"])).levels.tolist() == ["a", "b"]
    assert feature([1, 2, 2], categorical=("x",)).levels.tolist() == [2, 1]


@pytest.mark.parametrize(
    "values",
    [["a", "a", None], [None, None], pd.date_range("2020-01-01", periods=3), [[1], [2]], [1j, 2j], pd.Categorical([])],
)
def test_what_has_nothing_to_become_stays(values):
    found = feature(values)

    assert not found.number
    assert found.levels is None


def test_only_the_named_categories_change_where_they_are_named():
    assert feature(["a", "b"], categorical=("other",)).levels is None


def test_immutable_and_derived_features_do_not_move_by_themselves():
    assert not feature([1.0, 2.0], immutable=("x",)).number
    derived = feature([1.0, 2.0], derived=("x",), repair=lambda rows: rows)
    assert derived.derived
    assert not derived.number


def test_of_thousands_of_levels_the_most_frequent_stand_for_the_rest():
    values = [str(number) for number in range(1000)] + ["often"] * 2

    assert len(feature(values).levels) == 20
    assert feature(values).levels[0] == "often"


def test_numbers_too_small_or_great_for_a_deviation_have_a_unit():
    assert feature([1e-200, 2e-200]).unit == 1.0
    assert feature([1e200, 2e200]).unit == 1.0


def test_column_without_values_has_a_unit_and_no_way_to_go():
    found = feature([np.nan, np.nan])

    assert (found.unit, found.low, found.high) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("word", ["increasing", "integer", "bounds", "units"])
def test_name_cannot_be_told_to_be_a_number(word):
    said = {"bounds": {"x": (0, 1)}, "units": {"x": 1}}.get(word, ("x",))

    with pytest.raises(ConfigurationError, match=f"{word} name 'x'"):
        feature(["a", "b"], **{word: said})


def test_missing_is_the_same_as_missing():
    one = pd.Series(["a", None, "b", None], dtype="string")
    other = pd.Series(["a", None, "c", "d"], dtype="string", index=[3, 2, 1, 0])

    assert same_values(one, other).tolist() == [True, True, False, False]
