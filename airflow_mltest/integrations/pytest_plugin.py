"""Inside the tested interpreter: one JSON line an event. Needs pytest and nothing of ours."""

# Copied alone into the tested interpreter, which may be Python 3.9 with pytest 7. A test may replace
# whatever it likes in `os`, `json` and `sys`: what is needed while tests run is bound here, before them.
from __future__ import annotations

import faulthandler
import fcntl
import json
import os
import platform
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_DETAIL = 20_000
_OUTPUT = 12_000
# Beyond what a test that closes "all" descriptors usually closes.
_HIGH_FD = 900
# Of workers that pytest-xdist may replace; its own default ends the run after four a process.
_ANY_NUMBER = "1000000"
_DEATHS = 20
_encode = json.JSONEncoder(default=str).encode
_open, _close, _write, _getpid = os.open, os.close, os.write, os.getpid


class Lines:
    """
    A pipe that lines are written to, opened anew when a test has closed it.

    Args:
        path: Of a named pipe that somebody reads.
        stacks: File that takes every thread's stack when SIGUSR1 comes.
    """

    def __init__(self, path: str, stacks: str) -> None:
        self._path, self._stacks = path, stacks
        self._owner = _getpid()
        self._reopen()

    def _reopen(self) -> None:
        self._fd = _high(_open(self._path, os.O_WRONLY))
        stacks = _high(_open(self._stacks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)

    def send(self, event: str, **fields: Any) -> None:
        """Append an event."""
        if _getpid() != self._owner:  # a test forked, and its child came back here
            return
        lines = (_encode({"event": event, **fields}) + "\n").encode()
        try:
            sent = _write(self._fd, lines)
        except OSError:
            self._reopen()
            sent = _write(self._fd, lines)
        while sent < len(lines):
            sent += _write(self._fd, lines[sent:])


class Events:
    """
    Tell the other end of a pipe what pytest does, in the one process that hears of every test.

    Args:
        lines: The pipe.
        folder: Where pytest-xdist's workers write down what they do.
        choice: The plugin that says what is collected, and under which names.
    """

    def __init__(self, lines: Lines, folder: str, choice: Any) -> None:
        self.send = lines.send
        self._folder = folder
        self._choice = choice
        self._phases: dict[str, list[Any]] = {}
        self._attempts: dict[str, list[dict[str, str]]] = {}
        self._given_up: set[str] = set()
        self._deaths = 0

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: Any) -> Generator[None, Any, None]:
        """Tell which file is being collected, so that it is known which one took the process with it."""
        if not isinstance(collector, pytest.File):
            yield
            return
        self.send("collecting", id=collector.nodeid, path=str(collector.path))
        outcome = yield
        if outcome.excinfo is None:
            self.send("collecting", id="", path="")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell what will run, unless failures have ended the collection before it was complete."""
        if not (session.shouldfail or session.shouldstop):
            ids = [item.nodeid for item in session.items]
            self.send("collected", ids=ids, unplanned=self._choice.unplanned)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:  # noqa: ARG002
        """Tell what will run, when it is workers that have collected it."""
        self.send("collected", ids=[self._choice.bare(test) for test in ids], unplanned=0)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Tell how much a worker has left out, which it says when it ends; give up when one after the other dies."""
        if error:
            self._deaths += 1
            self._bury(node.gateway.id)
            if self._deaths > _DEATHS:
                pytest.exit(f"{self._deaths} workers of pytest-xdist have died, and no test has ended in between")
        unplanned = (getattr(node, "workeroutput", None) or {}).get("mltest_unplanned", 0)
        if unplanned:
            self.send("collected", ids=[], unplanned=unplanned)

    def _bury(self, worker: str) -> None:
        """Keep the test that a worker died of from being run by another, as some of the schedulers have it."""
        try:
            with open(f"{self._folder}/worker-{worker}", "rb") as file:  # noqa: PTH123
                doing = json.loads(file.readline())
        except (OSError, ValueError):
            return  # it died before it did anything
        if doing["event"] == "started":
            with open(f"{self._folder}/dead", "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(json.dumps(doing["id"]) + "\n")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell that a file cannot be collected, or has skipped itself."""
        if report.outcome != "passed":
            outcome = "broken" if report.failed else "skipped"
            self.send("uncollected", id=report.nodeid or "(collection)", outcome=outcome, detail=_detail(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell that a test begins, so that it is known which one did not come back."""
        self.send("started", id=self._choice.bare(nodeid))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Gather a test's phases, and tell how it ended after the last."""
        if report.when == "setup":
            self._given_up.discard(report.nodeid)
        if report.nodeid in self._given_up:  # the rest of an attempt that does not count
            return
        if report.outcome == "rerun":  # pytest-rerunfailures: it is asked again
            self._given_up.add(report.nodeid)
            self._phases.pop(report.nodeid, None)
            self._attempts.setdefault(report.nodeid, []).append({"outcome": "failed", "detail": _detail(report)})
            return
        self._phases.setdefault(report.nodeid, []).append(report)
        if report.when not in {"setup", "call"}:  # the teardown's, or that of a worker's death
            self._finish(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell of a test that came to no teardown, since a plugin runs it in its own way."""
        if nodeid in self._phases:
            self._finish(nodeid)

    def _finish(self, nodeid: str) -> None:
        self._deaths = 0
        fields = _finished(self._phases.pop(nodeid))
        attempts = self._attempts.pop(nodeid, None)
        if attempts:
            fields["attempts"] = attempts
        self.send("finished", id=self._choice.bare(nodeid), **fields)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, None]:
        """Tell that pytest itself came to its end, as all others have left it: some change the exit code here."""
        outcome = yield
        if outcome.excinfo is None:
            self.send("ended", status=int(session.exitstatus))


def pytest_configure(config: Any) -> None:
    """Start telling, in the process that hears of every test; clean up behind us in each."""
    worker = hasattr(config, "workerinput")
    spread = not worker and getattr(config.option, "dist", "no") != "no"
    place = os.environ.get("MLTEST_EVENTS", "")
    if not spread:  # else the workers inherit it, and are told by it what to collect
        os.environ.pop("MLTEST_EVENTS", None)
        _leave_no_trace()
    if not place:
        return
    with open(place, encoding="utf-8") as file:  # noqa: PTH123
        orders = json.load(file)
    maxfail = config.option.maxfail or 0
    if maxfail:  # what has failed in earlier processes counts; where only failed tests are asked again, nothing does
        config.option.maxfail = 0 if orders["failed"] is None else max(1, maxfail - orders["failed"])
    if worker:
        return
    if getattr(config.option, "maxworkerrestart", "") is None:
        config.option.maxworkerrestart = _ANY_NUMBER  # there is an end, since each death costs a test
    folder = orders["folder"]
    lines = Lines(orders["pipe"], f"{folder}/stacks-{_getpid()}")
    choice = config.pluginmanager.getplugin("mltest-choice")
    config.pluginmanager.register(Events(lines, folder, choice), "mltest-events")
    versions = {"python": platform.python_version(), "pytest": pytest.__version__}
    lines.send("session", pid=_getpid(), **versions, maxfail=maxfail, spread=spread)


def _leave_no_trace() -> None:
    """Let what is tested find the path and the environment that it would have without us."""
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [path for path in sys.path if path != folder]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != folder]
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    else:
        os.environ.pop("PYTHONPATH", None)


def _high(descriptor: int) -> int:
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD)
    _close(descriptor)
    return high


def _finished(phases: list[Any]) -> dict[str, Any]:
    outcome, deciding = _judge(phases)
    fields: dict[str, Any] = {"outcome": outcome, "duration_s": sum(phase.duration for phase in phases)}
    if phases[-1].when == "???":
        fields["died"] = True  # and its last words are not in the report
    path, line, _ = phases[0].location
    fields["location"] = path if line is None else f"{path}:{line + 1}"
    if deciding is not None:
        fields["detail"] = _detail(deciding)
        if outcome in ("failed", "broken"):
            fields["output"] = _output(phases)
    return fields


def _judge(phases: list[Any]) -> tuple[str, Any]:
    """Name the outcome, and the phase that has more to say about it, if any."""
    calls = [phase for phase in phases if phase.when == "call"]  # several where there are subtests
    for phase in [*calls[::-1], *phases]:  # what a fixture does before or after the test breaks it
        if phase.failed:
            return ("failed" if phase.when == "call" else "broken"), phase
    # A subtest that is skipped (it has a context) does not skip its test.
    skipped = next((phase for phase in phases if phase.skipped and not hasattr(phase, "context")), None)
    if skipped is not None:
        return "skipped", skipped
    return "passed", next((phase for phase in calls if hasattr(phase, "wasxfail")), None)


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
    prefix = f"in {report.when}: " if getattr(report, "when", "call") in ("setup", "teardown") else ""
    return (prefix + message[:_DETAIL] + "\n\n" + _end(text, _DETAIL)).strip()


def _output(phases: list[Any]) -> str:
    seen: dict[str, str] = {}
    for phase in phases:
        seen.update(phase.sections)  # a later phase repeats the sections of those before
    # Cut first: what was captured may be gigabytes.
    text = "\n".join(f"--- {title} ---\n{_end(content, _OUTPUT)}" for title, content in seen.items())
    return _end(text, 2 * _OUTPUT)


def _end(text: str, most: int) -> str:
    return (
        text.rstrip() if len(text) <= most else f"... ({len(text) - most} characters left out)\n{text[-most:].rstrip()}"
    )
