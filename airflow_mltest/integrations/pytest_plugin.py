"""Inside the tested interpreter: one JSON line an event. Needs pytest and nothing of ours."""

# Copied alone into the tested interpreter, which may be Python 3.9 with pytest 7.
from __future__ import annotations

import faulthandler
import fcntl
import json
import os
import platform
import signal
import sys
from typing import Any

import pytest

_DETAIL = 20_000
_OUTPUT = 20_000
# Beyond what a test that closes "all" descriptors usually closes.
_HIGH_FD = 200
_encode = json.JSONEncoder(default=str).encode


class Events:
    """
    Tell the other end of a pipe what pytest does.

    Args:
        descriptor: The pipe's end, inherited from the runner.
        orders: `only` and `skip`: lists of node ids; `stacks`: file for the threads' stacks.
    """

    def __init__(self, descriptor: int, orders: dict[str, Any]) -> None:
        self._pipe = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD)
        os.close(descriptor)
        self._owner = os.getpid()
        self._unsent = ""
        self._another_follows = False
        self._only = set(orders["only"]) if orders.get("only") is not None else None
        self._skip = set(orders.get("skip") or ())
        self._phases: dict[str, list[Any]] = {}
        self._stacks = open(orders["stacks"], "w", encoding="utf-8")  # noqa: PTH123, SIM115  open until the end
        faulthandler.register(signal.SIGUSR1, file=self._stacks, all_threads=True)
        self._send("session", pid=os.getpid(), python=platform.python_version(), pytest=pytest.__version__)

    def _send(self, event: str, **fields: Any) -> None:
        if os.getpid() != self._owner:  # a test forked, and its child came back here
            return
        self._unsent += _encode({"event": event, **fields}) + "\n"
        if event == "finished" and self._another_follows:
            return  # and begins at once: one write for both
        lines = self._unsent.encode()
        self._unsent = ""
        sent = os.write(self._pipe, lines)
        while sent < len(lines):
            sent += os.write(self._pipe, lines[sent:])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what has been answered already, and what was not asked for."""
        left_out = [
            item
            for item in items
            if item.nodeid in self._skip or (self._only is not None and item.nodeid not in self._only)
        ]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            gone = set(map(id, left_out))
            items[:] = [item for item in items if id(item) not in gone]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell what will run."""
        if session.items:
            self._send("collected", ids=[item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:  # noqa: ARG002
        """Tell what will run, when it is workers that have collected it."""
        self._send("collected", ids=ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell that a file cannot be collected, or has skipped itself."""
        if report.outcome != "passed":
            outcome = "broken" if report.failed else "skipped"
            self._send("uncollected", id=report.nodeid or "(collection)", outcome=outcome, detail=_detail(report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, nextitem: pytest.Item | None) -> None:
        """Learn whether a test follows; with pytest-xdist this is not called, and every event is sent alone."""
        self._another_follows = nextitem is not None

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell that a test begins, so that it is known which one did not come back."""
        self._send("started", id=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Gather a test's phases, and tell how it ended after the last."""
        phases = self._phases.setdefault(report.nodeid, [])
        if report.outcome == "rerun":  # pytest-rerunfailures: this attempt does not count
            phases.clear()
            return
        phases.append(report)
        if report.when == "teardown":
            self._send("finished", **_finished(self._phases.pop(report.nodeid)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell that pytest itself came to its end, as other plugins have left it."""
        self._send("ended", status=int(session.exitstatus))


def pytest_configure(config: pytest.Config) -> None:
    """Start telling, in the one process that hears of every test."""
    orders = os.environ.pop("MLTEST_EVENTS", "")
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    # What is tested should find the path and the environment that it would have without us.
    sys.path[:] = [path for path in sys.path if path != folder]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != folder]
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    else:
        os.environ.pop("PYTHONPATH", None)
    if orders and not hasattr(config, "workerinput"):
        with open(orders, encoding="utf-8") as file:  # noqa: PTH123
            read = json.load(file)
        config.pluginmanager.register(Events(read["pipe"], read), "mltest-events")


def _finished(phases: list[Any]) -> dict[str, Any]:
    outcome, deciding = _judge(phases)
    fields: dict[str, Any] = {
        "id": phases[0].nodeid,
        "outcome": outcome,
        "duration_s": sum(phase.duration for phase in phases),
    }
    path, line, _ = phases[0].location
    fields["location"] = path if line is None else f"{path}:{line + 1}"
    if deciding is not None:
        fields["detail"] = _detail(deciding)
        if outcome in ("failed", "broken"):
            fields["output"] = _output(phases)
    return fields


def _judge(phases: list[Any]) -> tuple[str, Any]:
    """Name the outcome, and the phase that has more to say about it, if any."""
    call = next((phase for phase in phases if phase.when == "call"), None)
    if call is not None and call.failed:
        return "failed", call
    for phase in phases:
        if phase.failed:  # a fixture's, before or after the test
            return "broken", phase
    # A subtest that is skipped (it has a context) does not skip its test.
    skipped = next((phase for phase in phases if phase.skipped and not hasattr(phase, "context")), None)
    if skipped is not None:
        return "skipped", skipped
    return "passed", (call if hasattr(call, "wasxfail") else None)


def _detail(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        expected = "expected failure" if report.skipped else "passed, though a failure was expected"
        return f"{expected}: {report.wasxfail}" if report.wasxfail else expected
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    message = crash.message if crash is not None else ""
    text = str(report.longreprtext)
    if len(text) > _DETAIL:
        text = f"... ({len(text) - _DETAIL} characters left out)\n{text[-_DETAIL:]}"
    prefix = f"in {report.when}: " if getattr(report, "when", "call") in ("setup", "teardown") else ""
    return (prefix + message[:_DETAIL] + "\n\n" + text).strip()


def _output(phases: list[Any]) -> str:
    seen: dict[str, str] = {}
    for phase in phases:
        seen.update(phase.sections)  # a later phase repeats the sections of those before
    text = "\n".join(f"--- {title} ---\n{content.rstrip()}" for title, content in seen.items())
    return text if len(text) <= _OUTPUT else f"... ({len(text) - _OUTPUT} characters left out)\n{text[-_OUTPUT:]}"
