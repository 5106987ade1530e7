"""A warm interpreter that forks one pytest per request; runs where the tested package is installed.

Stand-alone: standard library and pytest only. Heavy libraries that are not under test are imported once, so
that many runs of a suite cost what the suite costs and not what its imports cost.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

CASE_LIMIT_S = 20


class Outcomes:
    """
    Keep how each test ended; a test that takes too long fails.

    Args:
        result: File that gets them, as JSON.
        only: Ask these tests only; None: all.
        alarm: Whether a test may be interrupted, which a plugin that measures could notice.
    """

    def __init__(self, result: str, only: list[str] | None, *, alarm: bool) -> None:
        self._result = result
        self._only = None if only is None else set(only)
        self._alarm = alarm
        self._outcomes: dict[str, str] = {}
        self._durations: dict[str, float] = {}
        self._broken: dict[str, str] = {}
        self._collected: list[str] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out what was not asked for; deselected by a plugin before or after is fine, too."""
        if self._only is not None:
            items[:] = [item for item in items if item.nodeid in self._only]

    def pytest_collection_finish(self, session: Any) -> None:
        """Learn what will run."""
        self._collected = [item.nodeid for item in session.items]

    def pytest_collectreport(self, report: Any) -> None:
        """Learn which files cannot be collected."""
        if report.failed:
            self._broken[report.nodeid] = str(report.longrepr)[-2000:]

    def pytest_runtest_logstart(self, nodeid: str) -> None:  # noqa: ARG002
        """Start the clock."""
        if self._alarm:
            signal.signal(signal.SIGALRM, _too_long)
            signal.alarm(CASE_LIMIT_S)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the worst of a test's phases, and the sum of their seconds."""
        worst = self._outcomes.get(report.nodeid, "")
        if worst != "failed" and (report.when == "call" or report.outcome != "passed"):
            self._outcomes[report.nodeid] = report.outcome
        self._durations[report.nodeid] = self._durations.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write what is known."""
        signal.alarm(0)
        known = {
            "outcomes": self._outcomes,
            "broken": self._broken,
            "durations": self._durations,
            "collected": self._collected,
        }
        Path(self._result).write_text(json.dumps(known))


def _too_long(*_: Any) -> None:
    msg = f"took longer than {CASE_LIMIT_S} s"
    raise TimeoutError(msg)


def serve() -> None:
    """Answer each request, a JSON line on stdin, by a line with exit code and CPU seconds."""
    for name in json.loads(sys.argv[1]):
        importlib.import_module(name)
    gc.freeze()  # or each `gc.collect()` of a test walks through what was imported here
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        sys.stdout.flush()
        child = os.fork()
        if not child:
            _run(order)
        code, cpu_s = _wait(child, order["limit_s"])
        answers.write(json.dumps({"code": code, "cpu_s": cpu_s}) + "\n")
        answers.flush()


def _wait(child: int, limit_s: float) -> tuple[int, float]:
    end_s = time.monotonic() + limit_s
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        if time.monotonic() > end_s:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.005)


def _run(order: dict[str, Any]) -> None:
    """Be `python -m pytest` in the folder of *order*, then end at once."""
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(order["folder"])
        os.environ.update(order["env"])
        sys.dont_write_bytecode = order["frozen"]
        sys.path[:0] = [order["folder"], *order["path"]]
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest

        outcomes = Outcomes(order["result"], order["only"], alarm=order["alarm"])
        code = int(pytest.main(order["args"], plugins=[outcomes]))
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  a fork must never return into the server's loop
        sys.stderr.write(f"{error!r}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
