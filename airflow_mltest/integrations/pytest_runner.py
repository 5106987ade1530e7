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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError, StoppedError
from airflow_mltest.core.ledger import Ended, Ledger
from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_mltest.core.recording import Recording

_PLUGIN = "mltest_events"
_TAIL = 6_000
_WAIT_S = 0.2
# Waking for every single event of fast tests would take a tenth of their own time.
_GATHER_S = 0.01
_EXIT_S = 5.0
_STACKS_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class PytestCommand:
    """
    What to run.

    Args:
        project: Folder that pytest starts in, or one test file.
        args: What `python -m pytest` is called with.
        python: The project's interpreter, a path in the project or elsewhere; empty: this one.
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

    def __post_init__(self) -> None:
        if self.reruns < 0 or (self.case_timeout_s is not None and not self.case_timeout_s > 0):
            msg = f"reruns is 0 or more and case_timeout_s above 0, not {self.reruns} and {self.case_timeout_s}."
            raise ConfigurationError(msg)

    @property
    def folder(self) -> Path:
        """Where pytest starts."""
        project = Path(self.project)
        return project if project.is_dir() else project.parent

    @property
    def interpreter(self) -> str:
        """The project's interpreter; one that is named by a relative path lies in the project."""
        named = self.python or sys.executable
        return str(self.folder.absolute() / named) if os.sep in named else named


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
    tests that failed ended the run before others (`-x`)       skipped cases that say so
    exit code 1, and no test has failed                        a failed case with the last output
    other tests that were collected and never reported         broken cases
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
        tests = Ledger(recording, reruns=self._command.reruns)
        try:
            self._ask(tests)
            for _ in range(self._command.reruns):
                if tests.failing:
                    tests.again = set(tests.failing)
                    self._ask(tests)
        finally:
            tests.settle()

    def _ask(self, tests: Ledger) -> None:
        """Start pytest, and again for as long as a test takes it down before the last one."""
        more = True
        while more and not self._stopped:
            with _child(self._command, tests) as child:
                self._process = child.process
                self._follow(tests, child)
                self._process = None
            if not self._stopped:
                more = tests.after(child.ended)
        if self._stopped:
            msg = f"stopped after {len(tests.answered)} of {len(tests.planned) or '?'} tests"
            raise StoppedError(msg)

    def _follow(self, tests: Ledger, child: _Child) -> None:
        """Take events as they come, until the child is gone or has to go."""
        tests.begin()
        leave_s = float("inf")
        while child.process.poll() is None and not self._stopped and time.monotonic() < leave_s:
            tests.take(child.events(_WAIT_S, gather_s=_GATHER_S if tests.status is None else 0.0))
            if tests.status is not None and leave_s == float("inf"):
                leave_s = time.monotonic() + _EXIT_S  # a thread of the tests' may keep it from leaving
            limit_s = self._command.case_timeout_s
            tests.overdue = {} if limit_s is None else tests.running_longer_than(limit_s)
            if tests.overdue:
                child.ask_for_stacks(tests.pid)
                return


class _Child:
    """One pytest process: its pipe, its orders, and what it printed."""

    def __init__(self, folder: Path, command: PytestCommand, tests: Ledger) -> None:
        self.ended = Ended(code=0)
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
        arguments = ["-q", "-p", _PLUGIN, "-o", f"cache_dir={folder / 'cache'}", "--continue-on-collection-errors"]
        arguments += [*command.args, *([] if Path(command.project).is_dir() else [Path(command.project).name])]
        environment = {**os.environ, **command.env}
        path = os.pathsep.join(filter(None, (str(plugin), environment.get("PYTHONPATH"))))
        try:
            self.process = KeptProcess(
                [command.interpreter, "-m", "pytest", *arguments],
                cwd=str(command.folder),
                env={**environment, "PYTHONPATH": path, "MLTEST_EVENTS": str(orders)},
                output=self._output,
                pass_fds=(write,),
            )
        finally:
            os.close(write)

    def events(self, timeout_s: float = 0.0, *, gather_s: float = 0.0) -> Iterator[dict[str, Any]]:
        """Give what has come in, waiting *timeout_s* at most for the first of it and *gather_s* for more."""
        if not select.select([self._read], [], [], timeout_s)[0]:
            return
        time.sleep(gather_s)
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

    def end(self, tests: Ledger) -> None:
        """End what is left of it, take its last events, and keep what it printed last."""
        asked = self.process.poll() is None
        self.process.stop()
        code = self.process.close()
        tests.take(self.events())
        stacks = self._stacks.read_text(encoding="utf-8", errors="replace") if self._stacks.exists() else ""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL))
        self.ended = Ended(
            code=code, asked=asked, tail=self._output.read().decode(errors="replace").strip(), stacks=stacks
        )
        self._output.close()
        os.close(self._read)


@contextmanager
def _child(command: PytestCommand, tests: Ledger) -> Iterator[_Child]:
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
    if shutil.which(command.interpreter) is None:
        msg = (
            f"there is no interpreter {command.interpreter!r}: name the project's `python`, in its virtual environment."
        )
        raise ConfigurationError(msg)
