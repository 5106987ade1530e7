import numpy as np
import pandas as pd
import pytest
from late_flights.features import CATEGORIES, INPUTS, NUMBERS, TARGET, DataError
from late_flights.training import evaluate, first_months, fit


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    """Three thousand invented flights from January to September: the later in the day, the likelier late."""
    random = np.random.default_rng(0)
    rows = 3000
    table = pd.DataFrame(random.normal(size=(rows, len(NUMBERS))), columns=NUMBERS)
    for column in CATEGORIES:
        table[column] = random.choice(["A", "B", "C"], rows)
    table["departure_minute"] = random.uniform(300, 1439, rows)
    table[TARGET] = (random.uniform(0, 1439, rows) < table["departure_minute"]).astype("int64")
    table["scheduled"] = pd.date_range("2013-01-01T10:00Z", "2013-09-30T10:00Z", periods=rows)
    return table


def test_the_same_rows_and_seed_give_the_same_model(features):
    first, second = (fit(features, seed=3).predict_proba(features[INPUTS]) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_what_is_in_the_data_is_learned_and_what_is_not_is_not(features):
    true, shuffled = (evaluate(fit(features[::2], shuffled=labels), features[1::2]) for labels in (False, True))

    assert true["auc"] > 0.7
    assert abs(shuffled["auc"] - 0.5) < 0.1
    assert true["brier"] < shuffled["brier"]


def test_training_leaves_the_labels_as_they_were(features):
    before = features[TARGET].copy()

    fit(features, shuffled=True)

    pd.testing.assert_series_equal(features[TARGET], before)


def test_unseen_places_and_gaps_are_answered(features):
    strange = features.head(2).assign(dest="XXX", carrier="??", temp=np.nan, seats=np.nan)

    probability = fit(features).predict_proba(strange[INPUTS])

    assert np.isfinite(probability).all()


def test_only_the_inputs_are_looked_at(features):
    model = fit(features)
    dressed = features[INPUTS[::-1]].assign(arr_delay=99.0)

    np.testing.assert_array_equal(model.predict_proba(dressed), model.predict_proba(features[INPUTS]))


@pytest.mark.parametrize("months", [1, 2, 9, 12])
def test_first_months_end_with_the_month(features, months):
    in_new_york = first_months(features, months)["scheduled"] - pd.Timedelta(hours=5)

    assert in_new_york.dt.month.max() == min(months, 9)


def test_months_without_a_flight_are_refused(features):
    with pytest.raises(DataError, match=r"No flight to train on in the first 2 months; the first one is of 2013-0[67]"):
        first_months(features[2000:], 2)
