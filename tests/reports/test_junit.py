from xml.etree import ElementTree as ET

import junitparser
from hypothesis import given

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
