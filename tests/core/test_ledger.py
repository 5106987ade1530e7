from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.launches import Ended
from airflow_mltest.core.ledger import Ledger
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.recording import Recording

P, F, B, S = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED


@pytest.fixture
def recording():
    return Recording("unit", "code")


def session(ids=("a", "b"), *, maxfail=0, spread=False):
    yield {"event": "session", "pid": 7, "python": "3.11", "pytest": "9", "maxfail": maxfail, "spread": spread}
    yield {"event": "collected", "ids": list(ids), "unplanned": 0}


def started(test):
    return {"event": "started", "id": test}


def finished(test, outcome="passed", **more):
    return {"event": "finished", "id": test, "outcome": outcome, "duration_s": 0.1, **more}


def ended(status):
    return {"event": "ended", "status": status}


def told(recording):
    return {case.name: case.outcome for case in recording.cases}


def test_run_that_comes_to_its_end_needs_no_other(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(), finished("a"), finished("b"), ended(0)])
    ledger.after(Ended(code=0))

    assert ledger.ask() is None
    assert told(recording) == {"a": P, "b": P}
    assert recording.total == 2


def test_test_that_took_pytest_down_is_blamed_and_the_rest_asked_for(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(), started("a")])
    ledger.after(Ended(code=-11, tail="Segmentation fault"))

    assert ledger.ask().skip == {"a"}
    assert told(recording) == {"a": B}
    assert "SIGSEGV" in recording.cases[0].detail
    assert recording.cases[0].output == "Segmentation fault"


def test_rest_is_collected_from_its_files_only_where_they_are_known(recording):
    ledger = Ledger(recording)
    first = ledger.ask()
    collecting = [{"event": "collecting", "id": f"{n}.py", "path": f"/p/{n}.py"} for n in "xy"]
    done = {"event": "collecting", "id": "", "path": ""}
    ledger.take([*collecting, done, *session(["x.py::a", "y.py::b"]), finished("x.py::a"), started("y.py::b")])
    ledger.after(Ended(code=-9))

    assert first.files is None
    assert ledger.ask().files == ("/p/y.py",)


def test_pytest_that_dies_between_two_tests_goes_on_while_it_gets_further(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(), finished("a")])
    ledger.after(Ended(code=-9))
    ledger.ask()
    ledger.take(session(["b"]))

    with pytest.raises(BrokenRunError, match="SIGKILL"):
        ledger.after(Ended(code=-9))


def test_test_that_was_collected_and_never_ran_is_broken_where_pytest_says_all_is_well(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(), finished("a"), ended(0)])
    ledger.after(Ended(code=0))

    assert told(recording)["b"] is B


@pytest.mark.parametrize("asked", [True, False])
def test_exit_code_that_is_not_what_pytest_said_is_broken_unless_it_was_told_to_end(recording, asked):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(["a"]), finished("a"), ended(0)])
    ledger.after(Ended(code=-6, asked=asked))

    assert ("(exit)" in told(recording)) is not asked


def test_what_fails_is_held_back_until_it_was_asked_again(recording):
    ledger = Ledger(recording, reruns=1)
    ledger.ask()
    ledger.take([*session(), finished("a", "failed"), finished("b"), ended(1)])
    ledger.after(Ended(code=1))
    assert told(recording) == {"b": P}

    assert ledger.ask().only == {"a"}
    ledger.take([*session(["a"]), finished("a", "failed"), ended(1)])
    ledger.after(Ended(code=1))
    assert ledger.ask() is None
    ledger.settle(complete=True)

    assert told(recording) == {"b": P, "a": F}
    assert [one["alone"] for one in recording.cases[1].facts["attempts"]] == [False, True]


def test_file_that_cannot_be_collected_is_told_once_over_two_processes(recording):
    ledger = Ledger(recording)
    for _ in range(2):
        ledger.take([{"event": "uncollected", "id": "bad.py", "outcome": "broken", "detail": "ImportError"}])

    assert told(recording) == {"bad.py": B}


@pytest.mark.parametrize(
    "events, end, error, said",
    [
        ([], Ended(code=1, tail="No module named pytest"), ConfigurationError, "not installed"),
        ([], Ended(code=1, tail="No module named coverage"), ConfigurationError, "coverage is not installed"),
        ([], Ended(code=4, tail="usage: no"), ConfigurationError, "usage: no"),
        ([], Ended(code=-6, tail="abort"), BrokenRunError, "SIGABRT"),
        ([], Ended(code=-99), BrokenRunError, "unknown"),
        ([*session([]), ended(5)], Ended(code=5), ConfigurationError, "no tests"),
        ([*session(), ended(3)], Ended(code=3, tail="inside"), BrokenRunError, "inside"),
    ],
)
def test_end_of_pytest_that_is_no_answer_is_an_error(recording, events, end, error, said):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take(events)

    with pytest.raises(error, match=said):
        ledger.after(end)


def test_test_that_ends_because_it_was_told_to_has_timed_out_and_the_next_one_is_innocent(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(), started("a")])
    ledger.launch.overdue = {"a": 9.0}
    ledger.take([finished("a"), started("b")])
    ledger.after(Ended(code=-9, asked=True))

    assert told(recording) == {"a": B}
    assert ledger.ask().skip == {"a"}


def test_each_of_several_that_ran_when_all_went_down_is_asked_alone_before_it_is_blamed(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(spread=True), started("a"), started("b")])
    ledger.after(Ended(code=-6))
    assert told(recording) == {}

    for test, outcome in (("a", "passed"), ("b", "failed")):
        assert ledger.ask().only == {test}
        ledger.take([*session([test]), finished(test, outcome), ended(0 if outcome == "passed" else 1)])
        ledger.after(Ended(code=0 if outcome == "passed" else 1))
    assert ledger.ask() is None
    assert told(recording) == {"a": P, "b": F}
    assert [case.flaky for case in recording.cases] == [False, False]  # it was the other one


def test_suspect_that_is_never_asked_again_keeps_what_is_known_of_it(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(spread=True), started("a"), started("b")])
    ledger.after(Ended(code=-6))
    ledger.settle(complete=False)

    assert [(case.name, case.outcome, case.facts) for case in recording.cases] == [
        ("a", B, {"unfinished": True}), ("b", B, {"unfinished": True})
    ]  # fmt: skip


def test_workers_that_get_nothing_more_to_do_have_done_all_there_was(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(spread=True), finished("a"), finished("b")])
    ledger.after(Ended(code=-9, asked=True, why="nothing more to do"))

    assert ledger.ask() is None
    assert told(recording) == {"a": P, "b": P}


def test_failure_of_a_test_that_is_there_twice_does_not_hide_behind_its_first_answer(recording):
    ledger = Ledger(recording)
    ledger.ask()
    ledger.take([*session(["a"]), finished("a"), finished("a", "failed"), finished("a"), ended(1)])
    ledger.after(Ended(code=1))

    assert told(recording) == {"a": P, "a (again)": F}


def test_judge_has_the_last_word_and_does_not_change_what_the_exit_code_means(recording):
    ledger = Ledger(recording, judge=lambda case: Case(name=case.name, outcome=S))
    ledger.ask()
    ledger.take([*session(["a"]), finished("a", "failed"), ended(1)])
    ledger.after(Ended(code=1))

    assert told(recording) == {"a": S}


def test_half_a_surrogate_pair_reaches_no_log(recording):
    ledger = Ledger(recording)
    ledger.take([finished("a", "failed", detail="\udcff", output="\udc80x")])

    assert (recording.cases[0].detail, recording.cases[0].output) == ("?", "?x")


class FakePytest:
    """Answers a question as pytest with its plugin would, whatever its tests do to it."""

    def __init__(self, deeds, *, maxfail, order):
        self.deeds = deeds
        self.maxfail = maxfail
        self.order = order
        self.asked = Counter()

    def launch(self, ledger, question):
        """Feed the events to the ledger; give how the process ended."""
        ids = [test for test in self.order if test not in question.skip]
        ids = [test for test in ids if question.only is None or test in question.only]
        most = self.maxfail and (0 if question.failed is None else max(1, self.maxfail - question.failed))
        ledger.take(session(ids, maxfail=self.maxfail))
        failed = 0
        for test in ids:
            ledger.take([started(test)])
            self.asked[test] += 1
            deed = self.deeds[test][min(self.asked[test], len(self.deeds[test])) - 1]
            if deed in {"killed", "crash"}:
                return Ended(code=-9 if deed == "killed" else -11)
            if deed == "hang":
                ledger.launch.overdue = ledger.launch.ran
                return Ended(code=-9, asked=True)
            ledger.take([finished(test, deed)])
            failed += deed == "failed"
            if most and failed >= most:
                break
        status = 1 if failed else 0 if ids else 5
        ledger.take([ended(status)])
        return Ended(code=status)


deeds = st.lists(
    st.sampled_from(["passed", "passed", "failed", "skipped", "killed", "crash", "hang"]), min_size=1, max_size=4
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from([f"f.py::{n}" for n in range(9)]), deeds, min_size=1),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sets(st.sampled_from([f"f.py::{n}" for n in range(9)]), min_size=1) | st.none(),
)
def test_each_test_has_one_answer_whatever_they_do_and_no_more_than_its_turns(tests, reruns, maxfail, only):
    recording = Recording("unit", "code")
    ledger = Ledger(recording, reruns=reruns, only=None if only is None else frozenset(only))
    fake = FakePytest(tests, maxfail=maxfail, order=list(tests))
    launches = 0
    while (question := ledger.ask()) is not None:
        launches += 1
        assert launches < 200
        ledger.after(fake.launch(ledger, question))
    ledger.settle(complete=True)

    planned = tests.keys() if only is None else only
    assert Counter(case.name for case in recording.cases) == Counter(planned)
    cases = {case.name: case for case in recording.cases}
    for test, case in cases.items():
        turns = fake.asked[test]
        assert turns <= reruns + 2  # the first, the reruns, and one more for a kill that may be nobody's doing
        done = tests.get(test, [])
        seen = [done[min(turn, len(done) - 1)] for turn in range(turns)]
        if not turns:
            assert case.outcome is (S if test in tests else B)
        elif seen[-1] == "passed":
            assert case.outcome is P
            assert case.flaky is (turns > 1)
        else:
            assert case.outcome is not P or case.flaky
            assert len(case.facts.get("attempts", [1])) == turns
        if not maxfail and test in tests:
            assert turns >= 1
