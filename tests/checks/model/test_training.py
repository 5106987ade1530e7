import random

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from airflow_mltest.checks.model.training import TrainingReproducible
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

FEATURES = ["x", "n"]


@pytest.fixture
def trains(rows):
    """Trains a forest on the rows; `seed` is made of the one that it is given."""

    def make(seed):
        def train(given):
            forest = RandomForestClassifier(5, random_state=seed(given))
            return forest.fit(rows[FEATURES], rows["y"])

        return train

    return make


@pytest.fixture
def asked(subject, rule):
    return subject(rule(lambda r: np.zeros(len(r)), inputs={"x": "double", "n": "long"}))


def test_forest_that_is_given_its_seed_is_the_same_again(asked, trains):
    case = TrainingReproducible(train=trains(lambda seed: seed)).run(asked)

    assert case.outcome is Outcome.PASSED
    assert "200 rows are answered the same" in case.detail


def test_forest_that_draws_from_elsewhere_fails_and_names_a_row(asked, trains):
    case = TrainingReproducible(train=trains(lambda seed: random.SystemRandom().randrange(1000))).run(asked)

    assert case.outcome is Outcome.FAILED
    assert case.detail.startswith("row ")
    assert "both with seed 0" in case.detail


def test_global_generators_are_seeded_and_left_as_they_were(asked, trains):
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    drawn = trains(lambda seed: random.randrange(1000) + np.random.randint(1000))  # noqa: NPY002, S311

    assert TrainingReproducible(train=drawn).run(asked).outcome is Outcome.PASSED
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_function_may_be_what_is_trained(asked):
    def train(seed):
        weight = np.random.default_rng(seed).normal()
        return lambda rows: weight * rows["x"].to_numpy()

    assert TrainingReproducible(train=train).run(asked).outcome is Outcome.PASSED


def test_training_that_takes_no_seed_is_refused_where_it_is_written():
    with pytest.raises(ConfigurationError, match="train is called with one seed"):
        TrainingReproducible(train=lambda: None)


def test_training_that_does_not_say_what_it_takes_is_tried(asked):
    with pytest.raises(ConfigurationError, match=r"train\(0\) raised TypeError: 'int' object is not iterable"):
        TrainingReproducible(train=max).run(asked)


def test_training_that_raises_tells_why(asked):
    def train(seed):
        msg = "no data"
        raise OSError(msg)

    with pytest.raises(ConfigurationError, match=r"train\(0\) raised OSError: no data"):
        TrainingReproducible(train=train).run(asked)


def test_training_that_gives_no_model_tells_what_it_gave(asked):
    with pytest.raises(ConfigurationError, match="gave NoneType, which neither has `predict` nor can be called"):
        TrainingReproducible(train=lambda seed: None).run(asked)


def test_same_object_twice_shows_nothing(asked, trains):
    kept = trains(lambda seed: seed)(0)
    with pytest.raises(ConfigurationError, match="the very same object twice"):
        TrainingReproducible(train=lambda seed: kept).run(asked)


def test_training_that_leaves_no_time_for_a_second_is_inconclusive(asked, trains):
    case = TrainingReproducible(train=trains(lambda seed: seed), max_seconds=1e-6).run(asked)

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "give max_seconds=" in case.detail


@pytest.mark.parametrize("wrong", [{"train": 3}, {"train": print, "rows": 0}, {"train": print, "max_seconds": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="TrainingReproducible"):
        TrainingReproducible(**wrong)
