from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.outcome import Case, Outcome, Suite

FAILED, BROKEN, INCONCLUSIVE, PASSED, SKIPPED = (
    Outcome.FAILED,
    Outcome.BROKEN,
    Outcome.INCONCLUSIVE,
    Outcome.PASSED,
    Outcome.SKIPPED,
)


def suite(*outcomes, **more):
    cases = tuple(Case(name=f"case {number}", outcome=outcome) for number, outcome in enumerate(outcomes))
    return Suite(name="suite", kind="code", cases=cases, **more)


@pytest.mark.parametrize(
    "outcomes, expected",
    [
        ([FAILED, BROKEN, INCONCLUSIVE, PASSED, SKIPPED], FAILED),
        ([BROKEN, INCONCLUSIVE, PASSED, SKIPPED], BROKEN),
        ([INCONCLUSIVE, PASSED, SKIPPED], INCONCLUSIVE),
        ([PASSED, SKIPPED], PASSED),
        ([PASSED], PASSED),
        ([SKIPPED, SKIPPED], SKIPPED),
    ],
)
def test_suite_is_the_worst_that_it_holds_in_any_order(outcomes, expected):
    assert suite(*outcomes).outcome is expected
    assert suite(*reversed(outcomes)).outcome is expected


def test_suite_in_which_nothing_ran_has_not_passed():
    assert suite().outcome is BROKEN
    assert not suite().passed


def test_suite_in_which_everything_was_skipped_has_not_passed():
    assert not suite(SKIPPED, SKIPPED).passed


@pytest.mark.parametrize("outcomes", [[], [PASSED], [SKIPPED], [INCONCLUSIVE]])
def test_suite_that_did_not_end_is_broken_whatever_it_said_until_then(outcomes):
    assert suite(*outcomes, incomplete="killed").outcome is BROKEN


def test_failure_outweighs_an_early_end():
    assert suite(FAILED, PASSED, incomplete="killed").outcome is FAILED


@given(st.lists(st.sampled_from(Outcome)), st.sampled_from(["", "killed"]))
def test_suite_passes_only_if_it_ended_and_all_that_ran_passed(outcomes, incomplete):
    expected = not incomplete and PASSED in outcomes and set(outcomes) <= {PASSED, SKIPPED}

    assert suite(*outcomes, incomplete=incomplete).passed == expected


@given(st.lists(st.sampled_from(Outcome)))
def test_every_case_is_counted_once(outcomes):
    counts = suite(*outcomes).counts

    assert counts.pop("flaky") == 0
    assert counts == {outcome.value: outcomes.count(outcome) for outcome in Outcome}


def test_case_that_passed_when_asked_again_is_counted_as_passed_and_as_flaky():
    flaky = Suite(name="suite", kind="code", cases=(Case(name="case", outcome=PASSED, flaky=True),))

    assert (flaky.counts["passed"], flaky.counts["flaky"]) == (1, 1)


def test_failures_are_the_failed_cases_and_then_the_broken_ones():
    assert [case.name for case in suite(BROKEN, PASSED, FAILED, SKIPPED, INCONCLUSIVE).failures] == ["case 2", "case 0"]


def test_outcomes_are_the_strings_that_documents_hold():
    assert [f"{outcome}" for outcome in Outcome] == ["passed", "failed", "inconclusive", "broken", "skipped"]


def test_suite_knows_when_it_began_with_its_time_zone():
    assert suite().started_at.utcoffset() is not None


def test_values_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        suite(PASSED).cases[0].outcome = FAILED
