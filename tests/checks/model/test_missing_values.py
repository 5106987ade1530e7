import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from airflow_mltest.checks.model.missing_values import MissingValues
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

FEATURES = ["x", "n"]


@pytest.fixture
def fitted(rule, rows):
    def make(estimator, inputs=None):
        estimator.fit(rows[FEATURES].to_numpy(), rows["y"])
        return rule(lambda r: estimator.predict(r[FEATURES].to_numpy(dtype=float)), inputs=inputs)

    return make


def test_boosting_takes_gaps_and_loses_what_is_to_be_expected(subject, fitted):
    model = fitted(HistGradientBoostingClassifier(max_iter=20, random_state=0))
    holds, breaks = (
        MissingValues(metric="accuracy", max_drop=0.05, share=share).run(subject(model)) for share in (0.02, 0.9)
    )

    assert holds.outcome is Outcome.PASSED
    assert breaks.outcome is Outcome.FAILED
    assert breaks.measurements[0].name == "accuracy_drop_by_missing_values"
    assert breaks.facts["columns"] == ["x", "n", "country"]


def test_model_that_does_not_take_gaps_fails_with_its_reason(subject, fitted):
    case = MissingValues(metric="accuracy", max_drop=1).run(subject(fitted(LogisticRegression())))

    assert case.outcome is Outcome.FAILED
    assert "rows with gaps in x, n, country are not answered" in case.detail
    assert "contains NaN" in case.detail


def test_model_that_does_not_take_whole_rows_either_is_not_judged(subject, rule):
    with pytest.raises(ConfigurationError, match="KeyError"):
        MissingValues(metric="accuracy", max_drop=1).run(subject(rule(lambda r: r["gone"])))


def test_whole_numbers_of_the_signature_stay_and_are_told(subject, fitted, rule):
    inputs = {"x": "double", "n": "long"}
    model = fitted(HistGradientBoostingClassifier(max_iter=5), inputs)
    case = MissingValues(metric="accuracy", max_drop=0.2).run(subject(model))

    assert case.facts["columns"] == ["x"]
    assert "n cannot be missing by the signature, and stayed" in case.detail
    with pytest.raises(ConfigurationError, match="lets none of n be missing"):
        MissingValues(metric="accuracy", max_drop=0.2, columns=("n",)).run(subject(model))


def test_share_of_the_values_is_missing_and_the_rest_is_as_it_was(subject, rule, rows):
    seen = []
    model = rule(lambda r: (seen.append(r), np.zeros(len(r), int))[1])
    rows["flag"] = rows["n"] > 3
    rows["level"] = rows["country"].astype("category")
    for _ in range(2):
        MissingValues(metric="accuracy", max_drop=1, share=0.3).run(subject(model, rows=rows))
    clean, spoiled, _, again = seen

    assert spoiled.equals(again)
    assert spoiled.isna().mean().to_numpy() == pytest.approx(0.3, abs=0.05)
    assert spoiled["flag"].dtype == float
    for name in spoiled:
        kept = spoiled[name].notna()
        assert (spoiled[name][kept] == clean[name][kept]).all()


@pytest.mark.parametrize("column, said", [("contry", "did you mean 'country'"), ("y", "the model does not take 'y'")])
def test_column_that_is_not_there_is_named(subject, column, said):
    with pytest.raises(ConfigurationError, match=said):
        MissingValues(metric="accuracy", max_drop=0.1, columns=(column,)).run(subject())


@pytest.mark.parametrize("wrong", [{"max_drop": -1}, {"share": 0}, {"share": 5}, {"columns": ()}, {"columns": "x"}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="MissingValues"):
        MissingValues(**{"metric": "accuracy", "max_drop": 0.1, **wrong})
