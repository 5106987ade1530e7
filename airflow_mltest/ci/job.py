"""Start a DAG run, follow it, tell what fails, write it down, and end with a verdict."""

from __future__ import annotations

import re
import secrets
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mltest.ci.console import Console
from airflow_mltest.ci.told import Told, suites_of
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.integrations.airflow_api import AirflowApi
from airflow_mltest.reports.junit import to_junit
from airflow_mltest.reports.merge import in_force, report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from airflow_mltest.integrations.airflow_api import Login, Progress, Run
    from airflow_mltest.reports.merge import Report
    from airflow_mltest.reports.store import Store

_PASSED, _FAILED, _BROKEN, _NO_ANSWER, _INTERRUPTED = 0, 1, 2, 3, 130
# The key under which every testing task tells its summary.
_SUMMARY_KEY = "summary"
_INTERVAL_S = 2.0
_ENDED = ("success", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    What a CI job wants to know.

    Args:
        dag_id: The DAG that is started.
        conf: The run's configuration; its `commit` becomes a part of the run's name.
        url: Where Airflow is.
        login: What lets it in.
        timeout_s: How many seconds all of it may take.
        out: Where JUnit XML is written.
        cancels: Whether the run ends with the job when that is interrupted.
        open_store: Opens the deployment's report store, where it can be read from here.
    """

    dag_id: str
    conf: Mapping[str, Any]
    url: str
    login: Login
    timeout_s: float
    out: Path
    cancels: bool = False
    open_store: Callable[[], Store] | None = None


def run_job(job: Job, stream: TextIO) -> int:
    """
    Do the job, and tell about it on *stream*.

    Returns:
        The exit code: 0 passed, 1 tests failed, 2 broken or refused, 3 timed out or unreachable,
        130 interrupted.

    Raises:
        ConfigurationError: There is no URL or login to begin with.
    """
    console, end_s = Console(stream), time.monotonic() + job.timeout_s
    with _interrupts(), AirflowApi(job.url, job.login, until_s=end_s) as api:
        watch = _Watch(job, api, console)
        try:
            code, trouble = watch.follow(end_s)
        except KeyboardInterrupt:
            code, trouble = _INTERRUPTED, watch.interrupted()
        except BrokenRunError as error:
            code, trouble = _NO_ANSWER, str(error)
        except ConfigurationError as error:
            code, trouble = _BROKEN, str(error)
        report, source = watch.report(trouble)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    job.out.write_text(to_junit(report), encoding="utf-8")
    counts = ", ".join(f"{count} {outcome}" for outcome, count in watch.counts().items() if count)
    verdict = {_PASSED: "PASSED", _FAILED: "FAILED", _BROKEN: "BROKEN"}.get(code, "NO VERDICT")
    console.say(f"{verdict} {job.dag_id}: {trouble or counts}")
    console.say(f"{job.out}: {source}")
    return code


class _Watch:
    """
    One run, from its start on.

    Args:
        job: What is asked.
        api: Who is asked.
        console: Hears of it.
    """

    def __init__(self, job: Job, api: AirflowApi, console: Console) -> None:
        self._job, self._api, self._console = job, api, console
        self._run: Run | None = None
        self._told: dict[tuple[str, int], Told] = {}
        self._shown: set[tuple[str, str]] = set()

    def follow(self, end_s: float) -> tuple[int, str]:
        """
        Start the run, and look until it has ended.

        Returns:
            The exit code, and what no suite tells of the reason.
        """
        began_s = time.monotonic()
        run = self._run = self._api.run(self._job.dag_id, _run_id(self._job.conf))
        run.start(self._job.conf)
        self._console.say(f"{run.dag_id}: {run.link}")
        before: Progress | None = None
        while True:
            now = run.progress()
            if now != before:
                self._hear(run)
            failed = f", {now.failed} failed" if now.failed else ""
            text = f"{now.state}: {now.done}/{now.total} tasks done{failed}"
            self._console.progress(text, time.monotonic() - began_s)
            if now.state in _ENDED:
                return self._verdict(run, now.state)
            if time.monotonic() + _INTERVAL_S > end_s:
                return _NO_ANSWER, f"not done within {self._job.timeout_s:.0f} s; the run goes on: {run.link}"
            before = now
            time.sleep(_INTERVAL_S)

    def interrupted(self) -> str:
        """Say what becomes of the run; end it, if that is wanted."""
        if self._run is None:
            return "interrupted before the run was started"
        if self._job.cancels:
            try:
                self._run.cancel()
            except (BrokenRunError, ConfigurationError, KeyboardInterrupt) as error:
                return f"interrupted; the run could not be cancelled ({error}) and may go on: {self._run.link}"
            return f"interrupted; the run was cancelled, and is marked failed: {self._run.link}"
        return f"interrupted; the run goes on: {self._run.link}"

    def counts(self) -> dict[str, int]:
        """Count the cases of all suites by what the summaries say, those of shards once."""
        pairs = [(told.suite(), told.summary["counts"]) for told in self._told.values()]
        counting = set(map(id, in_force(suite for suite, _ in pairs)))
        found = [counts for suite, counts in pairs if id(suite) in counting]
        return {outcome.value: sum(int(counts.get(outcome, 0)) for counts in found) for outcome in Outcome}

    def report(self, trouble: str) -> tuple[Report, str]:
        """Give all that was told as a report in which *trouble* is a broken case, and say what it is made of."""
        told = list(self._told.values())
        kept, why = self._kept()
        suites, whole = suites_of(told, kept)
        if trouble:
            case = Case(name=self._job.dag_id, outcome=Outcome.BROKEN, detail=trouble)
            suites.append(Suite(name="DAG run", kind="code", cases=(case,)))
        of = {"the kept reports": whole, "the summaries": len(told) - whole}
        source = ", ".join(f"{count} from {what}" for what, count in of.items() if count)
        source = f"suites: {source or 'none was told'}{why}"
        return report_of(self._job.dag_id, suites, dag_id=self._job.dag_id), source

    def _hear(self, run: Run) -> None:
        """Read the summaries that are new, and tell what has not passed."""
        stamps = run.summaries(_SUMMARY_KEY)
        for task in self._told.keys() - stamps.keys():
            del self._told[task]  # it runs again, and will tell anew
        for (task_id, map_index), stamp in stamps.items():
            at, before = datetime.fromisoformat(stamp), self._told.get((task_id, map_index))
            if before is not None and before.at == at:
                continue
            origin = Origin(dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, map_index=map_index)
            told = Told(origin=origin, summary=run.summary(_SUMMARY_KEY, task_id, map_index), at=at)
            if told.is_suite:
                self._told[task_id, map_index] = told
                self._show(told)

    def _show(self, told: Told) -> None:
        suite, failures = told.suite(), told.failures
        if suite.incomplete:
            failures.append(Case(name="(the whole run)", outcome=Outcome.BROKEN, detail=suite.incomplete))
        for case in failures:
            # A merged suite tells again what its shards have told.
            key = (suite.stands_for or told.origin.task_id, case.name)
            if key not in self._shown:
                self._shown.add(key)
                self._console.failure(suite.name, case)

    def _verdict(self, run: Run, state: str) -> tuple[int, str]:
        """Judge by the suites and by the run: both have to say yes."""
        report = report_of(run.dag_id, [told.suite() for told in self._told.values()])
        if report.outcome is Outcome.FAILED:
            return _FAILED, ""
        if not report.suites and state == "success":
            return _BROKEN, f"no task of the run has told a suite, so nothing was tested: {run.link}"
        if state == "success":
            return (_BROKEN if report.outcome is Outcome.BROKEN else _PASSED), ""
        silent = [f"{task}[{index}]" if index >= 0 else task for task, index in run.failed_tasks()]
        return _BROKEN, f"the run failed, by the tasks {', '.join(silent) or '(none)'}: {run.link}"

    def _kept(self) -> tuple[dict[str, Suite], str]:
        """Read the suites that the run has left in the report store, by digest; say why there are none."""
        if self._job.open_store is None or self._run is None:
            return {}, ""
        try:
            found = self._job.open_store().kept(self._run.dag_id, self._run.run_id)
        except Exception as error:  # noqa: BLE001  an object store raises its client's own
            return {}, f" (the report store cannot be read: {type(error).__name__}: {error})"
        return {kept.digest: kept.suite for kept in found if kept.digest}, ""


@contextmanager
def _interrupts() -> Iterator[None]:
    """Take both signals by which CI systems end a job for Ctrl-C, even where a shell has had them ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _run_id(conf: Mapping[str, Any]) -> str:
    """Name the run once, so that it can be asked for twice; two jobs on one commit are two runs."""
    commit = re.sub(r"[^\w.-]", "-", str(conf.get("commit", "")), flags=re.ASCII)[:40]
    return f"ci__{commit}__{secrets.token_hex(4)}"
