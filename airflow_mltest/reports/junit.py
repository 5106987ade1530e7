"""A suite as JUnit XML, for other people's CI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from airflow_mltest.core.outcome import Case, Outcome, Suite

if TYPE_CHECKING:
    from airflow_mltest.reports.merge import Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """
    Write *report* as JUnit XML.

    JUnit has three words for what is not a pass: failed is `failure`, broken is `error`; skipped
    and inconclusive are `skipped`, with the reason as message. A suite that did not end, and one
    that is missing, get an `error` of their own, so that no CI is green by accident.
    """
    root = ET.Element("testsuites", name=_text(report.name))
    for suite in report.suites:
        _add_suite(root, suite)
    for name in report.missing:
        missing = Case(name=name, outcome=Outcome.BROKEN, detail="the suite is required, and did not run")
        _add_suite(root, Suite(name=name, kind="code", cases=(missing,), started_at=report.created_at))
    _count(root, list(root.iter("testcase")))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: ET.Element, suite: Suite) -> None:
    stamp = suite.started_at.replace(tzinfo=None, microsecond=0).isoformat()
    element = ET.SubElement(root, "testsuite", name=_text(suite.name), timestamp=stamp)
    if suite.subject:
        properties = ET.SubElement(element, "properties")
        for key, value in suite.subject.items():
            ET.SubElement(properties, "property", name=_text(key), value=_text(value))
    for case in suite.cases:
        _add_case(element, suite, case)
    if suite.incomplete or not suite.cases:
        reason = suite.incomplete or "nothing ran"
        _add_case(element, suite, Case(name="(the whole run)", outcome=Outcome.BROKEN, detail=reason))
    _count(element, list(element.iter("testcase")))
    element.set("time", f"{suite.duration_s:.3f}")


def _add_case(parent: ET.Element, suite: Suite, case: Case) -> None:
    path, _, name = case.name.partition("::")
    classname = path.removesuffix(".py").replace("/", ".") if name else suite.name
    element = ET.SubElement(
        parent,
        "testcase",
        classname=_text(classname),
        name=_text(name or case.name),
        time=f"{case.duration_s:.3f}",
    )
    message = _text(case.detail.partition("\n")[0])
    if case.outcome is Outcome.FAILED:
        ET.SubElement(element, "failure", message=message).text = _text(case.detail)
    elif case.outcome is Outcome.BROKEN:
        ET.SubElement(element, "error", message=message).text = _text(case.detail)
    elif case.outcome is Outcome.SKIPPED:
        ET.SubElement(element, "skipped", message=message)
    elif case.outcome is Outcome.INCONCLUSIVE:
        ET.SubElement(element, "skipped", message=f"inconclusive: {message}")
    lines = [f"{measurement.name} = {measurement.value:.6g}" for measurement in case.measurements]
    lines += ["flaky: passed only when it was asked again"] * case.flaky + [case.output] * bool(case.output)
    if lines:
        ET.SubElement(element, "system-out").text = _text("\n".join(lines))


def _count(element: ET.Element, cases: list[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _text(text: str) -> str:
    """Replace what XML 1.0 has no way to write."""
    return _NOT_XML.sub("\ufffd", str(text))
