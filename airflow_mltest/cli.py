"""The same questions from a shell, and a CI job that waits for a DAG run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.reports.document import dumps, report_from_document, report_to_document, suite_from_document
from airflow_mltest.reports.junit import to_junit
from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.outcome import Suite
    from airflow_mltest.reports.merge import Report

_PASSED, _FAILED, _REFUSED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command of `mltest`.

    Returns:
        The exit code: 0 passed, 1 tests failed, 2 the command cannot work as it was given.
    """
    parser = argparse.ArgumentParser(prog="mltest", description="Tests of machine learning: look at what they said.")
    commands = parser.add_subparsers(required=True)
    report = commands.add_parser("report", help="show or merge finished suites").add_subparsers(required=True)
    show = report.add_parser("show", help="print what suites or reports say, failures first")
    show.add_argument("files", nargs="+", type=Path, help="suite or report files (.json)")
    show.set_defaults(command=_show)
    merge = report.add_parser("merge", help="merge suites into report.json, report.html and junit.xml")
    merge.add_argument("files", nargs="+", type=Path, help="suite or report files (.json)")
    merge.add_argument("--out", type=Path, default=Path(), help="folder to write into (default: here)")
    merge.add_argument("--name", default="report", help="the report's title")
    merge.set_defaults(command=_merge)
    options = parser.parse_args(arguments)
    try:
        return int(options.command(options))
    except (ConfigurationError, OSError) as error:
        print(f"mltest: {error}", file=sys.stderr)
        return _REFUSED


def _show(options: argparse.Namespace) -> int:
    report = _read(options.files, "report")
    for suite in report.suites:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in suite.counts.items() if count)
        print(f"{suite.outcome.upper():12} {suite.name} ({suite.kind}): {counts or 'nothing ran'}")
        if suite.incomplete:
            print(f"    incomplete: {suite.incomplete}")
        for case in suite.failures:
            print(f"    {case.outcome.upper()} {case.name}: {case.detail}")
    for name in report.missing:
        print(f"{'MISSING':12} {name}")
    return _PASSED if report.passed else _FAILED


def _merge(options: argparse.Namespace) -> int:
    report = _read(options.files, options.name)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("report.json", dumps(report_to_document(report))),
        ("report.html", render(report)),
        ("junit.xml", to_junit(report)),
    ):
        (options.out / name).write_text(text, encoding="utf-8")
        print(options.out / name)
    return _PASSED if report.passed else _FAILED


def _read(files: Sequence[Path], name: str) -> Report:
    suites: list[Suite] = []
    missing: list[str] = []
    for file in files:
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            msg = f"{file} is not JSON: {error}"
            raise ConfigurationError(msg) from error
        if isinstance(document, dict) and "suites" in document:
            report = report_from_document(document)
            suites += report.suites
            missing += report.missing
        else:
            suites.append(suite_from_document(document))
    return report_of(name, suites, required=missing)
