import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from airflow_mltest.checks.model.overfit import Overfit, difference_of_independent
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import Interval

FEATURES = ["x", "n"]


@pytest.fixture
def split(rows):
    return rows[:1000], rows[1000:]


@pytest.fixture
def fitted(rule, split):
    def make(estimator):
        estimator.fit(split[0][FEATURES], split[0]["y"])
        model = rule(lambda r: estimator.predict(r[FEATURES]))
        model.scores = lambda r: estimator.predict_proba(r[FEATURES])
        return model

    return make


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
def test_tree_that_learned_by_heart_fails_and_a_regression_passes(subject, fitted, split, metric):
    check = Overfit(metric=metric, max_gap=0.08, train=lambda: split[0])
    deep, plain = (
        check.run(subject(fitted(model), rows=split[1])) for model in (DecisionTreeClassifier(), LogisticRegression())
    )

    assert deep.outcome is Outcome.FAILED
    assert deep.measurements[0].value > 0.08
    assert plain.outcome is Outcome.PASSED
    assert "1000 rows of the training" in plain.detail


def test_few_rows_are_inconclusive_and_say_how_many_would_decide(subject, fitted, split):
    few = split[1][:60]
    case = Overfit(metric="accuracy", max_gap=0.05, train="train.parquet").run(
        subject(fitted(LogisticRegression()), rows=few, tables={"train.parquet": split[0]})
    )

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "would decide" in case.detail


def test_data_that_nobody_has_read_is_named_and_the_check_says_what_to_read(subject):
    check = Overfit(metric="accuracy", max_gap=0.1, train="train.parquet")

    assert check.sources == ("train.parquet",)
    with pytest.raises(ConfigurationError, match=r"nobody has read 'train\.parquet'"):
        check.run(subject())


def test_training_rows_without_the_target_are_refused(subject, split):
    with pytest.raises(ConfigurationError, match="no column 'y'"):
        Overfit(metric="accuracy", max_gap=0.1, train=lambda: split[0].drop(columns="y")).run(subject())


@pytest.mark.parametrize("wrong", [{"max_gap": -0.1}, {"max_gap": float("nan")}, {"max_gap": 0.1, "confidence": 95}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Overfit"):
        Overfit(metric="accuracy", train="t", **wrong)


def test_difference_is_newcombes_of_his_own_example():
    # 56 of 70 against 48 of 80: R. G. Newcombe (1998), table II, method 10.
    wilson = [binomtest(hits, rows).proportion_ci(0.95, method="wilson") for hits, rows in ((56, 70), (48, 80))]
    one, other = (Interval(low=found.low, high=found.high, confidence=0.95) for found in wilson)
    gap, interval = difference_of_independent(0.8, one, 0.6, other, sign=1)

    assert gap == pytest.approx(0.2)
    assert (interval.low, interval.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_losses_are_turned_round():
    one, other = Interval(low=1.0, high=2.0, confidence=0.9), Interval(low=3.0, high=5.0, confidence=0.9)
    gap, interval = difference_of_independent(1.5, one, 4.0, other, sign=-1)
    swapped, mirrored = difference_of_independent(4.0, other, 1.5, one, sign=1)

    assert gap == swapped == 2.5
    assert (interval.low, interval.high) == pytest.approx((mirrored.low, mirrored.high))


def test_gap_on_the_bound_is_seldom_called_too_great(subject, rule, rows):
    failed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        right = {"train": rng.random(1000) < 0.95, "test": rng.random(500) < 0.9}
        both = {name: rows[: len(hits)].assign(said=hits.astype(int), y=1) for name, hits in right.items()}
        model = rule(lambda r: r["said"].to_numpy())
        check = Overfit(metric="accuracy", max_gap=0.05, train=lambda both=both: both["train"])
        failed += check.run(subject(model, rows=both["test"])).outcome is Outcome.FAILED

    assert failed <= 9  # 5 % of 100, and what luck adds in 1 of 20 such tests
