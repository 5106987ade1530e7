import numpy as np
import pytest

from airflow_mltest.checks.model.baseline import NotWorseThan
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def spoiled(rule, rows, share, seed=1):
    """A model that answers a share of the rows the other way round."""
    flipped = np.random.default_rng(seed).random(len(rows)) < share
    right = (rows["x"] > 0).astype(int).to_numpy()
    chance = np.where(flipped, -rows["x"], rows["x"])
    return rule(
        lambda _: np.where(flipped, 1 - right, right), lambda _: 1 / (1 + np.exp(-3 * chance)), uri=f"{share:.0%} off"
    )


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "f1", "neg_log_loss", "log_loss"])
def test_much_worse_candidate_fails_whichever_way_the_metric_points(subject, rule, rows, sensible, metric):
    case = NotWorseThan(metric=metric, margin=0.01).run(subject(spoiled(rule, rows, 0.3), baseline=sensible))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value < 0
    assert sensible.uri in case.detail


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
def test_better_candidate_passes(subject, rule, rows, sensible, metric):
    case = NotWorseThan(metric=metric, margin=0).run(subject(sensible, baseline=spoiled(rule, rows, 0.3)))

    assert case.outcome is Outcome.PASSED


def test_same_model_is_not_worse(subject, sensible):
    assert NotWorseThan(metric="roc_auc", margin=0).run(subject(sensible, baseline=sensible)).outcome is Outcome.PASSED


def test_difference_within_luck_is_inconclusive_and_says_how_many_rows_would_decide(subject, rule, rows):
    one, other = spoiled(rule, rows[:200], 0.05, seed=1), spoiled(rule, rows[:200], 0.05, seed=2)
    case = NotWorseThan(metric="accuracy", margin=0.01).run(subject(one, baseline=other, rows=rows[:200]))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in case.detail


def test_equal_candidate_is_seldom_refused_and_a_worse_one_seldom_passed(subject, rule, rows):
    outcomes = {"equal": [], "worse": []}
    for seed in range(40):
        champion = spoiled(rule, rows, 0.05, seed=seed)
        equal, worse = spoiled(rule, rows, 0.05, seed=1000 + seed), spoiled(rule, rows, 0.12, seed=1000 + seed)
        for name, model in (("equal", equal), ("worse", worse)):
            case = NotWorseThan(metric="accuracy", margin=0.01).run(subject(model, baseline=champion))
            outcomes[name].append(case.outcome)

    assert outcomes["equal"].count(Outcome.FAILED) <= 4
    assert outcomes["worse"].count(Outcome.PASSED) == 0
    assert outcomes["worse"].count(Outcome.FAILED) >= 30


def test_first_release_is_skipped_and_says_how_it_is_judged(subject):
    case = NotWorseThan(metric="accuracy", margin=0).run(subject(baseline_absent="first release: no champion yet"))

    assert case.outcome is Outcome.SKIPPED
    assert case.detail == "first release: no champion yet; judged by the other checks alone"


@pytest.mark.parametrize("margin", [-0.1, float("nan")])
def test_margin_that_is_no_loss_is_refused(margin):
    with pytest.raises(ConfigurationError, match="margin"):
        NotWorseThan(metric="accuracy", margin=margin)
