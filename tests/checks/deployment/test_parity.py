import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks import Parity
from airflow_mltest.checks.deployment.parity import agree
from airflow_mltest.checks.deployment.protocol import Answer
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Outcome


def changed(good, change):
    """Let *change* rewrite the good server's predictions."""

    def answer(body, content_type):
        predictions = json.loads(good(body, content_type).text)["predictions"]
        return Answer(status=200, text=json.dumps({"predictions": change(predictions)}))

    return answer


def test_same_answers_pass_in_one_request_and_row_by_row(subject):
    made = subject()
    case = Parity(rows=100, alone=5).run(made)

    assert case.outcome is Outcome.PASSED
    assert len(made.server.asked) == 6
    assert case.measurements[0].value == 0


def test_differing_rows_are_counted_and_the_first_shown_with_both_answers(subject, good):
    case = Parity(rows=300).run(subject(changed(good, lambda found: [x if x < 80 else 80.0 for x in found])))

    assert case.outcome is Outcome.FAILED
    assert case.detail.startswith("19 of 300 rows are answered otherwise over HTTP\nrow ")
    assert "80.0 online (one of 300 in the request)" in case.detail
    assert len(case.facts["differing"]) == 5
    assert case.measurements[0].value == 19


def test_server_that_errs_only_when_a_row_comes_alone_is_found(subject, good):
    alone = changed(good, lambda found: [0.5] if len(found) == 1 else found)

    case = Parity(rows=50, alone=3).run(subject(alone))

    assert "3 of 50 rows are answered otherwise" in case.detail
    assert "(one of 1 in the request)" in case.detail


def test_answers_in_another_order_are_found(subject, good):
    assert Parity().run(subject(changed(good, lambda found: found[::-1]))).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "answer, words",
    [
        (Answer(status=400, text="no such\n column"), "not answered: 300 rows: 400: no such column"),
        (Answer(status=500, text="oops"), "alone: 500: oops"),
        (Answer(status=200, text="<html>"), "<html>, and Expecting value"),
        (Answer(status=200, text="[1, 2]"), 'no object with a list of "predictions"'),
        (Answer(status=200, text='{"predictions": [1, 2]}'), "2 answers to 300 rows"),
    ],
)
def test_what_is_no_answer_fails_with_the_servers_words(subject, answer, words):
    case = Parity(rows=300, alone=1).run(subject(lambda *_: answer))

    assert case.outcome is Outcome.FAILED
    assert words in case.detail


def test_server_that_dies_is_no_answer_at_all(subject):
    with pytest.raises(BrokenRunError, match="farewell"):
        Parity().run(subject(lambda *_: None))


def test_last_digits_may_differ_within_the_tolerance(subject, good):
    nearly = changed(good, lambda found: [x * (1 + 1e-9) for x in found])

    assert Parity().run(subject(nearly)).outcome is Outcome.PASSED
    assert Parity(tolerance=0).run(subject(nearly)).outcome is Outcome.FAILED


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"alone": -1}, {"tolerance": -1.0}, {"tolerance": math.nan}])
def test_what_cannot_be_asked_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="Parity: rows is 1 or more"):
        Parity(**wrong)


@pytest.mark.parametrize(
    "offline, online, same",
    [
        (1, 1.0, True),
        (None, math.nan, True),
        (None, 0, False),
        ("1", 1, False),
        (True, 1, False),
        (True, True, True),
        ("yes", "yes", True),
        ([0.1, 0.9], [0.1, 0.9 + 1e-9], True),
        ([0.1], [0.1, 0.9], False),
        ({"a": 1, "b": "x"}, {"b": "x", "a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        (math.inf, math.inf, True),
        (math.inf, 1e308, False),
    ],
)
def test_answers_of_each_kind_are_compared(offline, online, same):
    assert agree(offline, online, 1e-6) is same


kinds = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.recursive(kinds, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))
def test_what_went_through_json_agrees_with_itself_to_the_last_bit(answer):
    assert agree(answer, json.loads(json.dumps(answer)), 0)
