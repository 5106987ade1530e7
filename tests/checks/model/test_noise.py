import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.model.noise import Noise
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


@pytest.fixture
def brittle(rule, rows):
    """A model that has learned the rows by heart: any other number, and it guesses."""
    known = dict(zip(rows["x"], rows["y"], strict=True))
    return rule(lambda r: np.array([known.get(x, 0) for x in r["x"]]))


def test_sensible_model_holds_and_one_that_learned_by_heart_does_not(subject, brittle):
    holds, breaks = (
        Noise(metric="accuracy", max_drop=0.05).run(subject(model)) for model in (subject().model, brittle)
    )

    assert holds.outcome is Outcome.PASSED
    assert breaks.outcome is Outcome.FAILED
    assert breaks.facts["answers_changed_share"] > 0.3


def test_noise_is_the_same_each_time_and_a_count_stays_a_count(subject, rule):
    seen = []
    model = rule(lambda r: (seen.append(r), np.zeros(len(r)))[1])
    for _ in range(2):
        Noise(metric="accuracy", max_drop=1, scale=0.5).run(subject(model))
    clean, noisy, _, again = seen

    pd.testing.assert_frame_equal(noisy, again)
    assert noisy["n"].dtype == clean["n"].dtype
    assert (noisy["n"] != clean["n"]).any()
    assert (noisy["country"] == clean["country"]).all()


def test_model_without_numbers_has_nothing_to_put_noise_on(subject, rule):
    model = rule(lambda r: np.zeros(len(r)), inputs={"country": "string"})

    with pytest.raises(ConfigurationError, match="takes no numbers"):
        Noise(metric="accuracy", max_drop=0.1).run(subject(model))


@pytest.mark.parametrize("wrong", [{"max_drop": -1}, {"max_drop": 0.1, "scale": 0}, {"max_drop": float("nan")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Noise"):
        Noise(metric="accuracy", **wrong)
