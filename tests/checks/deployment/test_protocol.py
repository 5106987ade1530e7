import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.deployment.protocol import Answer, payload_of, predictions_in, said_offline

numbers = st.floats(allow_nan=True, allow_infinity=False)


@given(st.lists(st.tuples(numbers, st.integers(-(2**53), 2**53), st.text()), min_size=1))
def test_every_digit_of_a_data_frame_arrives_and_gaps_are_null(rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])

    said = json.loads(json.dumps(payload_of(frame), allow_nan=False))["dataframe_split"]

    assert said["columns"] == ["a", "b", "c"]
    assert said["data"] == [[None if math.isnan(a) else a, b, c] for a, b, c in rows]


def test_rows_of_each_kind_are_said_in_the_servers_words():
    assert payload_of([{"a": np.int64(1), "b": math.nan}]) == {"dataframe_records": [{"a": 1, "b": None}]}
    assert payload_of(np.array([[1.5, 2.0]])) == {"inputs": [[1.5, 2.0]]}
    assert payload_of([[1, 2]]) == {"inputs": [[1, 2]]}
    when = pd.DataFrame({"when": pd.to_datetime(["2026-01-02T03:04:05Z", None])})
    assert payload_of(when)["dataframe_split"]["data"] == [["2026-01-02T03:04:05+00:00"], [None]]


def test_categories_dates_and_whole_numbers_with_gaps_are_said_as_production_says_them():
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["a", None]),
            "count": pd.array([1, None], dtype="Int64"),
            "day": [pd.Timestamp("2026-01-02"), pd.NaT],
            "yes": [True, False],
        }
    )

    assert payload_of(frame)["dataframe_split"]["data"] == [
        ["a", 1, "2026-01-02T00:00:00", True],
        [None, None, None, False],
    ]


@pytest.mark.parametrize(
    "answers, said",
    [
        (np.array([1.5, math.nan]), [1.5, None]),
        (np.array([[0.1, 0.9]]), [[0.1, 0.9]]),
        (pd.Series([1, 2], name="y"), [1, 2]),
        (pd.DataFrame({"y": ["a", None]}), ["a", None]),
        (pd.DataFrame({"y": [1], "p": [0.5]}), [{"y": 1, "p": 0.5}]),
        (pd.DataFrame({0: [1], 1: [2]}), [{"0": 1, "1": 2}]),
        ([True, "x"], [True, "x"]),
    ],
)
def test_answers_of_each_kind_are_written_as_the_server_writes_them(answers, said):
    assert said_offline(answers) == said


def test_predictions_are_read_one_a_row():
    assert predictions_in('{"predictions": [{"y": 1}, {"y": 1, "p": 2}, [1], NaN]}')[:3] == [1, {"y": 1, "p": 2}, [1]]


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"predictions": 1}'])
def test_what_holds_no_predictions_is_refused(text):
    with pytest.raises(ValueError, match=r"Expecting value|no object"):
        predictions_in(text)


def test_excerpt_of_an_answer_is_one_short_line():
    assert Answer(status=400, text="no\nsuch   column" + "!" * 999).excerpt == "400: no such column" + "!" * 286
