import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.checks.model.adversarial import Adversarial
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def value(case, name):
    return next(found for found in case.measurements if found.name == name)


@pytest.fixture
def exact(rows):
    """The true robust accuracy of the sensible model within half a deviation, on all rows."""
    right = (rows["x"] > 0) == rows["y"]
    return float((right & (rows["x"].abs() > 0.5 * rows["x"].std(ddof=0))).mean())


@pytest.mark.parametrize("method", ["scores", "labels"])
def test_robust_accuracy_is_the_true_one_where_that_is_known(subject, exact, method):
    case = Adversarial(minimum=0.5, rows=2000, method=method).run(subject())

    measured = value(case, "robust_accuracy[0.5]")
    assert measured.value == pytest.approx(exact, abs=0.002)
    assert measured.low < measured.value < measured.high
    assert case.outcome is Outcome.PASSED
    assert case.facts["method"] == method


def test_model_is_judged_by_the_interval_of_its_robust_accuracy(subject, exact):
    outcomes = [
        Adversarial(minimum=minimum, rows=500).run(subject()).outcome for minimum in (exact - 0.1, exact, exact + 0.1)
    ]

    assert outcomes == [Outcome.PASSED, Outcome.INCONCLUSIVE, Outcome.FAILED]


def test_case_that_cannot_tell_says_how_many_rows_would(subject, exact):
    case = Adversarial(minimum=exact - 0.02, rows=300).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in case.detail


def test_report_has_budgets_examples_features_and_a_picture(subject):
    case = Adversarial(minimum=0.5, rows=200).run(subject())

    shares = [value(case, f"robust_accuracy[{budget}]").value for budget in ("0.1", "0.25", "0.5", "1")]
    assert shares == sorted(shares, reverse=True)
    assert case.facts["gives_way_first"] == {"x": 1.0}
    assert len(case.facts["examples"]) == 3
    for example in case.facts["examples"]:
        assert set(example["before"]) == {"x", "n", "country"}
        assert set(example["after"]) == {"x"}
        assert example["answers"][0] != example["answers"][1]
        assert f"row {example['row']}: x " in case.detail
    json.dumps(case.facts, allow_nan=False)
    (figure,) = case.figures
    assert figure.series[0].x == (0.0, 0.1, 0.25, 0.5, 1.0)
    assert figure.series[0].y[1:] == tuple(shares)
    assert figure.bounds == (0.5,)
    assert value(case, "adversarial_budget_median").value == pytest.approx(0.7, abs=0.15)


def test_same_seed_gives_the_same_case(subject):
    one, again, other = (
        Adversarial(minimum=0.5, rows=100, method="labels").run(subject(seed=seed)) for seed in (3, 3, 4)
    )

    assert one == again
    assert one != other


def test_model_that_never_changes_its_answer_proves_nothing(subject, rule):
    model = rule(lambda rows: np.ones(len(rows), dtype=int))

    case = Adversarial(minimum=0.1).run(subject(model))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "an attack that cannot attack proves nothing" in case.detail
    assert case.facts["misled_by_control_share"] == 0


def test_model_that_is_never_right_fails_without_an_attack(subject, rule, rows):
    model = rule(lambda asked: np.full(len(asked), 7))

    case = Adversarial(minimum=0.5).run(subject(model))

    assert case.outcome is Outcome.FAILED
    assert case.facts["rows_right"] == 0
    assert value(case, "robust_accuracy[0.5]").value == 0


def test_model_whose_features_may_not_change_proves_nothing(subject):
    frozen = Constraints(immutable=("x", "n", "country"))

    case = Adversarial(minimum=0.1, constraints=frozen).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "let more change" in case.detail


def test_classes_may_be_many_and_their_names_strings(rule, rows, subject):
    names = np.array(["low", "mid", "tall one"])

    def probability(asked):
        logits = np.c_[-asked["x"] - 0.5, np.zeros(len(asked)), asked["x"] - 0.5] * 4
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    model = rule(lambda asked: names[probability(asked).argmax(axis=1)])
    rows = rows.assign(y=model.answer(rows))
    by_labels = Adversarial(minimum=0.3, rows=300).run(subject(model, rows=rows))
    model.scores = probability
    by_scores = Adversarial(minimum=0.3, rows=300).run(subject(model, rows=rows))

    assert (by_labels.facts["method"], by_scores.facts["method"]) == ("labels", "scores")
    for case in (by_labels, by_scores):
        nearest = (rows["x"].abs() - 0.5).abs() > 0.5 * rows["x"].std(ddof=0)
        assert value(case, "robust_accuracy[0.5]").value == pytest.approx(nearest.mean(), abs=0.06)
        assert {name for example in case.facts["examples"] for name in example["answers"]} <= set(names)


def test_class_that_the_truth_does_not_have_does_not_mislead_the_attack(rule, subject, sensible):
    model = rule(sensible.answer)
    model.scores = lambda asked: np.c_[np.asarray(sensible.scores(asked)) * 0.9, np.full(len(asked), 0.1)]

    case, two = (Adversarial(minimum=0.5, rows=200).run(subject(one)) for one in (model, sensible))

    assert case.facts["method"] == "scores"
    assert value(case, "robust_accuracy[0.5]") == value(two, "robust_accuracy[0.5]")


@pytest.mark.parametrize("scores", [True, False])
def test_real_model_of_mixed_columns_with_missing_values_is_attacked_within_the_rules(rule, subject, rows, scores):
    rng = np.random.default_rng(1)
    rows = rows.assign(country=rows["country"].astype("category"), w=rng.normal(size=len(rows)).astype("float32"))
    rows.loc[rng.random(len(rows)) < 0.1, "x"] = np.nan
    features = rows.drop(columns="y")
    real = HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype", random_state=0)
    real.fit(features, rows["y"])
    model = rule(real.predict, (lambda asked: real.predict_proba(asked)[:, 1]) if scores else None)
    rules = Constraints(immutable=("country",), increasing=("n",))

    case = Adversarial(minimum=0.0, rows=80, constraints=rules).run(subject(model, rows=rows))

    assert case.outcome in {Outcome.PASSED, Outcome.INCONCLUSIVE}
    assert value(case, "robust_accuracy[1]").value < value(case, "robust_accuracy[0.1]").value
    for example in case.facts["examples"]:
        assert "country" not in example["after"]
        assert example["after"].get("n", 99) > example["before"]["n"]
        row = pd.DataFrame([example["before"] | example["after"]]).astype(features.dtypes.to_dict())
        assert real.predict(row)[0] == example["answers"][1]


def test_numbers_need_a_tolerance_and_are_attacked_with_one(rule, rows, subject):
    model = rule(lambda asked: 10 * asked["x"].to_numpy())
    rows = rows.assign(y=10 * rows["x"] + 0.5)
    with pytest.raises(ConfigurationError, match="tolerance"):
        Adversarial(minimum=0.5).run(subject(model, rows=rows))

    for method in ("auto", "labels"):
        near, far = (
            Adversarial(minimum=0.5, tolerance=tolerance, rows=100, method=method).run(subject(model, rows=rows))
            for tolerance in (6.0, 4.0)
        )

        assert near.outcome is Outcome.PASSED
        assert value(near, "robust_accuracy[0.5]").value > 0.95
        assert value(far, "robust_accuracy[0.5]").value < 0.05


def test_tolerance_is_for_numbers_only(subject, rule, rows):
    model = rule(lambda asked: np.where(asked["x"] > 0, "yes", "no"))
    rows = rows.assign(y=np.where(rows["y"], "yes", "no"))

    with pytest.raises(ConfigurationError, match="these are labels"):
        Adversarial(minimum=0.5, tolerance=1.0).run(subject(model, rows=rows))


def test_scores_are_asked_for_only_where_there_are_any(subject, rule):
    model = rule(lambda asked: (asked["x"] > 0).astype(int).to_numpy())

    with pytest.raises(ConfigurationError, match="labels only"):
        Adversarial(minimum=0.5, method="scores").run(subject(model))


@pytest.mark.parametrize("method", ["scores", "labels"])
def test_one_row_is_attacked_and_proves_nothing(subject, rows, method):
    case = Adversarial(minimum=0.9, method=method, budget=0.01).run(subject(rows=rows.iloc[[3]]))

    assert case.outcome is Outcome.INCONCLUSIVE


def test_time_is_kept_and_what_is_unknown_may_be_either(subject):
    case = Adversarial(minimum=0.1, max_seconds=1e-9).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows were not attacked" in case.detail
    assert case.facts["rows_attacked"] == 0
    measured = value(case, "robust_accuracy[0.5]")
    assert np.isnan(measured.value)
    assert measured.low == 0
    assert measured.high > 0.8


def test_progress_is_told_to_the_end(subject):
    told = []

    case = Adversarial(minimum=0.5, rows=100).run(subject(on_progress=lambda *now: told.append(now)))

    assert told[-1] == (case.facts["rows_right"], case.facts["rows_right"])


def test_model_that_answers_otherwise_each_time_has_no_adversary_that_is_confirmed_by_luck(subject, rule):
    luck = np.random.default_rng(0)
    model = rule(lambda asked: luck.integers(0, 2, len(asked)))

    case = Adversarial(minimum=0.9, rows=200, method="labels").run(subject(model))

    assert case.outcome in {Outcome.FAILED, Outcome.INCONCLUSIVE}


def test_column_that_is_not_there_is_named_with_the_nearest_one(subject):
    with pytest.raises(ConfigurationError, match="did you mean 'country'"):
        Adversarial(minimum=0.5, constraints=Constraints(immutable=("countri",))).run(subject())


def test_linear_model_of_scikit_learn_is_as_robust_as_its_formula_says(rule, rows, subject):
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(600, 5)), columns=list("abcde"))
    labels = (features.to_numpy() @ [1, -1, 2, 0.5, 0] + rng.normal(size=600) > 0).astype(int)
    real = LogisticRegression().fit(features, labels)
    model = rule(real.predict, lambda asked: real.predict_proba(asked)[:, 1])
    # Where the range of the data does not bind, the least budget has a closed form.
    free = Constraints(bounds=dict.fromkeys(features, (-99.0, 99.0)))
    strength = np.abs(real.coef_[0] * features.to_numpy().std(axis=0)).sum()
    safe = (np.abs(real.decision_function(features)) > 0.25 * strength) & (real.predict(features) == labels)

    case = Adversarial(minimum=0.1, rows=600, constraints=free).run(subject(model, rows=features.assign(y=labels)))

    assert value(case, "robust_accuracy[0.25]").value == pytest.approx(safe.mean())


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"minimum": 1.5},
        {"minimum": float("nan")},
        {"minimum": 0.5, "budget": 0},
        {"minimum": 0.5, "budgets": (0.1, -1)},
        {"minimum": 0.5, "control": 0.5},
        {"minimum": 0.5, "control": float("inf")},
        {"minimum": 0.5, "max_features": 0},
        {"minimum": 0.5, "rows": 0},
        {"minimum": 0.5, "method": "gradient"},
        {"minimum": 0.5, "tolerance": 0},
        {"minimum": 0.5, "max_seconds": 0},
        {"minimum": 0.5, "confidence": 95},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Adversarial"):
        Adversarial(**wrong)
