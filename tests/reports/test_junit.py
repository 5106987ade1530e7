import math
import re
from xml.etree import ElementTree as ET

import junitparser
import pytest
from hypothesis import given

from airflow_mltest.core.outcome import Measurement
from airflow_mltest.reports.junit import to_junit
from airflow_mltest.reports.merge import report_of


def parsed(*suites, **more):
    text = to_junit(report_of("release", suites, **more))
    return junitparser.JUnitXml.fromstring(text.encode())


def kinds(xml):
    return {
        case.name: [type(result).__name__ for result in case.result if not isinstance(result, junitparser.SystemOut)]
        for found in xml
        for case in found
    }


def test_other_peoples_parser_reads_every_outcome(nasty):
    xml = parsed(nasty)
    found = list(kinds(xml).values())

    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (5, 1, 1, 2)
    assert found == [["Failure"], ["Error"], ["Skipped"], ["Skipped"], []]
    messages = [case.result[0].message for case in next(iter(xml)) if case.result and case.is_skipped]
    assert messages == ["inconclusive: two", "not now"]


def test_pytests_names_become_class_and_name(nasty):
    case = list(next(iter(parsed(nasty))))[1]

    assert (case.classname, case.name) == ("tests.a", "test_b[1]")


def test_suite_that_did_not_end_and_one_that_is_missing_are_errors(suite):
    xml = parsed(suite("s", "passed", incomplete="killed"), required=["gone"])

    assert xml.errors == 2
    assert kinds(xml) == {"c0": [], "(the whole run)": ["Error"], "gone": ["Error"]}


def test_suite_of_nothing_is_an_error(suite):
    assert parsed(suite("s")).errors == 1


def test_any_suite_is_well_formed(suites):
    @given(suites)
    def check(found):
        root = ET.fromstring(to_junit(report_of("r", [found])))  # noqa: S314  our own text
        assert int(root.get("tests")) >= 1

    check()


@pytest.mark.parametrize(
    "written, expected",
    [
        ("tests/a.py::test_x", ("tests.a", "test_x")),
        ("tests/a.py::TestK::test_x[1]", ("tests.a.TestK", "test_x[1]")),
        ("tests/a.py::test_x[b::c]", ("tests.a", "test_x[b::c]")),
        ("accuracy", ("s", "accuracy")),
        ("slices[by=a::b]", ("s", "slices[by=a::b]")),
        ("std::vector", ("s", "std::vector")),
    ],
)
def test_only_a_node_id_is_split(suite, case, written, expected):
    (found,) = next(iter(parsed(suite("s", case(written)))))

    assert (found.classname, found.name) == expected


def test_numbers_and_bounds_are_properties(suite, case):
    measured = Measurement(name="auc", value=0.71, low=0.68, high=math.nan, minimum=0.8)
    xml = parsed(suite("s", case(measurements=(measured,), flaky=True), subject={"model": "churn"}))
    root = ET.fromstring(xml.tostring())  # noqa: S314  our own text
    of_case = {found.get("name"): found.get("value") for found in root.iter("property")}

    assert of_case == {
        "kind": "model",
        "outcome": "passed",
        "model": "churn",
        "auc": "0.71",
        "auc.low": "0.68",
        "auc.minimum": "0.8",
        "flaky": "true",
    }


def test_report_of_nothing_is_an_error_and_not_a_green_build():
    assert parsed().errors == 1


def test_times_are_seconds_with_three_decimals_and_stamps_have_their_offset(suite, case):
    (found,) = parsed(suite("s", case(duration_s=1.23456), case("d", duration_s=math.nan), duration_s=9))
    stamp, times = found.timestamp, re.findall(r' time="([^"]+)"', found.tostring().decode())

    assert stamp == "2026-11-23T12:00:00+00:00"
    assert sorted(times) == ["0.000", "1.235", "9.000"]
    assert "hostname" not in found.tostring().decode()
