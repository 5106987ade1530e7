import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.ledger import Ended, Ledger
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording


@pytest.fixture
def recording():
    return Recording("unit", "code")


def session(ids=("a", "b")):
    yield {"event": "session", "pid": 7, "python": "3.11", "pytest": "9"}
    yield {"event": "collected", "ids": list(ids)}


def started(test):
    return {"event": "started", "id": test}


def finished(test, outcome="passed"):
    return {"event": "finished", "id": test, "outcome": outcome, "duration_s": 0.1}


def told(recording):
    return {case.name: case.outcome for case in recording.cases}


def test_run_that_comes_to_its_end_needs_no_other(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(), finished("a"), finished("b"), {"event": "ended", "status": 0}])

    assert ledger.after(Ended(code=0)) is False
    assert told(recording) == {"a": Outcome.PASSED, "b": Outcome.PASSED}
    assert recording.total == 2


def test_test_that_took_pytest_down_is_blamed_and_the_rest_asked_for(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(), started("a")])

    assert ledger.after(Ended(code=-11, tail="Segmentation fault")) is True
    assert told(recording) == {"a": Outcome.BROKEN}
    assert "SIGSEGV" in recording.cases[0].detail
    assert recording.cases[0].output == "Segmentation fault"


def test_pytest_that_dies_between_two_tests_goes_on_while_it_gets_further(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(), finished("a")])
    assert ledger.after(Ended(code=-9)) is True

    ledger.begin()
    ledger.take(session(["b"]))
    with pytest.raises(BrokenRunError, match="SIGKILL"):
        ledger.after(Ended(code=-9))


def test_test_that_was_collected_and_never_ran_is_broken_where_pytest_says_all_is_well(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(), finished("a"), {"event": "ended", "status": 0}])
    ledger.after(Ended(code=0))

    assert told(recording)["b"] is Outcome.BROKEN


def test_exit_code_that_is_not_what_pytest_said_is_broken_unless_it_was_told_to_end(recording):
    for asked in (True, False):
        ledger = Ledger(recording, reruns=0)
        ledger.take([*session(["a"]), finished("a"), {"event": "ended", "status": 0}])
        ledger.after(Ended(code=-6, asked=asked))
        assert ("(exit)" in told(recording)) is not asked


def test_more_warnings_than_allowed_are_a_failure(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(["a"]), finished("a"), {"event": "ended", "status": 6}])
    ledger.after(Ended(code=6))

    assert told(recording) == {"a": Outcome.PASSED, "(warnings)": Outcome.FAILED}


def test_what_fails_is_held_back_until_it_was_asked_again(recording):
    ledger = Ledger(recording, reruns=1)
    ledger.take([*session(), finished("a", "failed"), finished("b"), {"event": "ended", "status": 1}])
    ledger.after(Ended(code=1))
    assert told(recording) == {"b": Outcome.PASSED}

    ledger.again = {"a"}
    ledger.begin()
    ledger.take([*session(["a"]), finished("a", "failed"), {"event": "ended", "status": 1}])
    assert ledger.after(Ended(code=1)) is False
    ledger.settle()

    assert told(recording) == {"b": Outcome.PASSED, "a": Outcome.FAILED}
    assert len(recording.cases[1].facts["attempts"]) == 2


def test_file_that_cannot_be_collected_is_told_once_over_two_processes(recording):
    ledger = Ledger(recording, reruns=0)
    for _ in range(2):
        ledger.take([{"event": "uncollected", "id": "bad.py", "outcome": "broken", "detail": "ImportError"}])

    assert told(recording) == {"bad.py": Outcome.BROKEN}


@pytest.mark.parametrize(
    "events, ended, error, said",
    [
        ([], Ended(code=1, tail="No module named pytest"), ConfigurationError, "not installed"),
        ([], Ended(code=4, tail="usage: no"), ConfigurationError, "usage: no"),
        ([], Ended(code=-6, tail="abort"), BrokenRunError, "SIGABRT"),
        ([], Ended(code=-99), BrokenRunError, "unknown"),
        ([*session([]), {"event": "ended", "status": 5}], Ended(code=5), ConfigurationError, "no tests"),
        ([*session(), {"event": "ended", "status": 3}], Ended(code=3, tail="inside"), BrokenRunError, "inside"),
    ],
)
def test_end_of_pytest_that_is_no_answer_is_an_error(recording, events, ended, error, said):
    ledger = Ledger(recording, reruns=0)
    ledger.take(events)

    with pytest.raises(error, match=said):
        ledger.after(ended)


def test_tests_that_take_too_long_are_known(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(), started("a")])

    assert list(ledger.running_longer_than(-1)) == ["a"]
    assert ledger.running_longer_than(60) == {}


def test_test_that_ends_because_it_was_told_to_has_timed_out_and_the_next_one_is_innocent(recording):
    ledger = Ledger(recording, reruns=0)
    ledger.take([*session(), started("a")])
    ledger.overdue = ledger.running_longer_than(-1)
    ledger.take([finished("a"), started("b")])

    assert ledger.after(Ended(code=-9, asked=True)) is True
    assert told(recording) == {"a": Outcome.BROKEN}
