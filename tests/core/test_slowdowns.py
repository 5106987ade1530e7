from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from airflow_mltest.core.history import PastCase, PastRun
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.slowdowns import slowdown, slowdowns

START = datetime(2026, 11, 25, tzinfo=UTC)


def durations(rng, tests, runs, spread=0.3):
    """Draw seconds, a row a test and newest first: noise that is not normal, and one in 20 stuck on a busy machine."""
    usual = rng.lognormal(0.0, 1.0, (tests, 1))
    stuck = np.where(rng.random((tests, runs)) < 0.05, rng.uniform(2, 10, (tests, runs)), 1.0)
    return usual * rng.lognormal(0.0, spread, (tests, runs)) * stuck


def past(took_s, outcome=Outcome.PASSED):
    return [
        PastRun(
            commit="c",
            environment="e",
            started_at=START - timedelta(days=age),
            cases={str(test): PastCase(outcome=outcome, duration_s=s) for test, s in enumerate(column) if s > 0},
        )
        for age, column in enumerate(np.asarray(took_s).T.tolist())
    ]


def test_of_20000_tests_that_have_not_changed_at_most_four_are_told():
    took_s = durations(np.random.default_rng(1), 20_000, 50)
    # By chance alone there would be two, and more than four once in twenty times.
    alarms = [row for row in took_s.tolist() if slowdown("t", row)]

    assert len(alarms) <= 4


def test_false_alarms_are_as_rare_as_promised_even_without_the_least_ratio(monkeypatch):
    from airflow_mltest.core import slowdowns as module

    monkeypatch.setattr(module, "_LEAST_RATIO", 0.0)
    monkeypatch.setattr(module, "_LEAST_S", 0.0)
    took_s = durations(np.random.default_rng(2), 40_000, 30)

    assert sum(slowdown("t", row) is not None for row in took_s.tolist()) / len(took_s) <= 3e-4


def test_tests_that_take_twice_as_long_are_told_within_five_runs_despite_outliers():
    took_s = durations(np.random.default_rng(3), 500, 50, spread=0.15)
    took_s[:, :5] *= 2

    assert sum(slowdown("t", row) is not None for row in took_s.tolist()) >= 450


def test_slowdown_says_from_what_to_what_and_how_likely_luck_is():
    found = slowdown("t", [2.0] * 5 + [1.0] * 45)

    assert (found.test, found.before_s, found.now_s) == ("t", 1.0, 2.0)
    assert found.chance == pytest.approx(1 / 2_118_760)


@pytest.mark.parametrize(
    "seconds",
    [
        [],
        [2.0] * 4,
        [2.0] * 5,
        [2.0] * 5 + [1.0] * 13,  # too few to know
        [2.0] * 4 + [1.0] * 46,  # four may be luck
        [1.2] * 5 + [1.0] * 45,  # surely slower, and nothing to look into
        [0.02] * 5 + [0.01] * 45,
        [1.0] * 5 + [2.0] * 45,  # faster
        [1.0] * 50,
    ],
)
def test_what_may_be_luck_or_does_not_matter_is_not_told(seconds):
    assert slowdown("t", seconds) is None


def test_nineteen_runs_are_enough():
    assert slowdown("t", [2.0] * 5 + [1.0] * 14)


def test_test_that_became_slower_is_told_and_the_costliest_first():
    took_s = durations(np.random.default_rng(4), 30, 50, spread=0.1)
    took_s[3] = took_s[4] = 1.0
    took_s[3, :5], took_s[4, :5] = 3.0, 9.0

    assert [one.test for one in slowdowns(past(took_s))] == ["4", "3"]


def test_machine_that_slows_all_tests_down_is_told_of_none():
    took_s = durations(np.random.default_rng(5), 30, 50, spread=0.1)
    took_s[:, :5] *= 3

    assert slowdowns(past(took_s)) == ()
    assert slowdown("one of them alone", took_s[0].tolist())


def test_runs_in_which_a_test_did_not_pass_say_nothing_of_its_duration():
    slow = np.concatenate([np.full((1, 5), 9.0), np.full((1, 45), 1.0)], axis=1)

    assert slowdowns(past(slow))
    assert slowdowns(past(slow, Outcome.FAILED)) == ()
    assert slowdowns([]) == ()
