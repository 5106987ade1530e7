import numpy as np
import pytest

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.baseline import NotWorseThan
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import verdict


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


def paired(rng, rows, discordance, worse):
    """The truth, a champion that is right nine times in ten, and a candidate that differs in *discordance* of rows."""
    truth = rng.integers(0, 2, rows)
    right = rng.random(rows) < 0.9
    lost = (discordance + worse) / 2 / 0.9
    gained = (discordance - worse) / 2 / 0.1
    luck = rng.random(rows)
    also = np.where(right, luck >= lost, luck < gained)
    return truth, np.where(right, truth, 1 - truth), np.where(also, truth, 1 - truth)


@pytest.mark.parametrize("rows", [200, 1000, 10_000])
def test_equal_candidate_is_failed_and_one_two_percent_worse_passed_at_most_one_time_in_twenty(rows):
    rng, measure = np.random.default_rng(rows), Measure.named("accuracy")
    found = {"failed": 0, "passed": 0}
    for _ in range(100):
        for worse, wrong in ((0.0, "failed"), (0.02, "passed")):
            truth, champion, candidate = paired(rng, rows, 0.06, worse)
            one, other = (Answers(labels=truth, predictions=given, scores=None) for given in (candidate, champion))
            _, interval = measure.difference(one, other, 0.95, rng)
            found[wrong] += verdict(interval, minimum=-0.01) == wrong

    assert found["failed"] / 100 <= 0.05
    assert found["passed"] / 100 <= 0.05


def test_rows_that_would_decide_are_planned_for_equal_models_and_not_for_the_luck_of_the_sample(subject, rule, rows):
    outcomes = set()
    for seed in range(3):
        one, other = (spoiled(rule, rows[:400], 0.03, seed=seed + offset) for offset in (0, 100))
        case = NotWorseThan(metric="accuracy", margin=0.01).run(subject(one, baseline=other, rows=rows[:400]))
        needed = int(case.detail.partition("; about ")[2].partition(" rows")[0])
        outcomes.add(case.outcome)
        # (1.645 + 0.842)**2 * discordance / margin**2, with a discordance of about 0.06.
        assert 2500 <= needed <= 6000

    assert outcomes == {Outcome.INCONCLUSIVE}


def mean_miss(truth, answers):
    return float(np.abs(truth - answers).mean())


def test_function_of_your_own_says_itself_which_way_it_points(subject, rule, rows, sensible):
    worse = subject(spoiled(rule, rows, 0.3), baseline=sensible)
    judged, mistaken = (
        NotWorseThan(metric=mean_miss, margin=0.01, greater_is_better=greater).run(worse) for greater in (False, True)
    )

    assert judged.outcome is Outcome.FAILED
    assert mistaken.outcome is Outcome.PASSED
    assert judged.name == "not_worse_than_baseline(mean_miss)"
