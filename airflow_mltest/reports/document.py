"""A suite as JSON, and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite
from airflow_mltest.reports.merge import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 1
_SUITE, _REPORT = "airflow-mltest/suite", "airflow-mltest/report"
_XCOM_BYTES = 48_000
_FAILURES, _DETAIL = 20, 2_000


def suite_to_document(suite: Suite) -> dict[str, Any]:
    """Give *suite* as strict JSON: what has no form in it (NaN, an unknown type) becomes null or text."""
    return {
        "schema": _SUITE,
        "version": SCHEMA_VERSION,
        "name": suite.name,
        "kind": suite.kind,
        "outcome": suite.outcome.value,
        "counts": suite.counts,
        "incomplete": suite.incomplete,
        "started_at": suite.started_at.isoformat(),
        "duration_s": suite.duration_s,
        "origin": None if suite.origin is None else asdict(suite.origin),
        "subject": _plain(suite.subject),
        "environment": _plain(suite.environment),
        "metrics": metrics_of(suite),
        "cases": [_case_to_document(case) for case in suite.cases],
    }


def suite_from_document(document: Mapping[str, Any]) -> Suite:
    """
    Read back what `suite_to_document` gave; keys that it does not know are passed over.

    Raises:
        ConfigurationError: It is no suite, or one of another schema version.
    """
    _expect(document, _SUITE)
    try:
        origin = document["origin"]
        return Suite(
            name=document["name"],
            kind=document["kind"],
            cases=tuple(_case_from_document(case) for case in document["cases"]),
            origin=None if origin is None else Origin(**origin),
            subject=document["subject"],
            environment=document["environment"],
            started_at=datetime.fromisoformat(document["started_at"]),
            duration_s=document["duration_s"],
            incomplete=document["incomplete"],
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"the suite document is damaged: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error


def report_to_document(report: Report) -> dict[str, Any]:
    """Give a whole *report* as strict JSON."""
    return {
        "schema": _REPORT,
        "version": SCHEMA_VERSION,
        "name": report.name,
        "outcome": report.outcome.value,
        "counts": report.counts,
        "dag_id": report.dag_id,
        "run_id": report.run_id,
        "created_at": report.created_at.isoformat(),
        "missing": list(report.missing),
        "suites": [suite_to_document(suite) for suite in report.suites],
    }


def report_from_document(document: Mapping[str, Any]) -> Report:
    """
    Read back what `report_to_document` gave.

    Raises:
        ConfigurationError: It is no report, or one of another schema version.
    """
    _expect(document, _REPORT)
    try:
        return Report(
            name=document["name"],
            suites=tuple(suite_from_document(suite) for suite in document["suites"]),
            missing=tuple(document["missing"]),
            dag_id=document["dag_id"],
            run_id=document["run_id"],
            created_at=datetime.fromisoformat(document["created_at"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"the report document is damaged: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error


def dumps(document: Mapping[str, Any]) -> str:
    """Write a document as text; on one line, since indenting a suite of thousands takes longer than its tests."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def summarise(suite: Suite, address: str) -> dict[str, Any]:
    """
    Say the most important of *suite* in at most 48 KB of strict JSON, for XCom.

    Where that is not enough, details go first, then failures, then metrics; `omitted` counts what
    is not there.
    """
    summary: dict[str, Any] = {
        "suite": _clip(suite.name, 500),
        "kind": suite.kind,
        "outcome": suite.outcome.value,
        "counts": suite.counts,
        "metrics": metrics_of(suite),
        "subject": {_clip(key, 200): _clip(value, 500) for key, value in list(suite.subject.items())[:20]},
        "failures": [
            {"name": _clip(case.name, 500), "detail": _clip(case.detail, _DETAIL)}
            for case in suite.failures[:_FAILURES]
        ],
        "address": _clip(address, 4 * _DETAIL),
    }
    if suite.incomplete:
        summary["incomplete"] = _clip(suite.incomplete, _DETAIL)
    return _fit(summary)


def _fit(summary: dict[str, Any]) -> dict[str, Any]:
    """Leave out the least important until the rest is small enough."""
    for length in (500, 100):
        if _size(summary) <= _XCOM_BYTES:
            return summary
        summary["failures"] = [
            {"name": failure["name"], "detail": _clip(failure["detail"], length)} for failure in summary["failures"]
        ]
    for key in ("metrics", "failures"):
        omitted = 0
        while _size(summary) > _XCOM_BYTES and summary[key]:
            # Halves: a summary of ten thousand metrics is not measured ten thousand times.
            keep = len(summary[key]) // 2
            omitted += len(summary[key]) - keep
            kept = list(summary[key].items() if key == "metrics" else summary[key])[:keep]
            summary[key] = dict(kept) if key == "metrics" else kept
            summary.setdefault("omitted", {})[key] = omitted
    return summary


def _size(value: Any) -> int:
    return len(json.dumps(value))


def _clip(text: str, size: int) -> str:
    """Shorten *text* until it takes about *size* bytes, escaped as XCom stores it: a character may take twelve."""
    text = str(text)
    kept = text[:size]
    while _size(kept) > size + 2:
        kept = kept[: len(kept) * size // _size(kept)]
    return text if len(kept) == len(text) else f"{kept} … ({len(text) - len(kept)} more characters)"


def _case_to_document(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "outcome": case.outcome.value,
        "detail": case.detail,
        "duration_s": case.duration_s,
        "measurements": [_plain(asdict(measurement)) for measurement in case.measurements],
        "facts": _plain(case.facts),
        "output": case.output,
        "location": case.location,
        "flaky": case.flaky,
    }


def _case_from_document(document: Mapping[str, Any]) -> Case:
    measurements = tuple(
        Measurement(**{**measurement, "value": math.nan if measurement["value"] is None else measurement["value"]})
        for measurement in document["measurements"]
    )
    known = {key: document[key] for key in ("name", "detail", "duration_s", "facts", "output", "location", "flaky")}
    return Case(outcome=Outcome(document["outcome"]), measurements=measurements, **known)


def _expect(document: Any, schema: str) -> None:
    seen = (document.get("schema"), document.get("version")) if hasattr(document, "get") else (None, None)
    if seen != (schema, SCHEMA_VERSION):
        what = seen[0] or "nothing of ours"
        msg = f"this is {what} version {seen[1]}, and {schema} version {SCHEMA_VERSION} was wanted."
        raise ConfigurationError(msg)


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()  # a scalar of numpy's
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
