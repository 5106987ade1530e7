import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.reports.examples import examples_of

values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.floats(), max_size=2)
)
rows = st.dictionaries(st.text(max_size=3), values, max_size=4)


def read(*examples):
    return examples_of(Case(name="c", outcome=Outcome.FAILED, facts={"examples": list(examples)}))


def test_only_what_differs_is_told_as_changed():
    (example,) = read(
        {
            "row": 17,
            "before": {"calls": 3.5, "plan": "gold", "months": 12, "age": math.nan},
            "after": {"plan": "silver", "months": 12.0, "age": math.nan, "extra": 1},
            "answers": [0, 1],
            "budget": 0.25,
        }
    )

    assert example.row == "17"
    assert example.changed == (("plan", "gold", "silver"), ("extra", "missing", "1"))
    assert example.same == (("calls", "3.5"), ("months", "12"), ("age", "missing"))
    assert example.answers == ("0", "1")
    assert example.also == (("budget", "0.25"),)


def test_rows_of_data_have_no_answers():
    (example,) = read({"row": 3, "before": {"seats": 100}, "after": {"seats": 120}})

    assert example.changed == (("seats", "100", "120"),)
    assert example.answers == ("", "")


def test_two_numbers_that_differ_read_differently():
    (example,) = read(
        {"row": 1, "before": {"a": 3.12345678}, "after": {"a": 3.12345679}, "answers": [0.50001, 0.49999]}
    )

    assert example.changed == (("a", "3.12345678", "3.12345679"),)
    assert example.answers == ("0.50001", "0.49999")


def test_of_many_examples_and_columns_the_first_are_told_and_the_others_counted():
    wide = {f"c{n}": 0 for n in range(30)}
    found = read(*[{"row": n, "before": wide, "after": dict.fromkeys(wide, 1), "answers": [0, 1]} for n in range(40)])

    assert len(found) == 10
    assert (len(found[0].changed), found[0].more, found[0].same) == (12, 18, ())


@pytest.mark.parametrize(
    "example",
    [3, {}, {"before": {}}, {"before": [], "after": {}, "answers": [0, 1]},
     {"before": {}, "after": {}, "answers": [0, 1, 2]}, {"before": {}, "after": {}, "answers": "no"}],
)  # fmt: skip
def test_what_is_no_example_is_left_to_the_other_facts(example):
    assert read(example) == []
    assert examples_of(Case(name="c", outcome=Outcome.FAILED, facts={"examples": example})) == []


@given(rows, rows, st.lists(values, min_size=2, max_size=2))
def test_any_two_rows_can_be_told(before, after, answers):
    (example,) = read({"row": None, "before": before, "after": after, "answers": answers})

    assert {column for column, *_ in example.changed} | {column for column, _ in example.same} == {*before, *after}
    assert example.row == ""
