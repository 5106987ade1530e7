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


def test_what_is_missing_or_infinite_stays_so_and_does_not_spoil_the_rest(subject, rule, rows):
    seen = []
    model = rule(lambda r: (seen.append(r), np.zeros(len(r)))[1])
    spoiled = rows.assign(
        x=rows["x"].where(rows.index % 3 > 0).replace(rows["x"][1], np.inf),
        nothing=np.nan,
        flag=rows["n"] > 4,
        small=rows["x"].astype("float32"),
        whole=rows["n"].astype("Int64").mask(rows.index % 5 == 0),
    )
    Noise(metric="accuracy", max_drop=1, scale=0.3).run(subject(model, rows=spoiled))
    noisy, clean = seen[0], spoiled.drop(columns="y")
    finite = np.isfinite(clean["x"])

    assert (noisy.dtypes == clean.dtypes).all()
    assert noisy["x"][~finite].equals(clean["x"][~finite])
    assert (noisy["x"][finite] != clean["x"][finite]).mean() > 0.9
    assert np.std(noisy["x"][finite] - clean["x"][finite]) == pytest.approx(0.3, rel=0.1)
    assert noisy["nothing"].isna().all()
    assert noisy["flag"].equals(clean["flag"])
    assert (noisy["whole"].isna() == clean["whole"].isna()).all()


def test_numbers_that_noise_cannot_move_are_refused(subject, rule, rows):
    with pytest.raises(ConfigurationError, match="moves no number"):
        Noise(metric="accuracy", max_drop=0.1).run(
            subject(rule(lambda r: np.zeros(len(r))), rows=rows.assign(x=1.0, n=2))
        )


def test_too_few_rows_to_tell_say_how_many_would_do(subject, brittle, rows):
    few = rows[:60]
    case = Noise(metric="accuracy", max_drop=0.45).run(subject(brittle, rows=few))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in case.detail
