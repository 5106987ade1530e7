from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_mltest.ci.told import Told, suites_of
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.document import summarise
from airflow_mltest.reports.merge import in_force

AT = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = Origin(dag_id="d", run_id="r", task_id="tests.tests", map_index=2)


def suite(**more):
    outcomes = {"failed": 3, "broken": 2, "passed": 5, "inconclusive": 1, "skipped": 4}
    cases = [
        Case(name=f"{outcome} {number}", outcome=Outcome(outcome), detail=f"why {number}")
        for outcome, count in outcomes.items()
        for number in range(count)
    ]
    return Suite(**{"name": "unit", "kind": "code", "cases": tuple(cases), "subject": {"commit": "c0ffee"}, **more})


def told(summary, origin=ORIGIN):
    return Told(origin=origin, summary=summary, at=AT)


def test_suite_of_a_summary_has_its_outcome_its_failures_by_name_and_the_rest_by_number():
    made = told(summarise(suite(incomplete="killed"), "/reports/1.json")).suite()

    assert [(case.name, case.outcome.value, case.detail) for case in made.cases] == [
        ("failed 0", "failed", "why 0"),
        ("failed 1", "failed", "why 1"),
        ("failed 2", "failed", "why 2"),
        ("broken 0", "broken", "why 0"),
        ("broken 1", "broken", "why 1"),
        ("(5 passed)", "passed", "told by number only"),
        ("(1 inconclusive)", "inconclusive", "told by number only"),
        ("(4 skipped)", "skipped", "told by number only"),
    ]
    assert (made.name, made.kind, made.incomplete, made.origin) == ("unit", "code", "killed", ORIGIN)
    assert made.subject == {"commit": "c0ffee"}


def test_failures_that_a_summary_leaves_out_are_counted():
    cases = tuple(Case(name=f"{number}", outcome=Outcome.FAILED) for number in range(50))
    made = told(summarise(suite(cases=cases), "")).suite()

    assert len(made.cases) == 21
    assert made.cases[-1].name == "(30 failed)"
    assert made.outcome is Outcome.FAILED


@pytest.mark.parametrize("outcome", ["passed", "skipped", "inconclusive", "failed", "broken"])
def test_outcome_survives(outcome):
    case = Case(name="a", outcome=Outcome(outcome))

    assert told(summarise(suite(cases=(case,)), "")).suite().outcome == outcome


@pytest.mark.parametrize(
    "summary",
    [None, "s3://bucket/xcom/1", [], {"suite": "a"}, {"suite": "a", "kind": "other", "counts": {}, "failures": []}],
)
def test_what_others_push_under_the_same_key_is_no_suite(summary):
    assert not told(summary).is_suite


def test_summary_of_ours_is_a_suite():
    assert told(summarise(suite(), "")).is_suite


def test_whole_suite_is_taken_where_its_digest_says_that_it_is_the_one():
    told_two = [told(summarise(suite(), "", digest)) for digest in ("sha256:1", "sha256:2")]
    suites, whole = suites_of(told_two, {"sha256:1": suite(), "sha256:3": suite()})

    assert whole == 1
    assert [len(one.cases) for one in suites] == [15, 8]


def test_merged_suite_stands_for_its_shards_once_it_says_so():
    shard = told(summarise(suite(), "")).suite()
    merge = replace(ORIGIN, task_id="tests.merge", map_index=-1)
    merged = told({**summarise(suite(name="tests"), ""), "stands_for": "tests.tests"}, merge).suite()

    assert in_force([shard, merged]) == [merged]
