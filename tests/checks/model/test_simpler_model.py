import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier

from airflow_mltest.checks.model.simpler_model import SimplerModel
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def test_sensible_model_beats_a_dummy_and_is_no_better_than_a_regression(subject):
    dummy = SimplerModel(metric="accuracy", margin=0.2, models=("dummy",)).run(subject())
    linear = SimplerModel(metric="accuracy", margin=0.2).run(subject())

    assert dummy.outcome is Outcome.PASSED
    assert linear.outcome is Outcome.FAILED
    assert set(linear.facts["simple_models"]) == {"dummy", "linear", "tree"}
    assert "of the best simple model (" in linear.detail


@pytest.mark.parametrize("metric", ["roc_auc", "neg_log_loss", "f1", "log_loss"])
def test_metrics_of_probabilities_are_compared(subject, metric):
    case = SimplerModel(metric=metric, margin=0.1, models=("dummy",)).run(subject())

    assert case.outcome is Outcome.PASSED


def test_constant_answers_are_not_better_than_a_dummy(subject, rule):
    case = SimplerModel(metric="accuracy", margin=0.01).run(subject(rule(lambda r: np.ones(len(r), int))))

    assert case.outcome is Outcome.FAILED


def test_real_classes_of_more_than_two(rule, subject):
    wine = load_wine(as_frame=True)
    rows = wine.frame.rename(columns={"target": "y"})
    rows["y"] = np.array(["a", "b", "c"])[rows["y"]]
    forest = RandomForestClassifier(20, random_state=0).fit(wine.data[::2], rows["y"][::2])
    model = rule(forest.predict)
    model.scores = forest.predict_proba
    case = SimplerModel(metric="f1_macro", models=("dummy", "tree")).run(subject(model, rows=rows[1::2]))
    losses = SimplerModel(metric="log_loss", models=("tree",)).run(subject(model, rows=rows[1::2]))

    assert case.outcome is Outcome.PASSED
    assert losses.measurements[0].value > 0


def test_regression_is_compared_on_its_numbers(rule, subject):
    rows = load_diabetes(as_frame=True).frame.rename(columns={"target": "y"})
    features = rows.drop(columns="y").itertuples(index=False, name=None)
    known = dict(zip(features, rows["y"], strict=True))
    model = rule(lambda r: [known[row] for row in r.itertuples(index=False, name=None)])
    case = SimplerModel(metric="mean_absolute_error", margin=10).run(subject(model, rows=rows))

    assert case.outcome is Outcome.PASSED
    assert case.facts["simple_models"]["linear"] < case.facts["simple_models"]["dummy"]


def test_simple_models_are_fitted_to_training_rows_where_they_are_given(subject, rows):
    elsewhere = rows.assign(y=1 - rows["y"])
    check = SimplerModel(metric="accuracy", margin=0.2, models=("linear",), train="train.csv")
    case = check.run(subject(tables={"train.csv": elsewhere}))

    assert check.sources == ("train.csv",)
    assert case.outcome is Outcome.PASSED
    assert case.facts["simple_models"]["linear"] < 0.3


def test_gaps_times_and_categories_are_no_hindrance(subject, rule, rows):
    rows = rows.assign(
        x=rows["x"].mask(rows.index % 7 == 0).replace(rows["x"][1], np.inf),
        n=rows["n"].astype("Int64").mask(rows.index % 5 == 0),
        country=rows["country"].astype("category").mask(rows.index % 4 == 0),
        flag=rows["n"] > 3,
        seen_at=pd.Timestamp("2026-01-01"),
        nothing=np.nan,
    )
    model = rule(lambda r: (r["x"].fillna(0) > 0).astype(int).to_numpy())

    assert SimplerModel(metric="accuracy", margin=0.2, models=("linear",)).run(subject(model, rows=rows)).facts


def test_differences_within_luck_are_inconclusive_and_say_how_many_rows_would_decide(subject, rows):
    case = SimplerModel(metric="accuracy", models=("tree",)).run(subject(rows=rows[:150]))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in case.detail or "no number of rows" in case.detail


def test_time_that_is_over_leaves_out_models_and_is_inconclusive(subject):
    case = SimplerModel(metric="accuracy", margin=0.2, max_seconds=1e-9).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "no time was left within 1e-09 s for linear, tree" in case.detail


def test_rows_are_drawn_where_there_are_more_than_asked_for(subject, sensible):
    SimplerModel(metric="accuracy", models=("dummy",), rows=100).run(subject())

    assert sensible.asked == [100]


def test_one_class_leaves_nothing_to_tell_apart(subject, rows):
    with pytest.raises(ConfigurationError, match="all 2000 rows are 1"):
        SimplerModel(metric="accuracy").run(subject(rows=rows.assign(y=1)))


def test_probabilities_of_numbers_are_refused(subject, rule, rows):
    with pytest.raises(ConfigurationError, match="needs probabilities"):
        SimplerModel(metric="roc_auc").run(subject(rule(lambda r: r["x"].to_numpy()), rows=rows.assign(y=rows["x"])))


def test_classes_of_fewer_rows_than_folds_are_not_judged(subject, rows):
    few = pd.concat([rows[rows["y"] == label][:2] for label in (0, 1)])
    with pytest.raises(ConfigurationError, match="a simple model cannot be fitted to these rows"):
        SimplerModel(metric="accuracy").run(subject(rows=few))


def test_times_alone_make_no_simple_model(subject, rule, rows):
    rows = rows[["y"]].assign(at=pd.Timestamp("2026-01-01"))
    with pytest.raises(ConfigurationError, match="neither numbers nor texts"):
        SimplerModel(metric="accuracy", models=("tree",)).run(subject(rule(lambda r: np.ones(len(r), int)), rows=rows))


@pytest.mark.parametrize(
    "wrong",
    [{"models": ()}, {"models": "dummy"}, {"models": ("deep",)}, {"margin": -1}, {"rows": 2}, {"max_seconds": 0}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="SimplerModel"):
        SimplerModel(metric="accuracy", **wrong)
