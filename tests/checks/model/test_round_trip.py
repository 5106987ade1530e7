import pickle
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltest.checks.model.round_trip import RoundTrip
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


class Pickled:
    """A model of scikit-learn that is kept as a pickle."""

    uri, inputs = "a pickle", {"x": "double", "n": "long"}

    def __init__(self, behind):
        self.behind = behind

    def predict(self, rows):
        return self.behind.predict(rows)

    def scores(self, rows):
        return self.behind.predict_proba(rows)

    @contextmanager
    def again(self):
        yield Pickled(pickle.loads(pickle.dumps(self.behind)))  # noqa: S301  its own


class Forgetful(LogisticRegression):
    """Rounds what it has learned when it is saved."""

    def __getstate__(self):
        return {**super().__getstate__(), "coef_": self.coef_.astype("float16").astype(float)}


class Unsavable(LogisticRegression):
    def __getstate__(self):
        msg = "cannot pickle a lock"
        raise TypeError(msg)


@pytest.fixture
def fitted(rows):
    return lambda kind: Pickled(kind().fit(rows[["x", "n"]], rows["y"]))


def test_model_that_comes_back_as_it_was_passes(subject, fitted):
    case = RoundTrip().run(subject(fitted(LogisticRegression)))

    assert case.outcome is Outcome.PASSED
    assert "200 rows" in case.detail


def test_model_that_loses_digits_fails_and_names_a_row(subject, fitted):
    case = RoundTrip().run(subject(fitted(Forgetful)))

    assert case.outcome is Outcome.FAILED
    assert case.detail.startswith("row ")
    assert "by what was saved" in case.detail


def test_model_that_cannot_be_saved_fails(subject, fitted):
    case = RoundTrip().run(subject(fitted(Unsavable)))

    assert case.outcome is Outcome.FAILED
    assert "does not survive being saved and loaded: TypeError: cannot pickle a lock" in case.detail


def test_full_disk_says_nothing_of_the_model(subject, fitted):
    model = fitted(LogisticRegression)

    def again():
        msg = "no space left on device"
        raise OSError(msg)

    model.again = again
    with pytest.raises(OSError, match="no space left"):
        RoundTrip().run(subject(model))


def test_saved_model_that_cannot_answer_is_not_judged(subject, fitted, rule):
    model = fitted(LogisticRegression)

    @contextmanager
    def again():
        yield rule(lambda r: np.zeros(3), uri="the saved one")

    model.again = again
    with pytest.raises(ConfigurationError, match="the saved one gave answers of shape"):
        RoundTrip().run(subject(model))


def test_model_that_is_kept_nowhere_is_refused(subject):
    with pytest.raises(ConfigurationError, match=r"a rule cannot be saved: only a model that was loaded from MLflow"):
        RoundTrip().run(subject())


def test_number_of_rows_that_makes_no_sense_is_refused():
    with pytest.raises(ConfigurationError, match="RoundTrip"):
        RoundTrip(rows=0)
