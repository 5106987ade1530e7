"""A suite as JUnit XML, for other people's CI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.reports.xml_text import xml_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltest.reports.merge import Report


def to_junit(report: Report) -> str:
    """
    Write *report* as JUnit XML.

    JUnit has three words for what is not a pass: failed is `failure`, broken is `error`; skipped
    and inconclusive are `skipped`, with the reason as message, since JUnit has no word for "the
    data cannot tell". A suite that did not end, one that is missing, and a report without any get
    an `error` of their own, so that no CI is green by accident.
    """
    root = ET.Element("testsuites", name=xml_text(report.name))
    for suite in report.suites:
        _add_suite(root, suite)
    for name in report.missing:
        missing = Case(name=name, outcome=Outcome.BROKEN, detail="the suite is required, and did not run")
        _add_suite(root, Suite(name=name, kind="code", cases=(missing,), started_at=report.created_at))
    if not len(root):
        nothing = Suite(name=report.name, kind="code", started_at=report.created_at, incomplete="no suite ran")
        _add_suite(root, nothing)
    _count(root, list(root.iter("testcase")))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: ET.Element, suite: Suite) -> None:
    stamp = suite.started_at.isoformat(timespec="seconds")
    element = ET.SubElement(root, "testsuite", name=xml_text(suite.name), timestamp=stamp)
    _add_properties(element, {"kind": suite.kind, "outcome": suite.outcome.value, **suite.subject})
    for case in suite.cases:
        _add_case(element, suite, case)
    if suite.incomplete or not suite.cases:
        reason = suite.incomplete or "nothing ran"
        _add_case(element, suite, Case(name="(the whole run)", outcome=Outcome.BROKEN, detail=reason))
    _count(element, list(element.iter("testcase")))
    element.set("time", _seconds(suite.duration_s))


def _add_case(parent: ET.Element, suite: Suite, case: Case) -> None:
    classname, name = _identity(suite, case)
    element = ET.SubElement(
        parent, "testcase", classname=xml_text(classname), name=xml_text(name), time=_seconds(case.duration_s)
    )
    _add_properties(element, _numbers(case) | ({"flaky": "true"} if case.flaky else {}))
    message = xml_text(case.detail.partition("\n")[0])
    if case.outcome is Outcome.FAILED:
        ET.SubElement(element, "failure", message=message).text = xml_text(case.detail)
    elif case.outcome is Outcome.BROKEN:
        ET.SubElement(element, "error", message=message).text = xml_text(case.detail)
    elif case.outcome is Outcome.SKIPPED:
        ET.SubElement(element, "skipped", message=message)
    elif case.outcome is Outcome.INCONCLUSIVE:
        ET.SubElement(element, "skipped", message=f"inconclusive: {message}".rstrip())
    if case.output:
        ET.SubElement(element, "system-out").text = xml_text(case.output)


def _identity(suite: Suite, case: Case) -> tuple[str, str]:
    """Split a pytest node id into class and name; of all else, the suite is the class."""
    # A parameter's value may hold `::`, and a folder's name a dot.
    path, bracket, parameters = case.name.partition("[")
    file, *classes = path.split("::")
    if not classes or not file.endswith(".py"):
        return suite.name, case.name
    name = classes.pop()
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes]), name + bracket + parameters


def _numbers(case: Case) -> dict[str, str]:
    """Name every number of a case that is known: the estimate, its interval, its bounds."""
    numbers = {}
    for measurement in case.measurements:
        numbers[measurement.name] = measurement.value
        for part in ("low", "high", "minimum", "maximum"):
            value = getattr(measurement, part)
            if value is not None:
                numbers[f"{measurement.name}.{part}"] = value
    return {name: f"{value:.6g}" for name, value in numbers.items() if math.isfinite(value)}


def _add_properties(parent: ET.Element, found: Mapping[str, str]) -> None:
    if found:
        properties = ET.SubElement(parent, "properties")
        for name, value in found.items():
            ET.SubElement(properties, "property", name=xml_text(name), value=xml_text(value))


def _count(element: ET.Element, cases: list[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _seconds(duration_s: float) -> str:
    return f"{duration_s if math.isfinite(duration_s) else 0:.3f}"
