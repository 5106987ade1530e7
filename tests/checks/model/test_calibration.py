import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from airflow_mltest.checks.model.calibration import Calibration, calibration_error
from airflow_mltest.checks.model.subject import ModelSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


class Fitted:
    """A real classifier as a model."""

    uri = "fitted"

    def __init__(self, classifier, sharper=1.0):
        self.inputs = {"x": "double", "z": "double"}
        self.classifier, self.sharper = classifier, sharper

    def predict(self, rows):
        return self.classifier.predict(rows)

    def scores(self, rows):
        chances = self.classifier.predict_proba(rows) ** self.sharper
        return chances / chances.sum(axis=1, keepdims=True)


def fitted(classes, sharper, rows=3000):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(2 * rows, 2)), columns=["x", "z"])
    merit = np.c_[np.zeros(2 * rows), table["x"], table["z"]][:, :classes] + rng.gumbel(size=(2 * rows, classes))
    table["y"] = np.array(["low", "mid", "top"])[merit.argmax(axis=1)]
    model = Fitted(LogisticRegression().fit(table[["x", "z"]][:rows], table["y"][:rows]), sharper)
    return ModelSubject(model=model, rows=table[rows:], target="y")


def binned(said, so, bins):
    parts = np.array_split(np.argsort(said, kind="stable"), bins)
    rows = np.array([len(part) for part in parts])
    return np.array([said[part].mean() for part in parts]), np.array([so[part].sum() for part in parts]), rows


@pytest.mark.parametrize("classes,what", [(2, "the probability of mid"), (3, "the chosen class (top label)")])
def test_logistic_regression_is_calibrated_and_one_that_is_too_sure_is_not(classes, what):
    honest, sure = (Calibration(max_error=0.05).run(fitted(classes, sharper)) for sharper in (1.0, 4.0))

    assert (honest.outcome, sure.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert what in honest.detail
    assert sure.measurements[0].low > 0.05


def test_few_rows_are_inconclusive_and_say_how_many_would_decide():
    subject = fitted(2, 1.6)
    few = ModelSubject(model=subject.model, rows=subject.rows[:120], target="y")
    case = Calibration(max_error=0.08, bins=5).run(few)

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "would decide" in case.detail or "no number of rows" in case.detail


def test_reliability_is_drawn_with_bars():
    (figure,) = Calibration(max_error=0.05, bins=8).run(fitted(2, 1.0)).figures
    (series,) = figure.series

    assert figure.diagonal
    assert len(series.x) == 8
    assert list(series.x) == sorted(series.x)
    assert all(low <= y <= high for low, y, high in zip(series.low, series.y, series.high, strict=True))


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.15])
def test_each_end_misses_about_one_time_in_twenty_and_luck_is_no_error(shift):
    rng = np.random.default_rng(0)
    missed, estimates, trials = np.zeros(2), [], 120
    for seed in range(trials):
        said = rng.uniform(0.2, 0.8, size=600)
        value, found = calibration_error(
            *binned(said, rng.random(600) < said + shift, 10), 0.95, np.random.default_rng(seed)
        )
        missed += [found.low > shift + 1e-9, found.high < shift - 1e-9]
        estimates.append(value)

    # 0.05 and three standard errors.
    assert (missed / trials <= 0.11).all()
    # Without its correction a perfect model of 600 rows shows 0.05.
    assert np.median(estimates) == pytest.approx(shift, abs=0.015)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=8, max_size=60), st.integers(1, 4))
def test_any_claims_have_an_error_between_nothing_and_all(rows, bins):
    said, so = (np.array(one) for one in zip(*rows, strict=True))
    value, found = calibration_error(*binned(said, so, bins), 0.95, np.random.default_rng(0))

    assert 0 <= found.low <= value + 1e-9
    assert value <= found.high + 1e-9 or found.high == 1
    assert found.high <= 1


def test_constant_probabilities_are_judged(subject, rows, rule):
    half = float((rows["y"] == 1).mean())
    constant = rule(lambda r: np.arange(len(r)) % 2, lambda r: np.full(len(r), half))

    assert Calibration(max_error=0.2).run(subject(constant)).outcome is Outcome.PASSED


def test_model_without_probabilities_is_told_to_give_some(subject, rule):
    with pytest.raises(ConfigurationError, match="Calibration needs probabilities"):
        Calibration(max_error=0.1).run(subject(rule(lambda r: np.zeros(len(r), dtype=int))))


def test_one_class_does_not_say_which_probability_is_its(subject, rows, rule):
    one = rule(lambda r: np.ones(len(r), dtype=int), lambda r: np.full(len(r), 0.9))

    with pytest.raises(ConfigurationError, match="2 classes, and labels and answers know 1"):
        Calibration(max_error=0.1).run(subject(one, rows=rows.assign(y=1)))


def test_fewer_rows_than_bins_can_hold_are_refused(subject, rows):
    with pytest.raises(ConfigurationError, match="12 rows are too few for 10 bins"):
        Calibration(max_error=0.1).run(subject(rows=rows[:12]))


@pytest.mark.parametrize(
    "wrong", [{"max_error": 0}, {"max_error": 5}, {"max_error": 0.1, "bins": 0}, {"max_error": 0.1, "confidence": 95}]
)
def test_bounds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Calibration"):
        Calibration(**wrong)
