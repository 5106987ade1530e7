import numpy as np
import pytest

from airflow_mltest.checks.model.deterministic import Deterministic
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def test_model_that_answers_by_its_rows_passes(subject):
    assert Deterministic().run(subject()).outcome is Outcome.PASSED


def test_model_that_draws_fails_when_asked_again(subject, rule):
    rng = np.random.default_rng(0)
    case = Deterministic().run(subject(rule(lambda r: rng.integers(0, 2, len(r)))))

    assert case.outcome is Outcome.FAILED
    assert "when asked again" in case.detail


def test_model_that_answers_by_position_fails_in_another_order(subject, rule):
    case = Deterministic().run(subject(rule(lambda r: np.arange(len(r)))))

    assert case.outcome is Outcome.FAILED
    assert "in another order" in case.detail


def test_model_that_centres_its_batch_fails_when_asked_alone(subject, rule):
    case = Deterministic().run(subject(rule(lambda r: (r["x"] > r["x"].mean()).to_numpy())))

    assert case.outcome is Outcome.FAILED
    assert "when asked alone" in case.detail


def test_probabilities_that_differ_fail_though_the_answers_agree(subject, rule):
    rng = np.random.default_rng(0)
    case = Deterministic().run(subject(rule(lambda r: np.zeros(len(r)), lambda r: rng.random(len(r)))))

    assert case.outcome is Outcome.FAILED


def test_last_bits_of_a_probability_may_differ(subject, rule):
    rng = np.random.default_rng(0)
    model = rule(lambda r: np.zeros(len(r)), lambda r: 0.5 + rng.normal(scale=1e-13, size=len(r)))

    assert Deterministic().run(subject(model)).outcome is Outcome.PASSED


def test_numbers_of_rows_that_make_no_sense_are_refused():
    with pytest.raises(ConfigurationError, match="Deterministic"):
        Deterministic(rows=0)
