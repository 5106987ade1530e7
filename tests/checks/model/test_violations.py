import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.model.violations import Changed, plain, require_share, violation_case
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

BEFORE = pd.DataFrame(
    {"x": [1.0, np.nan, np.inf], "at": pd.Timestamp("2026-01-01"), "n": [1, 2, 3]}, index=["a", "b", "c"]
)
CHANGED = Changed(
    before=BEFORE, after=BEFORE.assign(x=[np.nan, 1.0, 2.0]), answers=np.array([0, 1, 2]), answers_after=np.ones(3)
)


def judge(wrong, maximum):
    return violation_case("case", np.array(wrong), CHANGED, what="differ", maximum=maximum, confidence=0.95)


def test_one_wrong_row_fails_where_none_is_allowed_and_no_row_passes():
    assert judge([True, False, False], 0).outcome is Outcome.FAILED
    assert judge([False] * 3, 0).outcome is Outcome.PASSED


def test_three_rows_prove_no_share_and_say_how_many_would():
    case = judge([True, False, False], 0.5)

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in case.detail
    assert "1 of 3 rows differ, a share of 0.333, at most 0.865; 0.5 allowed" in case.detail


def test_share_that_is_the_bound_cannot_be_decided_by_any_number():
    assert "no number of rows can be told" in judge([True, False, False], 1 / 3).detail


def test_interval_is_exact():
    measured = judge([False] * 3, 0).measurements[0]

    assert (measured.low, measured.high) == (0, pytest.approx(1 - 0.05 ** (1 / 3)))


def test_examples_show_what_changed_as_strict_json():
    examples = CHANGED.examples(np.ones(3, bool))

    assert [example["row"] for example in examples] == ["a", "b", "c"]
    assert examples[2] == {
        "row": "c",
        "before": {"x": "inf", "at": "2026-01-01 00:00:00", "n": 3},
        "after": {"x": 2.0},
        "answers": [2, 1.0],
    }
    assert [example["after"] for example in examples] == [{"x": None}, {"x": 1.0}, {"x": 2.0}]
    json.dumps(examples, allow_nan=False)


@given(
    st.one_of(st.none(), st.floats(), st.integers(), st.text(), st.booleans(), st.datetimes(), st.lists(st.floats()))
)
def test_any_value_is_strict_json(value):
    json.dumps(plain(value), allow_nan=False)


def test_values_of_numpy_and_pandas_are_those_of_python():
    assert [plain(value) for value in (np.int8(3), np.float32(0.5), np.bool_(True), pd.NA, pd.NaT)] == [
        3,
        0.5,
        True,
        None,
        None,
    ]
    assert plain(pd.Timestamp("2026-01-01")) == "2026-01-01 00:00:00"


@pytest.mark.parametrize("wrong", [{"maximum": 1}, {"maximum": float("nan")}, {"tolerance": float("inf")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Check"):
        require_share("Check", **{"maximum": 0.1, "tolerance": 0, "confidence": 0.95, **wrong})
