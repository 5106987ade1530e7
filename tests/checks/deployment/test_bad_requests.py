import pytest

from airflow_mltest.checks import BadRequests
from airflow_mltest.checks.deployment.protocol import Answer
from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.outcome import Outcome


def test_server_that_refuses_nonsense_and_goes_on_passes(subject):
    case = BadRequests().run(subject())

    assert case.outcome is Outcome.PASSED
    assert len(case.facts["statuses"]) == 8
    assert set(case.facts["statuses"].values()) == {400, 415}


@pytest.mark.parametrize("status", [200, 302, 500, 503])
def test_status_that_is_no_refusal_fails_by_the_request(subject, good, status):
    def answer(body, content_type):
        return Answer(status=status, text="hm") if not body else good(body, content_type)

    case = BadRequests().run(subject(answer))

    assert case.outcome is Outcome.FAILED
    assert case.detail == f"an empty body: {status}: hm; 4xx was wanted"


def test_text_where_a_number_belongs_must_not_be_answered(subject, good):
    def lenient(body, content_type):
        return good(body.replace('"a great deal"', "0"), content_type)

    case = BadRequests().run(subject(lenient))

    assert case.detail.startswith("text in the number 'x': 200")


def test_server_that_dies_of_a_bad_request_is_failed_and_asked_the_others(subject, good):
    made = subject(lambda body, content_type: None if body == "{}" else good(body, content_type))

    case = BadRequests().run(made)

    assert case.outcome is Outcome.FAILED
    assert case.detail == "JSON without rows: no answer; 4xx was wanted"
    assert len(case.facts["statuses"]) == 8
    assert len(made.servers) == 2


def test_server_that_answers_otherwise_after_a_bad_request_is_failed(subject, good):
    spoilt = []

    def answer(body, content_type):
        spoilt.append(content_type) if content_type == "image/png" else None
        return Answer(status=200, text="0") if spoilt and content_type != "image/png" else good(body, content_type)

    case = BadRequests().run(subject(answer))

    assert "the good request after that (a content type that no model reads) was answered 200: 0" in case.detail


def test_without_a_signature_no_column_is_known_to_be_needed(subject, doubles):
    case = BadRequests().run(subject(model=doubles(inputs=None)))

    assert len(case.facts["statuses"]) == 6


def test_good_request_that_is_refused_is_no_measure_of_bad_ones(subject):
    with pytest.raises(BrokenRunError, match="which is right, was answered 400: what"):
        BadRequests().run(subject(lambda *_: Answer(status=400, text="what?")))
