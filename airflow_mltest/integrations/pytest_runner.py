"""Outside it: start pytest, follow its events, end with a suite."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from airflow_mltest.core.answers import timed_out
from airflow_mltest.core.errors import StoppedError
from airflow_mltest.core.launches import INTERNAL, Ended
from airflow_mltest.core.ledger import Ledger
from airflow_mltest.integrations.pytest_child import PytestChild, PytestCommand, is_alive, own_folder

if TYPE_CHECKING:
    from airflow_mltest.core.launches import Question
    from airflow_mltest.core.recording import Recording

__all__ = ["PytestCommand", "PytestRunner"]

_EXIT_S = 5.0
# pytest-xdist's schedulers that keep tests together may forget some of them when a worker dies.
_STUCK_S = 8.0
# Waking for every single event of fast tests would take a tenth of their own time.
_GATHER_S = 0.01
# Beside the time that a single test may take, when no test runs: to import, to collect, to end.
_IDLE_S = 300.0


class PytestRunner:
    """
    Run pytest in a child, and again for the rest when a test took the child with it.

    =========================================================  =======================================
    what happened                                              what becomes of it
    =========================================================  =======================================
    a test passes, fails, is skipped                           a case, when its teardown is done
    a fixture fails, a file cannot be collected                a broken case
    an expected failure fails; passes; passes, and is strict   skipped; passed; failed
    a test leaves the process, dies of a signal (`SIGSEGV`,    a broken case with the last output; the
    `SIGABRT`, ...), ends pytest, or takes too long            rest run in a new process
    SIGKILL, or several tests that ran when all went down      asked once more alone, then as above
    a file takes the process down when it is collected         a broken case; the others are collected
    tests that failed ended the run before others (`-x`)       skipped cases that say so
    planned tests that were not collected                      broken; skipped where their file is
    exit code 0, and tests have not run                        broken cases
    exit code 0 ... 6, and the process ends with another       and a broken case `(exit)`
    exit code 1, and no test has failed                        a failed case `(pytest)`
    exit code 2, and every test has run                        a broken case `(pytest)`
    exit code 2, and others have not                           broken cases
    exit code 3, or the process died between two tests twice   `BrokenRunError`, with the last output
    exit code 4: wrong arguments, or a `conftest.py` fails     `ConfigurationError`, with pytest's words
    exit code 5: nothing was collected, nothing was planned    `ConfigurationError`
    exit code 6: more warnings than allowed (pytest 9)         a failed case `(warnings)`
    any other exit code                                        `BrokenRunError`
    the budget is spent                                        broken cases with the fact `unfinished`,
                                                               and `BrokenRunError`
    `stop` was called                                          `StoppedError`; what finished is recorded
    =========================================================  =======================================
    """

    def __init__(self, command: PytestCommand) -> None:
        self._command = command
        self._child: PytestChild | None = None
        self._stopped = False
        self._deadline_s = math.inf
        self._spent = False

    def stop(self) -> None:
        """End pytest and all that its tests have started; safe in a signal handler."""
        self._stopped = True
        if self._child is not None:
            self._child.process.stop()

    def run(self, recording: Recording) -> None:
        """
        Run to the end, adding each case to *recording* when it is final.

        Cases that it holds already are an earlier try's, and are not asked again.

        Raises:
            ConfigurationError: The project, the interpreter or the arguments cannot work.
            BrokenRunError: pytest itself could not finish, or the budget is spent.
            StoppedError: `stop` was called.
        """
        command = self._command
        command.check()
        self._deadline_s = time.monotonic() + (command.budget_s or math.inf)
        tests = Ledger(recording, reruns=command.reruns, only=command.only, judge=command.quarantine().judge)
        complete = False
        try:
            while not self._stopped and (question := tests.ask()) is not None:
                if command.budget_s and time.monotonic() > self._deadline_s:
                    tests.spend(command.budget_s, Ended(code=0))
                self._launch(tests, question)
            if self._stopped:
                msg = f"stopped after {len(recording.cases)} of {recording.total or '?'} tests"
                raise StoppedError(msg)
            complete = True
        finally:
            tests.settle(complete=complete)

    def _launch(self, tests: Ledger, question: Question) -> None:
        """Start pytest, follow it to its end, and learn from that."""
        with own_folder() as folder:
            child = self._child = PytestChild(folder, self._command, question)
            why = stacks = ""
            try:
                why, stacks = self._follow(tests, child)
            finally:
                self._child = None
                ended = child.end(tests.take, why=why, stacks=stacks)
            if tests.launch.spread and tests.launch.status in {None, INTERNAL}:
                _ask_workers(tests, child)
        if self._stopped:
            return
        if self._command.budget_s and self._spent:
            tests.spend(self._command.budget_s, ended)
        tests.after(ended)

    def _follow(self, tests: Ledger, child: PytestChild) -> tuple[str, str]:
        """Take events as they come, until the child is gone or has to go; say then why, and where its threads were."""
        while child.process.poll() is None and not self._stopped:
            tests.take(child.events(gather_s=_GATHER_S if tests.launch.status is None else 0.0))
            verdict = self._too_long(tests, child)
            if tests.launch.spread and verdict is None:
                verdict = _look_at_workers(tests, child)
            if verdict is not None:
                return verdict
        return "", ""

    def _too_long(self, tests: Ledger, child: PytestChild) -> tuple[str, str] | None:
        """Say why the child has to go, and where its threads were, when a test, the suite or nothing takes too long."""
        launch, now_s, limit_s = tests.launch, time.monotonic(), self._command.case_timeout_s or math.inf
        launch.overdue = {test: ran_s for test, ran_s in launch.ran.items() if ran_s > limit_s}
        self._spent = now_s > self._deadline_s
        if self._spent:
            launch.overdue = launch.ran
        quiet_s = 0.0 if launch.running else now_s - launch.heard_s
        if launch.status is not None and quiet_s > _EXIT_S:  # a thread of the tests' may keep it from leaving
            return "", ""
        if self._spent or quiet_s > limit_s + _IDLE_S or (launch.overdue and not launch.spread):
            why = f"nothing was heard of it for {quiet_s:.0f} s" if quiet_s else ""
            return why, child.stacks(launch.pid, *(worker["pid"] for worker in child.workers()))
        return None


def _look_at_workers(tests: Ledger, child: PytestChild) -> tuple[str, str] | None:
    """End each worker of pytest-xdist whose test is overdue; say why the child has to go if they cannot go on."""
    launch = tests.launch
    for worker in child.workers() if launch.overdue or not tests.planned else ():
        if worker["event"] == "started" and worker["id"] in launch.overdue:
            seconds = launch.overdue.pop(worker["id"])
            tests.record(timed_out(worker["id"], seconds, child.stacks(worker["pid"])))
            child.kill(worker["pid"])
        elif worker["event"] == "collecting" and not tests.planned and not is_alive(worker["pid"]):
            launch.collecting = (worker["id"], worker["path"])
            return "its worker of pytest-xdist died", ""  # and each new one would die of it as well
    if launch.worker_died and not launch.running and time.monotonic() > launch.heard_s + _STUCK_S and _wait(child):
        return "pytest-xdist gave its workers nothing more to do", ""
    return ("", child.stacks(launch.pid)) if launch.overdue else None


def _ask_workers(tests: Ledger, child: PytestChild) -> None:
    """Learn which tests ran when all went down, before the controller could tell of them."""
    launch = tests.launch
    for worker in child.workers():
        if worker["event"] == "started" and worker["id"] not in launch.answered:
            launch.running.setdefault(worker["id"], time.monotonic())


def _wait(child: PytestChild) -> bool:
    """Say whether all workers of pytest-xdist have collected, and wait."""
    doing = [worker["event"] for worker in child.workers() if is_alive(worker["pid"])]
    return bool(doing) and set(doing) == {"idle"}
