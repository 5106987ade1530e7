import datetime as dt
import json
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.first_suite import learn
from airflow_mltest.core.errors import ConfigurationError

COUNT = 200


def asked(values, name="x", **more):
    """Give what is asked of a column, by the name of the question without what all of them have."""
    lessons = learn(pd.DataFrame({name: values}), **more)
    return {
        lesson.expectation["type"].removeprefix("expect_column_").removeprefix("values_"): {
            key: value for key, value in lesson.expectation["kwargs"].items() if key != "column"
        }
        for lesson in lessons
        if lesson.column
    }


def note_of(values, **more):
    lessons = learn(pd.DataFrame({"x": values}), **more)
    exists = next(lesson for lesson in lessons if lesson.expectation["type"] == "expect_column_to_exist")
    return exists.expectation.get("meta", {}).get("note", "")


def text(rng, length):
    return "".join(rng.choice(list("abcdefghij"), length))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_table_is_asked_for_its_columns_and_about_its_rows_as_warnings():
    rows = pd.DataFrame({"b": range(COUNT), "a": range(COUNT)})
    count, columns = (lesson.expectation for lesson in learn(rows)[:2])

    assert count["kwargs"] == {"min_value": 100, "max_value": 400}
    assert columns["kwargs"] == {"column_set": ["b", "a"], "exact_match": True}
    assert count["severity"] == columns["severity"] == "warning"


def test_columns_come_in_the_order_of_the_data_and_only_those_that_were_asked_for():
    rows = pd.DataFrame({"b": range(COUNT), "a": range(COUNT), "c": range(COUNT)})
    lessons = learn(rows, columns=["c", "b"])

    assert list(dict.fromkeys(lesson.column for lesson in lessons)) == ["", "b", "c"]
    assert "expect_table_columns_to_match_set" not in {lesson.expectation["type"] for lesson in lessons}


def test_column_that_is_not_there_is_told_with_the_nearest_name():
    with pytest.raises(ConfigurationError, match="no column 'agee'; did you mean 'age'"):
        learn(pd.DataFrame({"age": [1]}), columns=["agee"])


@pytest.mark.parametrize("margin", [-0.1, 1.5, float("nan")])
def test_margin_that_is_no_share_is_refused(margin):
    with pytest.raises(ConfigurationError, match="margin is a share from 0 to 1"):
        learn(pd.DataFrame({"x": [1]}), margin=margin)


def test_table_without_rows_or_with_two_columns_of_one_name_teaches_nothing():
    with pytest.raises(ConfigurationError, match=r"t\.csv has no rows"):
        learn(pd.DataFrame({"x": []}), name="t.csv")
    with pytest.raises(ConfigurationError, match="more than one column 'x'"):
        learn(pd.DataFrame([[1, 2]], columns=["x", "x"]))


def test_one_row_teaches_types_and_what_is_there():
    assert asked([7]) == {"to_exist": {}, "to_be_of_type": {"type_": "int64"}, "to_not_be_null": {}}
    assert note_of([7]) == "too few values to learn more from: 1"


def test_missing_values_are_allowed_with_a_margin_and_none_where_none_was_missing(rng):
    values = rng.normal(size=10_000)

    assert asked(values)["to_not_be_null"] == {}
    assert asked(np.where(np.arange(10_000) % 40 == 0, np.nan, values))["to_not_be_null"] == {"mostly": 0.96}


def test_column_of_nothing_is_only_asked_to_be_there():
    assert asked([None] * COUNT) == {"to_exist": {}}
    assert note_of([np.nan] * COUNT) == "all values are missing"


@pytest.mark.parametrize(
    "values, found",
    [
        (["b", "a"] * 100, ["a", "b"]),
        ([True, False] * 100, [False, True]),
        ([3, 1] * 100, [1, 3]),
        ([1.0, 0.0, np.nan, 0.0] * 50, [0, 1]),
        (pd.Categorical(["b", "a"] * 100), ["a", "b"]),
        (pd.array([2, None] * 100, dtype="Int64"), [2]),
        ([1.5] * COUNT, [1.5]),
        (["same"] * COUNT, ["same"]),
        ([True, None] * 100, [True]),
    ],
)
def test_few_values_are_a_sorted_set(values, found):
    assert asked(values)["to_be_in_set"] == {"value_set": found}
    json.dumps(asked(values), allow_nan=False)


def test_set_with_rare_texts_leaves_room_for_those_that_are_not_seen_yet():
    values = ["a"] * 9_000 + ["b"] * 990 + ["c", "d", "e", "e", "e"] * 2

    assert asked(values)["to_be_in_set"] == {"value_set": ["a", "b", "c", "d", "e"], "mostly": 0.9985}


def test_counts_with_a_rare_tail_are_a_range_and_no_set(rng):
    found = asked(rng.poisson(2, 5000))

    assert "to_be_in_set" not in found
    assert found["to_be_between"]["min_value"] == 0


def test_many_texts_have_a_length(rng):
    values = [text(rng, length) + " x" for length in rng.integers(10, 30, 1000)]
    found = asked(values)

    assert "to_be_unique" not in found
    assert 8 <= found["value_lengths_to_be_between"]["min_value"] <= 12
    assert 31 <= found["value_lengths_to_be_between"]["max_value"] <= 40
    assert isinstance(found["value_lengths_to_be_between"]["min_value"], int)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda day: day.isoformat(), "ISO dates"),
        (lambda day: f"{day.isoformat()}T10:00:00Z", "ISO times"),
        (lambda day: str(uuid.UUID(int=day.toordinal())), "UUIDs"),
    ],
)
def test_texts_of_one_format_are_asked_for_it(make, words):
    rows = pd.DataFrame({"x": [make(dt.date(2026, 1, 1) + dt.timedelta(days=day)) for day in range(COUNT)]})
    lessons = learn(rows)

    assert words in [lesson.words for lesson in lessons]
    assert ("all different" in [lesson.words for lesson in lessons]) is (words == "UUIDs")


@pytest.mark.parametrize(
    "values, name, unique",
    [
        (range(COUNT), "x", True),
        ([f"N{number}" for number in range(COUNT)], "x", True),
        (np.arange(COUNT) * 10**12, "x", False),  # as far apart as incomes: different by luck
        (np.arange(COUNT) * 10**12, "customer_id", True),
        (np.arange(COUNT) * 10**12, "customerId", True),
        (np.arange(COUNT) * 10**12, "paid", False),
        (np.arange(COUNT) + 0.5, "x", False),
        ([f"a text {number}" for number in range(COUNT)], "x", False),
        ([f"N{number}" for number in range(30)], "x", False),
        ([f"N{number}" for number in range(30)], "key", True),
        ([None, *(f"N{number}" for number in range(COUNT))], "id", False),
    ],
)
def test_keys_are_unique_and_numbers_that_differ_by_luck_are_not(values, name, unique):
    found = asked(list(values), name)

    assert ("to_be_unique" in found) is unique
    assert not (unique and "to_be_between" in found)


def test_numbers_have_a_range_a_mean_and_a_median(rng):
    lessons = learn(pd.DataFrame({"x": rng.normal(50, 10, 5000)}))
    found = {lesson.expectation["type"]: lesson.expectation for lesson in lessons}

    assert found["expect_column_values_to_be_between"]["kwargs"]["max_value"] in {100, 110, 120}
    assert found["expect_column_mean_to_be_between"]["kwargs"] == {"column": "x", "min_value": 48, "max_value": 52}
    assert found["expect_column_median_to_be_between"]["severity"] == "warning"
    assert "severity" not in found["expect_column_values_to_be_between"]


def test_whole_numbers_have_whole_bounds_also_as_floats(rng):
    values = rng.integers(0, 1000, 500).astype(float)
    values[::50] = np.nan
    found = asked(values)

    assert found["to_be_between"] == {"min_value": 0, "max_value": 1100}
    assert all(isinstance(bound, int) for bound in found["to_be_between"].values())
    assert found["to_be_in_type_list"] == {"type_list": ["int64", "float64"]}


def test_infinite_values_are_left_out_of_the_range_and_told(rng):
    values = np.append(rng.normal(size=5000), [np.inf, -np.inf])
    found = asked(values)

    assert found["to_be_between"]["max_value"] < 20
    assert found["to_be_between"]["mostly"] == 0.994
    assert "mean_to_be_between" not in found
    assert note_of(values) == "2 of 5002 values are infinite"
    assert note_of([np.inf] * COUNT) == "too few finite values to learn more from: 0"


@pytest.mark.parametrize(
    "values, told",
    [
        ([1, "a"] * 100, "values of several types"),
        ([[1], [2]] * 100, "values of several types"),
        ([b"a", b"b"] * 100, "only the type"),
        (pd.to_timedelta(range(COUNT), unit="h"), "durations"),
        (pd.Categorical([1, 2] * 100), "categories"),
        (np.arange(COUNT) * 1j, "only the type"),
        ([dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1)] * 100, "several types"),  # noqa: DTZ001
    ],
)
def test_values_that_nothing_is_learned_of_are_told(values, told):
    assert told in note_of(values)
    assert set(asked(values)) == {"to_exist", "to_be_of_type", "to_not_be_null"}


@pytest.mark.parametrize(
    "values, first",
    [
        (pd.date_range("2026-01-11", periods=100), "2026-01-01T00:00:00"),
        (pd.date_range("2026-01-11", periods=100, tz="Europe/Berlin"), "2026-01-01T00:00:00+00:00"),
        (pd.date_range("2016-01-01", "2025-12-20", periods=100), "2015-01-01T00:00:00"),
        (list(pd.date_range("2026-01-11", periods=100).date), "2026-01-01"),
        (np.array(["0001-01-02", "9999-01-01"] * 50, dtype="datetime64[s]"), "0001-01-01T00:00:00"),
    ],
)
def test_times_have_a_beginning_and_no_end(values, first):
    assert asked(pd.Series(values))["to_be_between"] == {"min_value": first}


def test_values_of_personal_data_are_not_in_the_suite(rng):
    mails = [f"{text(rng, 8)}@mail.example" for _ in range(COUNT)]
    cards = ["4111111111111111", "5555555555554444"] * 100

    for values in (mails, mails[:2] * 100, cards, pd.Categorical(cards)):
        assert set(asked(values, "id")) == {
            "to_exist",
            "to_be_of_type",
            "to_not_be_null",
            "value_lengths_to_be_between",
        }
        assert "personal data" in note_of(values)
        assert values[0] not in json.dumps([lesson.expectation for lesson in learn(pd.DataFrame({"x": values}))])
    assert set(asked([int(card) for card in cards])) == {"to_exist", "to_be_of_type", "to_not_be_null"}


def test_decimals_are_numbers():
    assert asked([Decimal(number) / 4 for number in range(COUNT)])["to_be_between"] == {"min_value": 0, "max_value": 55}


def test_same_data_teaches_the_same_and_another_sample_of_it_nearly(rng):
    def sample():
        return pd.DataFrame(
            {
                "kind": rng.choice(["a", "b", "c"], 4000),
                "x": rng.normal(50, 10, 4000),
                "paid": rng.exponential(100, 4000),
                "gap": np.where(rng.random(4000) < 0.1, np.nan, 1.5),
            }
        )

    def bounds(rows):
        return [json.dumps(lesson.expectation) for lesson in learn(rows)]

    first, second = sample(), sample()
    assert bounds(first) == bounds(first)
    assert len(bounds(first)) == len(bounds(second))
    assert sum(one != other for one, other in zip(bounds(first), bounds(second), strict=True)) <= 6
