"""A suite as JSON, and back."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from numbers import Integral, Real
from typing import Any, get_args

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Case, Kind, Measurement, Origin, Outcome, Suite
from airflow_mltest.reports.figures_document import figure_to_document, figures_from_document
from airflow_mltest.reports.merge import Report

SCHEMA_VERSION = 1
_SUITE, _REPORT = "airflow-mltest/suite", "airflow-mltest/report"
_XCOM_BYTES = 48_000
_FAILURES, _DETAIL_BYTES = 20, 2_000


def suite_to_document(suite: Suite) -> dict[str, Any]:
    """Give *suite* as strict JSON: what has no form in it (NaN, an unknown type) becomes null or text."""
    document = {
        "schema": _SUITE,
        "version": SCHEMA_VERSION,
        "name": suite.name,
        "kind": suite.kind,
        "outcome": suite.outcome,
        "counts": suite.counts,
        "incomplete": suite.incomplete,
        "stands_for": suite.stands_for,
        "attachments": suite.attachments,
        "started_at": suite.started_at,
        "duration_s": suite.duration_s,
        "origin": None if suite.origin is None else asdict(suite.origin),
        "subject": suite.subject,
        "environment": suite.environment,
        "metrics": metrics_of(suite),
        "cases": [_case_to_document(case) for case in suite.cases],
    }
    return {key: _plain(value) for key, value in document.items()}


def suite_from_document(document: Mapping[str, Any]) -> Suite:
    """
    Read back what `suite_to_document` gave; keys that it does not know are passed over.

    Raises:
        ConfigurationError: It is no suite, or one of another schema version.
    """
    _expect(document, _SUITE)
    where = f"the document of suite {document.get('name')!r:.80} is damaged"
    kind = _read(document, "kind", str, where)
    if kind not in get_args(Kind):
        msg = f"{where}: its kind is {kind!r}, and none of {', '.join(get_args(Kind))}."
        raise ConfigurationError(msg)
    origin = _read(document, "origin", Mapping, where, None)
    return Suite(
        name=_read(document, "name", str, where),
        kind=kind,
        cases=tuple(_case_from_document(case, where) for case in _read(document, "cases", list, where)),
        origin=None if origin is None else _origin_from_document(origin, f"{where}, origin"),
        subject=_read(document, "subject", Mapping, where, {}),
        environment=_read(document, "environment", Mapping, where, {}),
        started_at=_instant(document, "started_at", where),
        duration_s=_read(document, "duration_s", Real, where, 0.0),
        incomplete=_read(document, "incomplete", str, where, ""),
        stands_for=_read(document, "stands_for", str, where, ""),
        attachments=tuple(str(path) for path in _read(document, "attachments", list, where, [])),
    )


def report_to_document(report: Report) -> dict[str, Any]:
    """Give a whole *report* as strict JSON."""
    return {
        "schema": _REPORT,
        "version": SCHEMA_VERSION,
        "name": _plain(report.name),
        "outcome": report.outcome.value,
        "counts": report.counts,
        "dag_id": _plain(report.dag_id),
        "run_id": _plain(report.run_id),
        "created_at": report.created_at.isoformat(),
        "missing": _plain(report.missing),
        "suites": [suite_to_document(suite) for suite in report.suites],
    }


def report_from_document(document: Mapping[str, Any]) -> Report:
    """
    Read back what `report_to_document` gave.

    Raises:
        ConfigurationError: It is no report, or one of another schema version.
    """
    _expect(document, _REPORT)
    where = f"the document of report {document.get('name')!r:.80} is damaged"
    return Report(
        name=_read(document, "name", str, where),
        suites=tuple(suite_from_document(suite) for suite in _read(document, "suites", list, where)),
        missing=tuple(_read(document, "missing", list, where, [])),
        dag_id=_read(document, "dag_id", str, where, ""),
        run_id=_read(document, "run_id", str, where, ""),
        created_at=_instant(document, "created_at", where),
    )


def dumps(document: Mapping[str, Any]) -> str:
    """Write a document as text; on one line, since indenting a suite of thousands takes longer than its tests."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def summarise(suite: Suite, address: str, digest: str = "") -> dict[str, Any]:
    """
    Say the most important of *suite* in at most 48 KB of strict JSON, for XCom.

    Where that is not enough, details go first, then failures, then metrics; `omitted` counts what
    is not there. The *digest* is of the bytes that are kept at *address*.
    """
    summary: dict[str, Any] = {
        "suite": _clip(suite.name, 1_000),
        "kind": suite.kind,
        "outcome": suite.outcome.value,
        "counts": suite.counts,
        "metrics": {_text(key): value for key, value in metrics_of(suite).items()},
        "subject": {_clip(key, 200): _clip(value, 500) for key, value in list(suite.subject.items())[:20]},
        "failures": [
            {"name": _clip(case.name, 500), "detail": _clip(case.detail, _DETAIL_BYTES)}
            for case in suite.failures[:_FAILURES]
        ],
        "address": _clip(address, 8_000),
        "digest": digest,
    }
    if suite.stands_for:
        summary["stands_for"] = _clip(suite.stands_for, 500)
    if suite.incomplete:
        summary["incomplete"] = _clip(suite.incomplete, _DETAIL_BYTES)
    return _fit(summary, suite)


def _fit(summary: dict[str, Any], suite: Suite) -> dict[str, Any]:
    """Leave out the least important until the rest is small enough."""
    for size in (500, 100):
        if _size(summary) <= _XCOM_BYTES:
            return summary
        summary["failures"] = [
            {"name": told["name"], "detail": _clip(case.detail, size)}
            for told, case in zip(summary["failures"], suite.failures, strict=False)
        ]
    whole = {key: summary[key] for key in ("failures", "metrics")}
    for key, least in (("failures", 1), ("metrics", 0)):
        # By quarters: a summary of ten thousand metrics is not measured ten thousand times.
        while _size(summary) > _XCOM_BYTES and len(summary[key]) > least:
            kept = len(summary[key]) * 3 // 4
            found = summary[key]
            summary[key] = found[:kept] if isinstance(found, list) else dict(list(found.items())[:kept])
            summary.setdefault("omitted", {})[key] = len(whole[key]) - kept
    return summary


def _size(summary: object) -> int:
    # Escaped, as XCom stores it: never shorter than UTF-8.
    return len(json.dumps(summary))


def _clip(text: object, size: int) -> str:
    """Cut *text* where its JSON is longer than *size* bytes, and say how much is left out."""
    whole = _text(str(text))
    # A character takes a byte at least, so nothing beyond these can stay.
    start = whole[:size]
    kept = bisect_right(range(1, len(start) + 1), size, key=lambda length: _size(start[:length]) - len('""'))
    return whole if kept == len(whole) else f"{start[:kept]} … ({len(whole) - kept} more characters)"


def _case_to_document(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "outcome": case.outcome,
        "detail": case.detail,
        "duration_s": case.duration_s,
        "measurements": [asdict(measurement) for measurement in case.measurements],
        "facts": case.facts,
        "figures": [figure_to_document(figure) for figure in case.figures],
        "output": case.output,
        "location": case.location,
        "flaky": case.flaky,
    }


def _case_from_document(document: Any, of: str) -> Case:
    where = f"{of}, case {document.get('name') if isinstance(document, Mapping) else document!r}"
    outcome = _read(document, "outcome", str, where)
    if outcome not in set(Outcome):
        msg = f"{where}: its outcome is {outcome!r}, and none of {', '.join(Outcome)}."
        raise ConfigurationError(msg)
    return Case(
        name=_read(document, "name", str, where),
        outcome=Outcome(outcome),
        detail=_read(document, "detail", str, where, ""),
        duration_s=_read(document, "duration_s", Real, where, 0.0),
        measurements=tuple(
            _measurement_from_document(measurement, where)
            for measurement in _read(document, "measurements", list, where, [])
        ),
        facts=_read(document, "facts", Mapping, where, {}),
        figures=figures_from_document(document.get("figures")),
        output=_read(document, "output", str, where, ""),
        location=_read(document, "location", str, where, ""),
        flaky=_read(document, "flaky", bool, where, default=False),
    )


def _measurement_from_document(document: Any, of: str) -> Measurement:
    where = f"{of}, a measurement"
    optional = ("low", "high", "minimum", "maximum", "confidence")
    return Measurement(
        name=_read(document, "name", str, where),
        # NaN has no form in JSON, and came here as null.
        value=_read(document, "value", Real, where, math.nan),
        **{key: _read(document, key, Real, where, None) for key in optional},
    )


def _origin_from_document(document: Any, where: str) -> Origin:
    return Origin(
        dag_id=_read(document, "dag_id", str, where),
        run_id=_read(document, "run_id", str, where),
        task_id=_read(document, "task_id", str, where),
        map_index=_read(document, "map_index", int, where, -1),
        try_number=_read(document, "try_number", int, where, 1),
    )


def _read(document: Any, key: str, kind: type, where: str, default: Any = ...) -> Any:
    """Give a field; *default* where it is absent or null, and refuse without one."""
    if not isinstance(document, Mapping):
        msg = f"{where} is {document!r:.80}, and no object."
        raise ConfigurationError(msg)
    value = document.get(key)
    if value is None and default is not ...:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        seen = "is missing" if value is None else f"is {value!r:.80}, and no {kind.__name__}"
        msg = f"{where}: the field {key!r} {seen}."
        raise ConfigurationError(msg)
    return value


def _instant(document: Any, key: str, where: str) -> datetime:
    text = _read(document, key, str, where)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        msg = f"{where}: the field {key!r} is {text!r}, and no ISO time with an offset."
        raise ConfigurationError(msg)
    return instant


def _expect(document: Any, schema: str) -> None:
    seen = (document.get("schema"), document.get("version")) if isinstance(document, Mapping) else (None, None)
    if seen != (schema, SCHEMA_VERSION):
        found = f"{seen[0]!r:.80} version {seen[1]!r:.80}" if seen[0] else "no document of this package"
        msg = f"this is {found}, and {schema!r} version {SCHEMA_VERSION} was wanted."
        raise ConfigurationError(msg)


def _plain(value: Any) -> Any:
    """Give *value* in types that strict JSON has."""
    if value is None or isinstance(value, (str, bool)):  # most of it: to ask the abstract classes takes longer
        return _text(str(value)) if isinstance(value, str) else value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    # numpy's booleans and arrays, and pandas' series: none of them is imported to know them.
    return _plain(value.tolist()) if hasattr(value, "tolist") else _text(str(value))


def _text(text: str) -> str:
    """Replace what no database takes as JSON: half a surrogate pair, and NUL."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", errors="replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
