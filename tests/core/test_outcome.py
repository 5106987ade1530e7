import pytest

from airflow_mltest.core.outcome import Case, Outcome, Suite

P, F, N, B, S = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.BROKEN, Outcome.SKIPPED


def suite(*outcomes, **more):
    cases = tuple(Case(name=f"{number}", outcome=outcome) for number, outcome in enumerate(outcomes))
    return Suite(name="s", kind="code", cases=cases, **more)


@pytest.mark.parametrize(
    "outcomes, whole",
    [((P, P), P), ((P, S), P), ((P, N), N), ((P, N, B), B), ((P, B, F), F), ((S, S), S), ((), B), ((N,), N)],
)
def test_suite_is_the_worst_that_it_holds(outcomes, whole):
    assert suite(*outcomes).outcome is whole
    assert suite(*outcomes).passed is (whole is P)


def test_suite_that_did_not_end_is_broken_whatever_passed():
    assert suite(P, P, incomplete="killed").outcome is B
    assert suite(P, F, incomplete="killed").outcome is F


def test_failures_are_the_failed_ones_before_the_broken_ones():
    assert [case.outcome for case in suite(P, B, F, N, S, B).failures] == [F, B, B]


def test_counts_name_every_outcome_and_the_flaky():
    flaky = Suite(name="s", kind="code", cases=(Case(name="a", outcome=P, flaky=True), Case(name="b", outcome=F)))

    assert flaky.counts == {"passed": 1, "failed": 1, "inconclusive": 0, "broken": 0, "skipped": 0, "flaky": 1}
