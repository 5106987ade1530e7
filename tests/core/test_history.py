import json
import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.history import (
    PastCase,
    PastRun,
    durations,
    flaky_tests,
    past_run_from_document,
    past_run_of,
    past_run_to_document,
    suspicion,
)
from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.core.quarantine import Quarantine

START = datetime(2026, 11, 25, tzinfo=UTC)
ENDED = {
    "p": PastCase(outcome=Outcome.PASSED, duration_s=1.0),
    "f": PastCase(outcome=Outcome.FAILED, duration_s=1.0),
    "b": PastCase(outcome=Outcome.BROKEN, duration_s=1.0),
    "s": PastCase(outcome=Outcome.SKIPPED),
    "a": PastCase(outcome=Outcome.PASSED, duration_s=1.0, flaky=True),
    "P": PastCase(outcome=Outcome.PASSED, duration_s=1.0, quarantined=True),
    "F": PastCase(outcome=Outcome.FAILED, duration_s=1.0, quarantined=True),
}


def runs(*told, environment="e"):
    """Make runs, newest first, of text such as `c1 pf`: at commit c1 test 0 passed and test 1 failed."""
    made = []
    for age, line in enumerate(told):
        commit, _, letters = line.partition(" ")
        cases = {str(number): ENDED[letter] for number, letter in enumerate(letters) if letter != "-"}
        made.append(
            PastRun(
                commit=commit.strip("?"), environment=environment, started_at=START - timedelta(days=age), cases=cases
            )
        )
    return made


def names(found):
    return [one.test for one in found]


@pytest.mark.parametrize("letter", ["f", "b"])
def test_test_that_answered_differently_at_one_commit_is_flaky(letter):
    (found,) = flaky_tests(runs("c2 p", f"c1 {letter}", "c1 p"))

    assert (found.test, found.flakes, found.runs) == ("0", 1, 3)
    assert found.commits == ("c1",)
    assert found.last_at == START - timedelta(days=1)
    assert (found.passes, found.quarantined) == (1, False)


def test_test_that_passed_only_again_is_flaky_even_where_the_commit_is_not_known():
    (found,) = flaky_tests(runs("? a", "? p"))

    assert (found.flakes, found.runs, found.passes, found.commits) == (1, 2, 0, ())


@pytest.mark.parametrize(
    "told",
    [
        ("c2 p", "c1 f"),  # the code has changed
        ("c1 f", "c1 f"),
        ("c1 f", "c1 b"),
        ("c1 p", "c1 s"),
        ("c1 f", "c1 -"),
        ("? f", "? p"),  # nobody knows whether the code has changed
    ],
)
def test_answers_that_the_code_may_explain_are_not_flaky(told):
    assert flaky_tests(runs(*told)) == ()


def test_answers_in_two_environments_or_unknown_ones_are_not_compared():
    assert flaky_tests([*runs("c1 f", environment="a"), *runs("c1 p", environment="b")]) == ()
    assert flaky_tests(runs("c1 f", "c1 p", environment="")) == ()


def test_failure_at_a_commit_at_which_the_test_never_passed_is_not_counted_in_its_rate():
    (found,) = flaky_tests(runs("c3 f", "c3 f", "c2 p", "c1 a"))

    assert (found.flakes, found.runs, found.passes) == (1, 2, 0)


def test_quarantined_test_is_listed_with_its_passes_in_a_row_so_that_it_can_leave():
    found = {one.test: one for one in flaky_tests(runs("c3 PP-", "c2 PF-", "c1 PPP", "c1 ppF"))}

    assert {test: (one.quarantined, one.passes, one.flakes) for test, one in found.items()} == {
        "0": (True, 4, 0),
        "1": (True, 1, 0),
        "2": (True, 1, 1),
    }


def test_test_that_has_left_quarantine_and_never_failed_is_not_listed():
    assert flaky_tests(runs("c2 p", "c1 P")) == ()


def test_surely_worst_test_comes_first_not_the_one_of_which_little_is_known():
    told = ["c1 a-", *["c1 -p", "c1 -f"] * 20]

    assert names(flaky_tests(runs(*told))) == ["1", "0"]


def test_rate_holds_the_one_that_is_known_from_the_literature():
    # Agresti and Coull (1998): 0 of 10 and 5 of 10 at 95 %, both ends together.
    told = ["c1 a"] * 5 + ["c1 p"] * 5
    rate = flaky_tests(runs(*told), confidence=0.975)[0].rate
    assert (rate.low, rate.high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert rate.confidence == 0.95

    never = flaky_tests(runs(*["c1 P"] * 10), confidence=0.975)[0].rate
    assert (never.low, never.high) == (0.0, pytest.approx(0.2775, abs=1e-4))
    assert flaky_tests(runs(*["c1 a"] * 3))[0].rate.high == 1.0
    unknown = flaky_tests(runs("c1 F"))[0].rate
    assert (unknown.low, unknown.high) == (0.0, 1.0)


@given(st.lists(st.tuples(st.sampled_from(["c1", "c2", "?"]), st.text("pfbsaPF-", min_size=3, max_size=3)), max_size=8))
def test_flakes_never_outnumber_runs_and_a_test_that_only_passed_is_never_named(told):
    past = runs(*[f"{commit} {letters}" for commit, letters in told])

    found = flaky_tests(past)

    assert len(set(names(found))) == len(found)
    for one in found:
        assert 0 <= one.flakes <= one.runs <= len(past)
        share = one.flakes / one.runs if one.runs else 0.5
        assert 0 <= one.rate.low <= share <= one.rate.high <= 1
        letters = {letters[int(one.test)] for _, letters in told}
        assert letters & set("faPFb")
    for test in range(3):
        if {letters[test] for _, letters in told} <= set("ps-"):
            assert str(test) not in names(found)


def took(*seconds, outcome=Outcome.PASSED):
    cases = [PastCase(outcome=outcome, duration_s=duration_s) for duration_s in seconds]
    return [PastRun(commit="c", environment="e", started_at=START, cases={"t": case}) for case in cases]


def test_duration_is_the_median_of_the_last_five_passes():
    assert durations(took(3.0, 2.0, 60.0, 2.5, 1.0, 90.0, 90.0, 90.0)) == {"t": 2.5}
    assert durations(took(3.0)) == {"t": 3.0}
    assert durations([]) == {}


def test_duration_of_failures_counts_only_while_there_is_no_pass():
    hangs = took(60.0, outcome=Outcome.BROKEN)

    assert durations(hangs) == {"t": 60.0}
    assert durations([*hangs, *took(1.0)]) == {"t": 1.0}


@pytest.mark.parametrize("unknown", [0.0, -1.0, math.nan, math.inf])
def test_duration_that_is_none_is_absent(unknown):
    assert durations(took(unknown)) == {}
    assert durations(took(5.0, outcome=Outcome.SKIPPED)) == {}


def test_each_test_counts_its_own_last_runs_since_selections_leave_most_out():
    past = runs(*["c -p"] * 10, "c pp")

    assert durations(past) == {"0": 1.0, "1": 1.0}


def test_run_keeps_what_a_test_in_quarantine_really_said():
    quarantine = Quarantine.read(
        '[[tool.mltest.quarantine]]\ntest = "a.py"\nuntil = 2026-12-31\nreason = "r"',
        today=date(2026, 11, 25),
        path="pyproject.toml",
    )
    cases = [
        Case(name="a.py::fails", outcome=Outcome.FAILED, duration_s=2.0),
        Case(name="a.py::again", outcome=Outcome.PASSED, flaky=True),
        Case(name="b.py::again", outcome=Outcome.PASSED, flaky=True, duration_s=math.nan),
        Case(name="b.py::fails", outcome=Outcome.BROKEN),
    ]
    suite = Suite(name="unit", kind="code", cases=tuple(map(quarantine.judge, cases)), subject={"commit": "c1"})

    run = past_run_of(suite, environment="e")

    assert (run.commit, run.environment, run.started_at) == ("c1", "e", suite.started_at)
    assert run.cases == {
        "a.py::fails": PastCase(outcome=Outcome.FAILED, duration_s=2.0, quarantined=True),
        "a.py::again": PastCase(outcome=Outcome.PASSED, flaky=True, quarantined=True),
        "b.py::again": PastCase(outcome=Outcome.PASSED, flaky=True),
        "b.py::fails": PastCase(outcome=Outcome.BROKEN),
    }
    assert past_run_of(Suite(name="unit", kind="code"), environment="").commit == ""


past_cases = st.builds(
    PastCase,
    outcome=st.sampled_from(Outcome),
    duration_s=st.floats(0, 1e5).map(lambda seconds: round(seconds, 6)),
    flaky=st.booleans(),
    quarantined=st.booleans(),
)


@given(st.dictionaries(st.text(), past_cases), st.text(), st.text())
def test_run_comes_back_from_strict_json_as_it_was(cases, commit, environment):
    run = PastRun(commit=commit, environment=environment, started_at=START, cases=cases)

    assert past_run_from_document(json.loads(json.dumps(past_run_to_document(run), allow_nan=False))) == run


def test_fast_tests_keep_their_duration():
    (run,) = took(0.000123)

    assert durations([past_run_from_document(past_run_to_document(run))]) == {"t": 0.000123}


def test_document_of_five_thousand_tests_is_small():
    cases = {
        f"tests/unit/test_{n % 50}.py::test_{n}": PastCase(outcome=Outcome.PASSED, duration_s=0.0123)
        for n in range(5000)
    }
    run = PastRun(commit="c" * 40, environment="e" * 64, started_at=START, cases=cases)

    assert len(json.dumps(past_run_to_document(run))) < 60 * 5000


def damaged(**changes):
    document = {**past_run_to_document(runs("c1 pa")[0]), **changes}
    return {key: value for key, value in document.items() if value is not ...}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        damaged(version=2),
        damaged(schema="another"),
        damaged(started_at="yesterday"),
        damaged(started_at="2026-11-25T00:00:00"),
        damaged(started_at=3),
        damaged(commit=None),
        damaged(environment=...),
        damaged(cases=[]),
        damaged(cases={"passed": []}),
        damaged(cases={"perfect": {"t": 1.0}}),
        damaged(cases={"passed": {"t": None}}),
        damaged(cases={"passed": {"t": "long"}}),
        damaged(flaky=3),
        damaged(flaky=[[]]),
        damaged(quarantined=...),
    ],
)
def test_damaged_past_is_a_missing_one(document):
    assert past_run_from_document(document) is None


def changed_since(**told):
    return lambda commit: told[commit]


def test_test_that_fails_though_nothing_that_it_reaches_has_changed_is_flaky_or_its_surroundings_are():
    said = suspicion("0", runs("c3 f", "c2 p", "c1 p"), environment="e", changed=changed_since(c2=[]))

    assert said == "flaky, or something outside the code: nothing that it reaches has changed since it passed at c2"


def test_test_that_fails_after_a_change_that_it_reaches_is_a_regression_with_the_changes():
    reached = [f"a.py::f{number}" for number in range(7)]
    said = suspicion("0", runs("c1 p"), environment="e", changed=changed_since(c1=reached))

    assert said.startswith("regression: what it reaches has changed since it passed at c1: a.py::f0, a.py::f1")
    assert said.endswith("a.py::f4 and 2 more")
    assert "more" not in suspicion("0", runs("c1 p"), environment="e", changed=changed_since(c1=reached[:5]))


@pytest.mark.parametrize(
    "told, environment",
    [
        (["c1 f", "c2 s"], "e"),
        (["c1 -"], "e"),
        (["c1 p"], "another"),
        (["? p"], "e"),
        ([], "e"),
        (["c1 p"], ""),
    ],
)
def test_nothing_is_said_of_a_test_that_is_not_known_to_have_passed_here(told, environment):
    assert suspicion("0", runs(*told), environment=environment, changed=changed_since()) == ""


def test_nothing_is_said_where_the_changes_cannot_be_told():
    assert suspicion("0", runs("c1 p"), environment="e", changed=changed_since(c1=None)) == ""
