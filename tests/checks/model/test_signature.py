import numpy as np

from airflow_mltest.checks.model.signature import Signature
from airflow_mltest.core.outcome import Outcome


def test_model_without_a_signature_fails_and_says_how_to_log_one(subject):
    case = Signature().run(subject())

    assert case.outcome is Outcome.FAILED
    assert "infer_signature" in case.detail


def test_columns_that_the_data_lacks_are_named(subject, rule):
    case = Signature().run(subject(rule(lambda r: np.zeros(len(r)), inputs={"x": "double", "age": "double"})))

    assert case.outcome is Outcome.FAILED
    assert "lacks age" in case.detail


def test_rows_that_the_model_does_not_take_fail_with_both_types(subject, rule):
    def strict(rows):
        msg = "n must be double"
        raise TypeError(msg)

    case = Signature().run(subject(rule(strict, inputs={"n": "double"})))

    assert case.outcome is Outcome.FAILED
    assert "n must be double" in case.detail
    assert "n int64 for double" in case.detail


def test_columns_that_are_not_used_are_told(subject, rule):
    case = Signature().run(subject(rule(lambda r: np.zeros(len(r)), inputs={"x": "double"})))

    assert case.outcome is Outcome.PASSED
    assert case.detail == "1 columns; not used: n, country"
