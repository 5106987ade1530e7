"""Outside it: start pytest, follow its events, end with a suite."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, StoppedError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_mltest.core.recording import Recording

_PLUGIN = "mltest_events"
_TAIL = 6_000
_WAIT_S = 0.2
_EXIT_S = 5.0
_STACKS_S = 0.3
_OK, _FAILED, _INTERRUPTED, _INTERNAL, _USAGE, _NOTHING, _WARNINGS = range(7)
_NOT_PASSED = {Outcome.FAILED, Outcome.BROKEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestCommand:
    """
    What to run.

    Args:
        project: Folder that pytest starts in, or one test file.
        args: What `python -m pytest` is called with.
        python: The project's interpreter; empty: this one.
        env: Variables added to the environment.
        case_timeout_s: Seconds that a single test may take; None: any number.
        reruns: How often a failing test is asked again, in a fresh process.
    """

    project: str
    args: tuple[str, ...] = ()
    python: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    case_timeout_s: float | None = None
    reruns: int = 0


class PytestRunner:
    """
    Run pytest in a child, and again for the rest when a test took the child with it.

    =========================================================  =======================================
    what happened                                              what becomes of it
    =========================================================  =======================================
    a test passes, fails, is skipped                           a case, when its teardown is done
    a fixture fails, a file cannot be collected                a broken case
    an expected failure fails; passes; passes, and is strict   skipped; passed; failed
    a test kills or leaves the process, or takes too long      a broken case; the rest run in a new one
    exit code 0 or 1, and some tests never reported (`-x`)     skipped cases that say so
    exit code 2: pytest was interrupted by a test              a broken case; the rest run in a new one
    exit code 3: pytest failed, or the process died unasked    `BrokenRunError`, with the last output
    exit code 4: wrong arguments, or a `conftest.py` fails     `ConfigurationError`, with pytest's words
    exit code 5: nothing was collected                         `ConfigurationError`
    `stop` was called                                          `StoppedError`; what finished is recorded
    =========================================================  =======================================
    """

    def __init__(self, command: PytestCommand) -> None:
        self._command = command
        self._process: KeptProcess | None = None
        self._stopped = False

    def stop(self) -> None:
        """End pytest and all that its tests have started; safe in a signal handler."""
        self._stopped = True
        if self._process is not None:
            self._process.stop()

    def run(self, recording: Recording) -> None:
        """
        Run to the end, adding each case to *recording* when it is final.

        Raises:
            ConfigurationError: The project, the interpreter or the arguments cannot work.
            BrokenRunError: pytest itself could not finish.
            StoppedError: `stop` was called.
        """
        _check(self._command)
        tests = _Tests(recording, reruns=self._command.reruns)
        try:
            self._ask(tests)
            for _ in range(self._command.reruns):
                if tests.failing:
                    tests.again = set(tests.failing)
                    self._ask(tests)
        finally:
            tests.settle()

    def _ask(self, tests: _Tests) -> None:
        """Start pytest, and again for as long as a test takes it down before the last one."""
        more = True
        while more and not self._stopped:
            with _child(self._command, tests) as child:
                self._process = child.process
                self._follow(tests, child)
                self._process = None
            if not self._stopped:
                more = tests.after(child)
        if self._stopped:
            msg = f"stopped after {len(tests.answered)} of {len(tests.planned) or '?'} tests"
            raise StoppedError(msg)

    def _follow(self, tests: _Tests, child: _Child) -> None:
        """Take events as they come, until the child is gone or has to go."""
        tests.begin()
        leave_s = float("inf")
        while child.process.poll() is None and not self._stopped and time.monotonic() < leave_s:
            tests.take(child.events(_WAIT_S))
            if tests.status is not None and leave_s == float("inf"):
                leave_s = time.monotonic() + _EXIT_S  # a thread of the tests' may keep it from leaving
            limit_s = self._command.case_timeout_s
            tests.overdue = {} if limit_s is None else tests.running_longer_than(limit_s)
            if tests.overdue:
                child.ask_for_stacks(tests.pid)
                return


class _Tests:
    """What is known of the tests, over all launches of pytest."""

    def __init__(self, recording: Recording, *, reruns: int) -> None:
        self.planned: dict[str, None] = {}
        self.answered: set[str] = set()
        self.failing: dict[str, list[Case]] = {}
        self.again: set[str] | None = None
        self._recording = recording
        self._reruns = reruns
        self.begin()

    def begin(self) -> None:
        """Forget what is true of one launch only."""
        self.running: dict[str, float] = {}
        self.overdue: dict[str, float] = {}
        self.status: int | None = None
        self.pid = 0
        self._answered_before = len(self.answered) if self.again is None else -len(self.again)

    def running_longer_than(self, limit_s: float) -> dict[str, float]:
        """Give the tests that have taken too long, and their seconds."""
        now_s = time.monotonic()
        return {test: now_s - since_s for test, since_s in self.running.items() if now_s - since_s > limit_s}

    def take(self, events: Iterator[dict[str, Any]]) -> None:
        """Learn from *events*."""
        for event in events:
            getattr(self, f"_on_{event.pop('event')}")(**event)

    def _on_session(self, *, pid: int, python: str, pytest: str) -> None:
        self.pid = pid
        self._recording.under(python=python, pytest=pytest)

    def _on_collected(self, *, ids: list[str]) -> None:
        self.planned.update(dict.fromkeys(ids))
        self._recording.expect(len(self.planned))

    def _on_uncollected(self, *, id: str, detail: str) -> None:  # noqa: A002  the event's word
        if id not in self.answered:  # a resumed run fails to collect it again
            self.answered.add(id)
            self._recording.add(Case(name=id, outcome=Outcome.BROKEN, detail=f"cannot be collected: {detail}"))

    def _on_started(self, *, id: str) -> None:  # noqa: A002
        self.running[id] = time.monotonic()

    def _on_finished(self, *, id: str, outcome: str, **fields: Any) -> None:  # noqa: A002
        self.running.pop(id, None)
        self._record(Case(name=id, outcome=Outcome(outcome), **fields))

    def _on_ended(self, *, status: int) -> None:
        self.status = status

    def _record(self, case: Case) -> None:
        """Record an answer, unless the test is to be asked again."""
        self.answered.add(case.name)
        if self.again is not None:
            self.again.discard(case.name)
        if self._reruns and case.outcome in _NOT_PASSED:
            self.failing.setdefault(case.name, []).append(case)
            return
        attempts = self.failing.pop(case.name, [])
        if attempts:
            case = replace(case, flaky=case.outcome is Outcome.PASSED, facts=_attempts([*attempts, case]))
        self._recording.add(case)

    def settle(self) -> None:
        """Record what still fails after all attempts."""
        for attempts in self.failing.values():
            facts = _attempts(attempts) if len(attempts) > 1 else {}
            self._recording.add(replace(attempts[-1], facts=facts))
        self.failing = {}

    def after(self, child: _Child) -> bool:
        """Judge how a launch ended; say whether another one is needed for what is left."""
        if self.overdue or self.running:
            self._blame(child)
        elif self.status is None or self.status not in {_OK, _FAILED, _INTERRUPTED, _NOTHING, _WARNINGS}:
            self._refuse(child)
        else:
            self._tell_unanswered()
            return False
        return bool(self.again if self.again is not None else self.planned.keys() - self.answered)

    def _blame(self, child: _Child) -> None:
        """Record what became of the tests that were running when pytest went away."""
        now_s = time.monotonic()
        suspects = self.overdue or {test: now_s - since_s for test, since_s in self.running.items()}
        for test, seconds in suspects.items():
            reason = f"timed out after {seconds:.1f} s" if self.overdue else _cause(child.code, self.status)
            output = "\n".join(filter(None, (child.stacks, child.tail)))
            self._record(Case(name=test, outcome=Outcome.BROKEN, detail=reason, duration_s=seconds, output=output))

    def _refuse(self, child: _Child) -> None:
        """Raise what the end of pytest means, unless it died between two tests and can go on."""
        if self.status == _USAGE or (self.status is None and child.code == _USAGE):
            msg = f"pytest refuses to run: {child.tail}"
            raise ConfigurationError(msg)
        if not self.pid and "No module named pytest" in child.tail:
            msg = f"pytest is not installed in the project's interpreter: {child.tail}"
            raise ConfigurationError(msg)
        answered = len(self.answered) if self.again is None else -len(self.again)
        if self.status is not None or answered == self._answered_before:
            msg = f"pytest ended before its tests did ({_cause(child.code, self.status)}): {child.tail}"
            raise BrokenRunError(msg)

    def _tell_unanswered(self) -> None:
        """Record what was collected, and not run; nothing collected is an error."""
        if not self.planned and not self.answered:
            msg = "pytest collected no tests: check `project` and `args`; a suite of nothing passes nothing."
            raise ConfigurationError(msg)
        if self.status == _WARNINGS:
            self._recording.add(Case(name="(warnings)", outcome=Outcome.FAILED, detail="more warnings than allowed"))
        outcome = Outcome.BROKEN if self.status == _OK else Outcome.SKIPPED
        for test in [test for test in self.planned if test not in self.answered]:
            self._record(Case(name=test, outcome=outcome, detail="was collected, and pytest ended before it ran"))


class _Child:
    """One pytest process: its pipe, its orders, and what it printed."""

    def __init__(self, folder: Path, command: PytestCommand, tests: _Tests) -> None:
        self.code: int | None = None
        self.tail = ""
        self.stacks = ""
        self._stacks = folder / "stacks"
        self._output = (folder / "output").open("w+b")
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self._rest = b""
        plugin = folder / "plugin"
        plugin.mkdir()
        shutil.copy(Path(__file__).with_name("pytest_plugin.py"), plugin / f"{_PLUGIN}.py")
        orders = folder / "orders.json"
        again = None if tests.again is None else sorted(tests.again)
        skip = sorted(tests.answered) if again is None else []
        orders.write_text(json.dumps({"pipe": write, "only": again, "skip": skip, "stacks": str(self._stacks)}))
        project = Path(command.project)
        arguments = ["-q", "-p", _PLUGIN, "-o", f"cache_dir={folder / 'cache'}", "--continue-on-collection-errors"]
        arguments += [*command.args, *([] if project.is_dir() else [project.name])]
        environment = {**os.environ, **command.env}
        path = os.pathsep.join(filter(None, (str(plugin), environment.get("PYTHONPATH"))))
        try:
            self.process = KeptProcess(
                [command.python or sys.executable, "-m", "pytest", *arguments],
                cwd=str(project if project.is_dir() else project.parent),
                env={**environment, "PYTHONPATH": path, "MLTEST_EVENTS": str(orders)},
                output=self._output,
                pass_fds=(write,),
            )
        finally:
            os.close(write)

    def events(self, timeout_s: float = 0.0) -> Iterator[dict[str, Any]]:
        """Give what has come in, waiting *timeout_s* at most for the first of it."""
        if not select.select([self._read], [], [], timeout_s)[0]:
            return
        while chunk := self._chunk():
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            yield from map(json.loads, lines)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._read, 1 << 16)
        except BlockingIOError:
            return b""

    def ask_for_stacks(self, pid: int) -> None:
        """Have every thread's stack written, which works for a test that hangs in C, too."""
        try:
            os.kill(pid, signal.SIGUSR1)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(_STACKS_S)

    def end(self, tests: _Tests) -> None:
        """End what is left of it, take its last events, and keep what it printed last."""
        self.process.stop()
        self.code = self.process.close()
        tests.take(self.events())
        if self._stacks.exists():
            self.stacks = self._stacks.read_text(encoding="utf-8", errors="replace")
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL))
        self.tail = self._output.read().decode(errors="replace").strip()
        self._output.close()
        os.close(self._read)


@contextmanager
def _child(command: PytestCommand, tests: _Tests) -> Iterator[_Child]:
    with tempfile.TemporaryDirectory(prefix="mltest-pytest-", ignore_cleanup_errors=True) as folder:
        child = _Child(Path(folder), command, tests)
        try:
            yield child
        finally:
            child.end(tests)


def _check(command: PytestCommand) -> None:
    if not Path(command.project).exists():
        msg = f"there is no project at {command.project!r}: name the folder with the project's pytest configuration."
        raise ConfigurationError(msg)
    if command.python and shutil.which(command.python) is None:
        msg = f"there is no interpreter {command.python!r}: name the project's `python`, in its virtual environment."
        raise ConfigurationError(msg)


def _cause(code: int | None, status: int | None) -> str:
    """Say in words how a process ended."""
    if status == _INTERRUPTED:
        return "interrupted pytest (KeyboardInterrupt or pytest.exit)"
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = "; out of memory, or killed from outside" if -code == signal.SIGKILL else ""
        return f"killed by signal {-code} ({name}) while it ran{hint}"
    return f"left the process with exit code {code} (os._exit, or an extension's exit)"


def _attempts(cases: list[Case]) -> dict[str, Any]:
    return {"attempts": [{"outcome": case.outcome.value, "detail": case.detail} for case in cases]}
