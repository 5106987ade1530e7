"""The same questions from a shell, and a CI job that waits for a DAG run."""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.reports.document import dumps, report_from_document, report_to_document, suite_from_document
from airflow_mltest.reports.junit import to_junit
from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import render
from airflow_mltest.reports.suite_file import write_suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_mltest.core.outcome import Suite
    from airflow_mltest.integrations.airflow_api import Login
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
    _add_past(report)
    _add_plan(commands.add_parser("plan", help="tell which tests a change reaches, and why"))
    _add_learn(commands.add_parser("learn", help="learn a first suite of expectations from data that is right"))
    _add_ci(commands.add_parser("ci", help="start a DAG run, follow it, and end as it does"))
    _add_doctor(commands.add_parser("doctor", help="find what of this deployment cannot work; run it on a worker"))
    options = parser.parse_args(arguments)
    try:
        return int(options.command(options))
    except (ConfigurationError, BrokenRunError, OSError) as error:
        print(f"mltest: {error}", file=sys.stderr)
        return _REFUSED


def _add_past(report: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    history = report.add_parser("history", help="tell how a task's last runs ended, and what has turned since")
    history.add_argument("dag", help="the DAG's id")
    history.add_argument("task", help="the task's id")
    history.add_argument("--last", type=int, default=50, help="how many runs (default: 50)")
    history.set_defaults(command=_history)
    prune = report.add_parser("prune", help="remove old runs from the report store")
    prune.add_argument("--older-than", type=int, metavar="DAYS", help="(default: [mltest] retention_days)")
    prune.add_argument("--dry-run", action="store_true", help="tell what would be removed")
    prune.set_defaults(command=_prune)
    reindex = report.add_parser("reindex", help="make the index of the report store anew from its reports")
    reindex.set_defaults(command=_reindex)
    for parser in (history, prune, reindex):
        parser.add_argument("--reports", help="a folder, or a URL (default: the deployment's report_root)")


def _add_plan(plan: argparse.ArgumentParser) -> None:
    plan.add_argument("project", nargs="?", default=".", help="folder of the project (default: here)")
    plan.add_argument("--since", default="", help='a commit or branch, or "last-passed"; empty: all tests')
    plan.add_argument("--shards", type=int, default=1, help="the most shards there may be (default: 1)")
    plan.add_argument("--python", default="", help="the project's interpreter (default: this one)")
    plan.add_argument("--reports", type=Path, help="the deployment's report_root, a folder: what past runs recorded")
    plan.add_argument("--json", action="store_true", help="print the whole plan as JSON")
    plan.add_argument("args", nargs="*", help="after --: what pytest is called with")
    plan.set_defaults(command=_plan)


def _add_learn(learn: argparse.ArgumentParser) -> None:
    learn.add_argument("data", help="Parquet or CSV: a file, a pattern, a folder, or a URL of one")
    learn.add_argument("--out", type=Path, default=Path("expectations.json"), help="the suite (default: %(default)s)")
    learn.add_argument("--margin", type=float, default=0.1, help="how far other data may go beyond (default: 0.1)")
    learn.add_argument("--columns", help="the only ones to learn, as a,b (default: all)")
    learn.set_defaults(command=_learn)


def _add_ci(ci: argparse.ArgumentParser) -> None:
    ci.description = (
        "Ends with 0 passed, 1 tests failed, 2 broken or refused, 3 timed out or unreachable, 130 interrupted. "
        "Airflow lets in who has MLTEST_AIRFLOW_TOKEN, or MLTEST_AIRFLOW_USER and MLTEST_AIRFLOW_PASSWORD."
    )
    ci.add_argument("dag", help="the DAG to start")
    ci.add_argument("--commit", required=True, help="what is tested: `commit` in the run's conf")
    ci.add_argument("--conf", default="{}", help="more of the run's conf, as a JSON object")
    ci.add_argument("--url", default=os.environ.get("MLTEST_AIRFLOW_URL", ""), help="default: MLTEST_AIRFLOW_URL")
    ci.add_argument("--timeout", type=float, default=3600.0, help="seconds it may take (default: %(default).0f)")
    ci.add_argument("--out", type=Path, default=Path("junit.xml"), help="default: %(default)s")
    ci.add_argument("--reports", help="the deployment's report_root, if it can be read here: every case in --out")
    ci.add_argument("--cancel-on-interrupt", action="store_true", help="Ctrl-C or SIGTERM ends the run, too")
    ci.set_defaults(command=_ci)


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.description = (
        "Ends with 0 if it found nothing, 1 if something cannot work, 2 if it could not ask. Airflow tells more to who "
        "has MLTEST_AIRFLOW_TOKEN, or MLTEST_AIRFLOW_USER and MLTEST_AIRFLOW_PASSWORD."
    )
    doctor.add_argument("--url", default=os.environ.get("MLTEST_AIRFLOW_URL", ""), help="default: the tasks' own")
    doctor.set_defaults(command=_doctor)


def _ci(options: argparse.Namespace) -> int:
    from airflow_mltest.ci.job import Job, run_job
    from airflow_mltest.integrations.airflow_api import Login
    from airflow_mltest.reports.store import Store

    job = Job(
        dag_id=options.dag,
        conf=_conf_of(options.conf, options.commit),
        url=options.url,
        login=_login() or Login(),
        timeout_s=options.timeout,
        out=options.out,
        cancels=options.cancel_on_interrupt,
        open_store=(lambda: Store(_path_of(options.reports))) if options.reports else None,
    )
    return run_job(job, sys.stdout)


def _doctor(options: argparse.Namespace) -> int:
    # Before Airflow is imported, which says on the screen what it parses.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    from airflow_mltest.doctor import examine

    suite = examine(options.url, _login())
    for case in suite.cases:
        print(f"{case.outcome.upper():12} {case.name}{case.detail and ': '}{case.detail}")
    return _FAILED if suite.failures else _PASSED


def _login() -> Login | None:
    """Take what opens Airflow from the environment; None where it has nothing."""
    from airflow_mltest.integrations.airflow_api import Login

    secret = {name: os.environ.get(f"MLTEST_AIRFLOW_{name.upper()}", "") for name in ("token", "user", "password")}
    login = Login(**secret)
    return login if login.token or login.user else None


def _conf_of(text: str, commit: str) -> dict[str, Any]:
    try:
        conf = json.loads(text)
    except ValueError as error:
        msg = f"--conf is not JSON: {error}"
        raise ConfigurationError(msg) from None
    if not isinstance(conf, dict) or conf.get("commit", commit) != commit:
        msg = "--conf is not a JSON object, or has another commit than --commit."
        raise ConfigurationError(msg)
    return {**conf, "commit": commit}


def _learn(options: argparse.Namespace) -> int:
    from airflow_mltest.checks.data.first_suite import learn
    from airflow_mltest.integrations.pandas_table import read_table

    rows = read_table(_path_of(options.data)).rows
    columns = None if options.columns is None else options.columns.split(",")
    lessons = learn(rows, margin=options.margin, columns=columns, name=options.data)
    learned = {lesson.column for lesson in lessons if lesson.column}
    facts = {"rows": len(rows), "columns": len(learned), "margin": options.margin}
    write_suite(options.out, [lesson.expectation for lesson in lessons], facts)
    for column, group in itertools.groupby(lessons, key=lambda lesson: lesson.column):
        print(f"{column or 'all rows'}: {', '.join(lesson.words for lesson in group if lesson.words)}")
    print(options.out)
    return _PASSED


def _path_of(data: str) -> Any:
    if "://" not in data:
        return Path(data)
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(data)


def _plan(options: argparse.Namespace) -> int:
    from airflow_mltest.core.plan import label, plan_to_document
    from airflow_mltest.integrations.pytest_runner import PytestCommand
    from airflow_mltest.planning import plan_tests
    from airflow_mltest.reports.archive import Archive

    command = PytestCommand(project=options.project, args=tuple(options.args), python=options.python)
    archive = functools.partial(Archive, options.reports) if options.reports else None
    plan = plan_tests(command, shards=options.shards, since=options.since, archive=archive)
    if options.json:
        print(json.dumps(plan_to_document(plan), indent=1))
        return _PASSED
    for test in plan.tests:
        print(f"{test}: {plan.reasons[test]}" if test in plan.reasons else test)
    for file, reason in plan.broken.items():
        print(f"{file}: cannot be collected: {reason}")
    print(f"{len(plan.tests)} tests, {plan.left_out} left out", end="")
    print(f"; all of them: {plan.everything}" if plan.everything else "")
    for number in range(1, len(plan.shards) + 1):
        print(f"shard {label(plan, number)}")
    return _PASSED


def _history(options: argparse.Namespace) -> int:
    from airflow_mltest.reports.chronicle import chronicle
    from airflow_mltest.reports.index import Index

    return _print(chronicle(Index(_root_of(options)), options.dag, options.task, most=options.last))


def _prune(options: argparse.Namespace) -> int:
    from airflow_mltest.reports.prune import prune_days
    from airflow_mltest.settings import load_settings

    days = load_settings().retention_days if options.older_than is None else options.older_than
    return _print(prune_days(_root_of(options), days, dry_run=options.dry_run))


def _reindex(options: argparse.Namespace) -> int:
    from airflow_mltest.reports.rebuild import rebuild

    written, gone = rebuild(_root_of(options))
    return _print([f"{written} suites in the index, {gone} entries removed that no suite has"])


def _print(lines: Iterable[str]) -> int:
    for line in lines:
        print(line, flush=True)
    return _PASSED


def _root_of(options: argparse.Namespace) -> Any:
    """Give the root of the report store; one that is not there is told, and not taken for an empty one."""
    from airflow_mltest.settings import load_settings

    root = _path_of(load_settings().report_root if options.reports is None else options.reports)
    if not root.is_dir():
        msg = f"there is no report store at {str(root)!r}: name it with --reports, or set `[mltest] report_root`."
        raise ConfigurationError(msg)
    return root


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
