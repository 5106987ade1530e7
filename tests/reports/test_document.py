import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import airflow_mltest.reports
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.reports.document import (
    dumps,
    report_from_document,
    report_to_document,
    suite_from_document,
    suite_to_document,
    summarise,
)
from airflow_mltest.reports.merge import report_of

SCHEMA = json.loads((Path(airflow_mltest.reports.__file__).parent / "report.schema.json").read_text())


def strict(document):
    return json.loads(dumps(document))


def test_every_suite_is_strict_json_of_the_schema_and_comes_back(suites):
    @given(suites)
    def check(suite):
        document = strict(suite_to_document(suite))
        jsonschema.validate(document, SCHEMA)
        assert strict(suite_to_document(suite_from_document(document))) == document

    check()


def test_suite_comes_back_equal(suite, case):
    whole = suite("s", case("a", "failed", detail="x", facts={"n": 1}), "passed", subject={"model": "m"})

    assert suite_from_document(strict(suite_to_document(whole))) == whole


def test_report_is_of_the_schema_and_comes_back(suite, nasty):
    report = report_of("release", [suite("s", "passed"), nasty], required=["gone"], dag_id="d", run_id="r")
    document = strict(report_to_document(report))

    jsonschema.validate(document, SCHEMA)
    assert strict(report_to_document(report_from_document(document))) == document
    assert report_from_document(document).missing == ("gone",)


def test_unknown_fields_are_passed_over(suite):
    document = suite_to_document(suite("s", "passed")) | {"later": 1}
    document["cases"][0]["later"] = 2

    assert suite_from_document(document).passed


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"schema": "x"}, {"cases": None}, {"cases": [{}]}, {"started_at": "noon"}, {"origin": {}}],
)
def test_what_is_no_suite_is_refused(suite, change):
    with pytest.raises(ConfigurationError, match=r"wanted|damaged"):
        suite_from_document({**suite_to_document(suite("s", "passed")), **change})


@pytest.mark.parametrize("document", [{}, [], None, "text", {"schema": "airflow-mltest/report", "version": 1}])
def test_what_is_no_report_is_refused(document):
    with pytest.raises(ConfigurationError):
        report_from_document(document)


def test_summary_says_what_the_contract_names(suite, case):
    whole = suite("s", case("a", "failed", detail="x"), "passed", subject={"model": "m"})
    summary = summarise(whole, "/address")

    assert summary == {
        "suite": "s",
        "kind": "model",
        "outcome": "failed",
        "counts": {"passed": 1, "failed": 1, "inconclusive": 0, "broken": 0, "skipped": 0, "flaky": 0},
        "metrics": {},
        "subject": {"model": "m"},
        "failures": [{"name": "a", "detail": "x"}],
        "address": "/address",
    }


def test_summary_of_anything_is_strict_json_of_at_most_48_kb(suites):
    @given(suites)
    def check(suite):
        assert len(json.dumps(summarise(suite, "/a"), allow_nan=False).encode()) <= 48_000

    check()


@given(st.integers(0, 3000), st.integers(0, 60), st.sampled_from(["x", "☃", "\\", "😀", "\x00"]))
def test_summary_of_much_stays_small_and_counts_what_it_leaves_out(metrics, failures, letter):
    from airflow_mltest.core.outcome import Case, Measurement, Outcome, Suite

    measured = tuple(Measurement(name=f"{letter * 20}{number}", value=number) for number in range(metrics))
    cases = [Case(name="m", outcome=Outcome.PASSED, measurements=measured)]
    cases += [Case(name=letter * 900 + str(n), outcome=Outcome.FAILED, detail=letter * 9000) for n in range(failures)]
    summary = summarise(Suite(name=letter * 9000, kind="code", cases=tuple(cases)), letter * 9000)

    assert len(json.dumps(summary).encode()) <= 48_000
    assert summary["counts"]["failed"] == failures
    left_out = summary.get("omitted", {}).get("metrics", 0)
    assert len(summary["metrics"]) + left_out == metrics
    assert len(summary["failures"]) + summary.get("omitted", {}).get("failures", 0) == min(failures, 20)
