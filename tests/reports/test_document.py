import json
import math
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import airflow_mltest.reports
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome, Suite
from airflow_mltest.reports.document import (
    dumps,
    report_from_document,
    report_to_document,
    suite_from_document,
    suite_to_document,
    summarise,
)
from airflow_mltest.reports.merge import Report

SUMMARY_KEYS = {"suite", "kind", "outcome", "counts", "metrics", "subject", "failures", "address", "digest"}
LIMIT_BYTES = 48 * 1024
anything = st.text(max_size=8)
seconds = st.floats(0, 1e6)
numbers = st.floats() | st.none()
measurements = st.builds(Measurement, name=anything, value=st.floats(), low=numbers, high=numbers, maximum=numbers)
facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything | st.complex_numbers() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3) | st.sets(anything),
    max_leaves=4,
)
cases = st.builds(
    Case,
    name=anything,
    outcome=st.sampled_from(Outcome),
    detail=anything,
    duration_s=seconds,
    measurements=st.lists(measurements, max_size=2).map(tuple),
    facts=st.dictionaries(anything, facts, max_size=2),
)
suites = st.builds(
    Suite,
    name=anything,
    kind=st.just("model"),
    cases=st.lists(cases, max_size=2).map(tuple),
    subject=st.dictionaries(anything, anything, max_size=3),
    environment=st.dictionaries(anything, facts, max_size=2),
    duration_s=seconds,
    incomplete=anything,
)


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((Path(airflow_mltest.reports.__file__).parent / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_suite_is_read_back_as_it_was(rich_suite):
    document = strict(dumps(suite_to_document(rich_suite)))
    again = suite_from_document(document)

    assert again.cases[0] == rich_suite.cases[0]
    assert math.isnan(again.cases[2].measurements[0].value)
    assert (again.origin, again.started_at, again.subject) == (
        rich_suite.origin,
        rich_suite.started_at,
        rich_suite.subject,
    )
    assert suite_to_document(again) == document


def test_report_is_read_back_as_it_was(rich_suite):
    report = Report(name="release", suites=(rich_suite,), missing=("serving",), dag_id="d", run_id="r")
    again = report_from_document(strict(dumps(report_to_document(report))))

    assert report_to_document(again) == report_to_document(report)
    assert (again.missing, again.outcome, again.created_at) == (("serving",), Outcome.FAILED, report.created_at)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(suite=suites)
def test_every_suite_is_strict_json_that_the_schema_knows_and_that_is_read_back(validator, suite):
    document = strict(dumps(suite_to_document(suite)).encode())

    validator.validate(document)
    assert suite_to_document(suite_from_document(document)) == document


def test_rich_report_is_what_the_schema_says(validator, rich_suite):
    validator.validate(suite_to_document(rich_suite))
    validator.validate(report_to_document(Report(name="r", suites=(rich_suite,), missing=("x",))))


@pytest.mark.parametrize(
    "change",
    [{"outcome": "green"}, {"cases": [{"name": "a"}]}, {"version": 2}, {"counts": {}}, {"kind": "weather"}],
)
def test_schema_refuses_what_is_no_suite(validator, rich_suite, change):
    assert not validator.is_valid(suite_to_document(rich_suite) | change)


def test_what_json_has_no_form_for_becomes_what_it_has():
    values = {
        "nan": math.nan,
        "inf": -math.inf,
        "scalar": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "long": np.longdouble(2),
        "array": np.array([1.0, math.nan]),
        "part": Fraction(1, 4),
        "day": date(2026, 1, 2),
        "set": {"b", "a"},
        "path": Path("x/y"),
        "half": "a\ud800\0",
        3: None,
    }
    suite = Suite(name="s", kind="data", cases=(Case(name="c", outcome=Outcome.PASSED, facts=values),))
    (case,) = strict(dumps(suite_to_document(suite)))["cases"]

    assert case["facts"] == {
        "nan": None,
        "inf": None,
        "scalar": 0.5,
        "count": 3,
        "flag": True,
        "long": 2.0,
        "array": [1.0, None],
        "part": 0.25,
        "day": "2026-01-02",
        "set": ["a", "b"],
        "path": "x/y",
        "half": "a?\N{REPLACEMENT CHARACTER}",
        "3": None,
    }


def test_duration_that_nobody_measured_is_null_and_read_as_none_at_all():
    document = suite_to_document(Suite(name="s", kind="code", duration_s=math.nan))

    assert document["duration_s"] is None
    assert suite_from_document(document).duration_s == 0


def test_unknown_keys_are_passed_over_and_optional_ones_may_be_absent():
    document = {
        "schema": "airflow-mltest/suite",
        "version": 1,
        "name": "s",
        "kind": "code",
        "started_at": "2026-03-01T00:00:00+00:00",
        "colour": "green",
        "origin": {"dag_id": "d", "run_id": "r", "task_id": "t", "new": 1},
        "cases": [{"name": "c", "outcome": "passed", "new": 1, "measurements": [{"name": "m", "new": 1}]}],
    }

    suite = suite_from_document(document)

    assert suite.passed
    assert suite.origin.map_index == -1
    assert math.isnan(suite.cases[0].measurements[0].value)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"version": 2}, "version 2"),
        ({"schema": None}, "no document of this package"),
        ({"schema": "airflow-mltest/report"}, "airflow-mltest/report"),
        ({"name": None}, "'name' is missing"),
        ({"kind": "weather"}, "weather"),
        ({"cases": "many"}, "'cases' is 'many'"),
        ({"cases": [3]}, "is 3, and no object"),
        ({"cases": [{"name": "c"}]}, "case 'c': the field 'outcome' is missing"),
        ({"cases": [{"name": "c", "outcome": "green"}]}, "green"),
        ({"cases": [{"name": "c", "outcome": "passed", "duration_s": True}]}, "'duration_s' is True"),
        ({"cases": [{"name": "c", "outcome": "passed", "measurements": [{"name": 1}]}]}, "'name' is 1"),
        ({"started_at": "yesterday"}, "yesterday"),
        ({"started_at": "2026-03-01T00:00:00"}, "offset"),
        ({"origin": {"dag_id": "d"}}, "'run_id' is missing"),
    ],
)
def test_damaged_document_is_refused_by_name(rich_suite, change, said):
    with pytest.raises(ConfigurationError, match=said):
        suite_from_document(suite_to_document(rich_suite) | change)


@pytest.mark.parametrize("document", [None, [], "text", 3, {}])
def test_what_is_no_document_is_refused(document):
    for read in (suite_from_document, report_from_document):
        with pytest.raises(ConfigurationError, match="no document of this package"):
            read(document)


def test_dumps_is_stable_ends_its_last_line_and_refuses_nan(rich_suite):
    text = dumps(suite_to_document(rich_suite))

    assert text == dumps(suite_to_document(rich_suite))
    assert text.endswith("}\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"value": math.nan})


def test_summary_has_the_keys_of_the_contract_and_no_others(rich_suite):
    summary = summarise(rich_suite, "s3://reports/1.json")

    assert summary.keys() == SUMMARY_KEYS | {"incomplete"}
    assert summary["failures"] == [
        {"name": "accuracy", "detail": rich_suite.cases[0].detail},
        {"name": "latency", "detail": ""},
    ]
    assert summary["metrics"] == {"accuracy": 0.71}
    assert summarise(Suite(name="s", kind="code"), "a").keys() == SUMMARY_KEYS


def test_summary_names_the_first_twenty_failures():
    failed = tuple(Case(name=f"c{number}", outcome=Outcome.FAILED) for number in range(30))
    summary = summarise(Suite(name="s", kind="code", cases=failed), "a")

    assert [failure["name"] for failure in summary["failures"]] == [f"c{number}" for number in range(20)]
    assert summary["counts"]["failed"] == 30
    assert "omitted" not in summary


def test_long_detail_is_clipped_and_says_how_much_is_missing():
    case = Case(name="c", outcome=Outcome.FAILED, detail="x" * 5_000)
    (failure,) = summarise(Suite(name="s", kind="code", cases=(case,)), "a")["failures"]

    assert failure["detail"] == "x" * 2_000 + " … (3000 more characters)"


def test_details_go_before_failures_and_failures_before_metrics():
    def cases_with(metrics):
        return tuple(
            Case(
                name=f"c{number}",
                outcome=Outcome.FAILED,
                detail="d" * 3_000,
                measurements=tuple(Measurement(name=f"{number}.{m}", value=0.123456789) for m in range(metrics)),
            )
            for number in range(20)
        )

    few = summarise(Suite(name="s", kind="code", cases=cases_with(2)), "a")
    many = summarise(Suite(name="s", kind="code", cases=cases_with(106)), "a")
    most = summarise(Suite(name="s", kind="code", cases=cases_with(500)), "a")

    assert (len(few["failures"]), len(few["metrics"]), "omitted" in few) == (20, 40, False)
    assert 1 <= len(many["failures"]) < 20
    assert len(many["metrics"]) == 2_120
    assert many["omitted"] == {"failures": 20 - len(many["failures"])}
    assert 0 < len(most["metrics"]) < 10_000
    assert most["omitted"] == {"failures": 19, "metrics": 10_000 - len(most["metrics"])}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    suite=suites,
    character=st.characters(),
    length=st.integers(0, 20_000),
    count=st.integers(1, 40),
    value=st.floats(),
)
def test_summary_is_strict_json_of_at_most_48_kb_whatever_happened(suite, character, length, count, value):
    text = character * length
    loud = tuple(
        Case(
            name=f"{number}{text}",
            outcome=Outcome.FAILED,
            detail=text,
            measurements=(Measurement(name=f"{number}{text}", value=value),),
        )
        for number in range(count)
    )
    worst = Suite(
        name=text + suite.name,
        kind="model",
        cases=(*suite.cases, *loud),
        subject={f"{number}{text}": text for number in range(count)} | dict(suite.subject),
        incomplete=text,
    )

    summary = summarise(worst, text)

    for ascii_only in (True, False):
        written = json.dumps(summary, ensure_ascii=ascii_only, allow_nan=False).encode("utf-8")
        assert len(written) <= LIMIT_BYTES
    assert summary["outcome"] == worst.outcome
    assert summary["counts"] == worst.counts
    assert "\0" not in summary["address"]


def test_time_is_written_with_its_offset(rich_suite):
    written = datetime.fromisoformat(suite_to_document(rich_suite)["started_at"])

    assert written == rich_suite.started_at
    assert written.tzinfo is not None


def test_summary_says_what_the_contract_names(suite, case):
    whole = suite("s", case("a", "failed", detail="x"), "passed", subject={"model": "m"})
    summary = summarise(whole, "/address", "sha256:0")

    assert summary == {
        "suite": "s",
        "kind": "model",
        "outcome": "failed",
        "counts": {"passed": 1, "failed": 1, "inconclusive": 0, "broken": 0, "skipped": 0, "flaky": 0},
        "metrics": {},
        "subject": {"model": "m"},
        "failures": [{"name": "a", "detail": "x"}],
        "address": "/address",
        "digest": "sha256:0",
    }


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 3000), st.integers(0, 60), st.sampled_from(["x", "☃", "\\", "😀", "\x00"]))
def test_summary_of_much_stays_small_and_counts_what_it_leaves_out(metrics, failures, letter):
    measured = tuple(Measurement(name=f"{letter * 20}{number}", value=number) for number in range(metrics))
    cases = [Case(name="m", outcome=Outcome.PASSED, measurements=measured)]
    cases += [Case(name=letter * 900 + str(n), outcome=Outcome.FAILED, detail=letter * 9000) for n in range(failures)]
    summary = summarise(Suite(name=letter * 9000, kind="code", cases=tuple(cases)), letter * 9000)

    assert len(json.dumps(summary).encode()) <= 48_000
    assert summary["counts"]["failed"] == failures
    left_out = summary.get("omitted", {}).get("metrics", 0)
    assert len(summary["metrics"]) + left_out == metrics
    assert len(summary["failures"]) + summary.get("omitted", {}).get("failures", 0) == min(failures, 20)


def test_attachments_are_read_back_and_earlier_documents_have_none(validator, suite):
    document = suite_to_document(suite("a", "passed", attachments=("a@-1/1.page.html",)))
    validator.validate(document)

    assert suite_from_document(document).attachments == ("a@-1/1.page.html",)
    del document["attachments"]
    validator.validate(document)
    assert suite_from_document(document).attachments == ()


def test_summary_of_a_merged_suite_says_whose_suites_it_stands_for():
    merged = Suite(name="unit", kind="code", stands_for="unit.tests")

    assert summarise(merged, "/x.json")["stands_for"] == "unit.tests"
    assert "stands_for" not in summarise(Suite(name="unit", kind="code"), "/x.json")
