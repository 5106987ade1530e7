from datetime import UTC, datetime, timedelta

import pytest

from airflow_mltest.core.history import PastCase, PastRun
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.turns import turns

START = datetime(2026, 11, 25, tzinfo=UTC)
ENDED = {"p": Outcome.PASSED, "f": Outcome.FAILED, "b": Outcome.BROKEN, "s": Outcome.SKIPPED, "i": Outcome.INCONCLUSIVE}


def runs(*told):
    """Make runs, newest first, of text such as `c1 pf`: at commit c1 test 0 passed and test 1 failed."""
    return [
        PastRun(
            commit=line.split()[0],
            environment="e",
            started_at=START - timedelta(days=age),
            cases={str(n): PastCase(outcome=ENDED[one]) for n, one in enumerate(line.split()[1]) if one != "-"},
        )
        for age, line in enumerate(told)
    ]


@pytest.mark.parametrize("letter", ["f", "b"])
def test_test_that_fails_and_passed_the_last_time_is_a_new_failure(letter):
    (turn,) = turns(runs(f"c3 {letter}", "c2 p", "c1 f"))

    assert (turn.test, turn.kind, turn.since, turn.since_at, turn.runs) == ("0", "new", "c3", START, 1)
    assert (turn.passed, turn.whole) == ("c2", True)


def test_test_that_fails_the_first_time_that_it_runs_is_a_new_failure():
    (turn,) = turns(runs("c2 pf", "c1 p-"))

    assert (turn.test, turn.kind, turn.passed, turn.whole) == ("1", "new", "", False)


def test_test_that_still_fails_does_so_since_the_first_failure_after_its_last_pass():
    (turn,) = turns(runs("c5 f", "c4 b", "c3 f", "c2 p", "c1 f"))

    assert (turn.kind, turn.since, turn.since_at, turn.runs) == ("still", "c3", START - timedelta(days=2), 3)
    assert (turn.passed, turn.whole) == ("c2", True)


def test_test_that_has_failed_as_long_as_is_known_may_have_failed_for_longer():
    (turn,) = turns(runs("c2 f", "c1 f"))

    assert (turn.since, turn.runs, turn.whole) == ("c1", 2, False)


def test_test_that_passes_after_failures_is_fixed():
    (turn,) = turns(runs("c4 p", "c3 f", "c2 f", "c1 p"))

    assert (turn.kind, turn.since, turn.runs, turn.passed) == ("fixed", "c2", 2, "c1")


@pytest.mark.parametrize("between", ["s", "i", "-"])
def test_runs_that_could_not_tell_are_passed_over(between):
    assert turns(runs("c3 p", f"c2 {between}", "c1 p")) == ()
    (turn,) = turns(runs("c3 f", f"c2 {between}", "c1 f", "c0 p"))
    assert (turn.kind, turn.since, turn.runs) == ("still", "c1", 2)


@pytest.mark.parametrize("told", [(), ("c1 p",), ("c2 p", "c1 p"), ("c2 s", "c1 f"), ("c2 -", "c1 f")])
def test_nothing_has_turned_where_the_newest_run_says_nothing_new(told):
    assert turns(runs(*told)) == ()


def test_new_failures_come_first_and_the_longest_known_last():
    found = turns(runs("c3 pfff", "c2 fpff", "c1 pppf"))

    assert [(turn.test, turn.kind) for turn in found] == [("1", "new"), ("2", "still"), ("3", "still"), ("0", "fixed")]
