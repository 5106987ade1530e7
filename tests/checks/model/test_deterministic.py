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


def test_model_that_writes_into_its_input_fails_and_names_the_column(subject, rule):
    def vandal(r):
        answers = (r["x"] > 0).to_numpy()
        r["x"] = 0.0
        return answers

    case = Deterministic().run(subject(rule(vandal)))

    assert case.outcome is Outcome.FAILED
    assert "`predict` is given is changed afterwards in x;" in case.detail


def test_model_that_adds_a_column_to_its_input_fails(subject, rule):
    def adds(r):
        r["twice"] = 2 * r["x"]
        return (r["twice"] > 0).to_numpy()

    case = Deterministic().run(subject(rule(adds)))

    assert case.outcome is Outcome.FAILED
    assert "other columns or rows afterwards: x, n, country, twice" in case.detail


def test_probabilities_that_write_into_their_input_fail(subject, rule):
    def vandal(r):
        r.loc[r.index[0], "n"] = -1
        return np.full(len(r), 0.5)

    case = Deterministic().run(subject(rule(lambda r: np.zeros(len(r)), vandal)))

    assert case.outcome is Outcome.FAILED
    assert "`scores` is given is changed afterwards in n;" in case.detail


def test_missing_values_that_stay_are_not_taken_for_a_change(subject, rule, rows):
    rows.loc[::3, "x"] = np.nan

    assert Deterministic().run(subject(rule(lambda r: (r["x"] > 0).to_numpy()), rows=rows)).outcome is Outcome.PASSED


def test_model_that_answers_in_an_order_of_its_own_fails_though_no_index_says_so(subject, rule):
    case = Deterministic().run(subject(rule(lambda r: np.sort(r["x"]) > 0)))

    assert case.outcome is Outcome.FAILED
    assert "in another order" in case.detail


def test_answers_that_say_themselves_that_they_are_in_another_order_are_not_judged(subject, rule):
    with pytest.raises(ConfigurationError, match="in another order"):
        Deterministic().run(subject(rule(lambda r: r["x"].sort_values() > 0)))


def test_constant_answers_are_deterministic(subject, rule):
    assert Deterministic().run(subject(rule(lambda r: ["on time"] * len(r)))).outcome is Outcome.PASSED


def test_model_that_raises_on_one_row_names_it(subject, rule, rows):
    def picky(r):
        if (r["x"] == rows["x"][7]).any():
            msg = "not this one"
            raise ValueError(msg)
        return np.zeros(len(r))

    with pytest.raises(ConfigurationError, match=r"not this one It is row 7 that it does not take"):
        Deterministic(rows=2000).run(subject(rule(picky)))
