"""One process of pytest in the project's interpreter: its orders, its events, and what it printed."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.cgroups import oom_kills, out_of_memory
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.launches import Ended, Question
from airflow_mltest.core.quarantine import Quarantine
from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TAIL = 6_000
_KEPT = 1 << 16
_PIPE = 1 << 20
_WAIT_S = 0.2
_STACKS_S = 0.3
_ENDING_S = 0.02


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
        budget_s: Seconds that the whole suite may take, over all processes; None: any number.
        reruns: How often a failing test is asked again, in a fresh process.
        files: Absolute paths of all that is collected, where `args` would lead to more; None: that.
        only: Ids of the tests to run; None: all that are collected.
        record: Folder for records of what each test touches, with a `settings.json`; empty: none.
        coverage: Folder for data of coverage.py, which has to be in the interpreter; empty: none.
    """

    project: str
    args: tuple[str, ...] = ()
    python: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    case_timeout_s: float | None = None
    budget_s: float | None = None
    reruns: int = 0
    files: tuple[str, ...] | None = None
    only: frozenset[str] | None = None
    record: str = ""
    coverage: str = ""

    def __post_init__(self) -> None:
        if self.reruns < 0 or any(
            limit is not None and not limit > 0 for limit in (self.case_timeout_s, self.budget_s)
        ):
            msg = (
                "reruns is 0 or more, case_timeout_s and budget_s are above 0 or None, "
                f"not {self.reruns}, {self.case_timeout_s} and {self.budget_s}."
            )
            raise ConfigurationError(msg)
        relative = [path for path in self.files or () if not os.path.isabs(path)]  # noqa: PTH117  thousands of them
        if relative:
            msg = f"files are absolute paths, and {relative[0]!r} is not one."
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

    def quarantine(self) -> Quarantine:
        """Read the project's list of flaky tests, as it is today; there need not be one."""
        path = self.folder / "pyproject.toml"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return Quarantine.read(text, today=datetime.now(UTC).date(), path=str(path))

    def check(self) -> None:
        """
        Look for what has to be there.

        Raises:
            ConfigurationError: The project, the interpreter or the recorder's settings are missing.
        """
        if not Path(self.project).exists():
            msg = f"there is no project at {self.project!r}: name the folder with the project's pytest configuration."
            raise ConfigurationError(msg)
        if shutil.which(self.interpreter) is None:
            msg = f"no interpreter {self.interpreter!r}: name the project's `python`, in its virtual environment."
            raise ConfigurationError(msg)
        if self.record and not Path(self.record, "settings.json").exists():
            msg = f"there is no settings.json in {self.record!r}: write it there before the tests run."
            raise ConfigurationError(msg)

    def argv(self, plugins: list[str], cache: Path, *, run: bool = True) -> list[str]:
        """Give the command line, with these plugins of ours, to run the tests or to collect them."""
        start = ["-m", "pytest"]
        if self.coverage and run:
            start = ["-m", "coverage", "run", "--parallel-mode", f"--data-file={self.coverage}/.coverage", *start]
        ours = [word for plugin in plugins for word in ("-p", plugin)]
        ours += ["-q", "-o", f"cache_dir={cache}", "--continue-on-collection-errors"]
        ours += [] if run else ["-q", "--collect-only"]
        file = [] if Path(self.project).is_dir() else [Path(self.project).name]
        return [self.interpreter, *start, *ours, *self.args, *file]


class PytestChild:
    """
    A process of pytest that is told by a file what to do, and tells by a pipe what it does.

    Args:
        folder: Empty, and its own.
        command: What to run.
        question: What of it.
        root: Collect only, and tell all that lies below this folder; empty: run.
    """

    def __init__(self, folder: Path, command: PytestCommand, question: Question, *, root: str = "") -> None:
        self._folder = folder
        self._rest, self._printed = b"", b""
        self._lost = oom_kills()
        os.mkfifo(folder / "events")
        # Before there is anybody to write: it must not have to wait.
        self._events = os.open(folder / "events", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        for pipe in (self._events, self._output):
            with suppress(OSError, AttributeError):  # Linux alone can enlarge a pipe, within limits
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        plugins = _copy_plugins(folder, command, root)
        orders = folder / "orders.json"
        orders.write_text(json.dumps(self._orders(command, question, root)))
        argv = command.argv(plugins, folder / "cache", run=not root)
        environment = {**os.environ, **command.env, "MLTEST_EVENTS": str(orders)}
        if command.record and not root:
            environment["MLTEST_RECORD"] = command.record
        if command.coverage and not root:
            environment["MLTEST_COVERAGE"] = f"{command.coverage}/.coverage"
        paths = (str(folder / "plugins"), environment.get("PYTHONPATH"))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        try:
            self.process = KeptProcess(argv, cwd=str(command.folder), env=environment, output=output)
        finally:
            os.close(output)

    def _orders(self, command: PytestCommand, question: Question, root: str) -> dict[str, Any]:
        return {
            "folder": str(self._folder),
            "pipe": str(self._folder / "events"),
            "only": None if question.only is None else sorted(question.only),
            "skip": sorted(question.skip),
            "files": command.files if question.files is None else question.files,
            "ignore": question.ignore,
            "failed": question.failed,
            "coverage": bool(command.coverage),
            "root": root,
        }

    def events(self, timeout_s: float = _WAIT_S, *, gather_s: float = 0.0) -> Iterator[dict[str, Any]]:
        """Give what has come in, waiting *timeout_s* at most for the first of it and *gather_s* for more."""
        pipes = [pipe for pipe in (self._events, self._output) if pipe >= 0]
        ready = select.select(pipes, [], [], timeout_s)[0]
        if self._events in ready:
            time.sleep(gather_s)
        self._read_output()
        while chunk := _read(self._events):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for event in map(json.loads, lines):
                if event.get("died"):  # in a worker of pytest-xdist
                    self._read_output()
                    event["output"] = "\n".join(filter(None, (event.get("output"), self.tail)))
                yield event

    def _read_output(self) -> None:
        """Keep the last of what was printed: it may be gigabytes."""
        while self._output >= 0:
            chunk = _read(self._output)
            if chunk is None:
                return
            if not chunk:  # nobody can print any more
                os.close(self._output)
                self._output = -1
                return
            self._printed = (self._printed + chunk)[-_KEPT:]

    @property
    def tail(self) -> str:
        """What it printed last."""
        return self._printed[-_TAIL:].decode(errors="replace").strip()

    def workers(self) -> list[dict[str, Any]]:
        """Say what each worker of pytest-xdist was doing when it was heard of last, the dead too, with its `pid`."""
        found = []
        for path in self._folder.glob("worker-*"):
            line, ended, _ = path.read_bytes().partition(b"\n")
            if ended:
                found.append(json.loads(line))
        return found

    def stacks(self, *pids: int) -> str:
        """Have every thread's stack of these processes written, which works for a test that hangs in C, too."""
        for pid in pids:
            _signal(pid, signal.SIGUSR1)
        time.sleep(_STACKS_S)
        paths = [self._folder / f"stacks-{pid}" for pid in pids]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").strip() for path in paths if path.exists())

    def kill(self, pid: int) -> None:
        """End a worker of pytest-xdist, which then starts another."""
        _signal(pid, signal.SIGKILL)

    def end(self, take: Callable[[Iterator[dict[str, Any]]], None], *, why: str = "", stacks: str = "") -> Ended:
        """End what is left of it, and *take* its last events; *why* and *stacks* are kept."""
        asked = self.process.poll() is None
        self.process.stop()
        try:
            while self.process.poll() is None:  # it may have much to say, and must not have to wait for us
                take(self.events(_ENDING_S))
            take(self.events(0.0))
        finally:
            code = self.process.close()
            self._read_output()
            for pipe in (self._events, self._output):
                if pipe >= 0:
                    os.close(pipe)
        memory = out_of_memory(self._lost)
        return Ended(code=code, asked=asked, tail=self.tail, stacks=stacks, out_of_memory=memory, why=why)


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a folder for one process, and remove it, also when a test has put in it what cannot be removed."""
    with tempfile.TemporaryDirectory(prefix="mltest-pytest-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _copy_plugins(folder: Path, command: PytestCommand, root: str) -> list[str]:
    """Copy what the tested interpreter has to know of us to where it finds it; give the modules to load."""
    # The last is configured first, and the events' plugin takes the orders out of the environment.
    loaded = {"choice": "choice", "events": "plugin", "worker": "worker"}
    beside: tuple[str, ...] = ()
    if root or command.record:
        loaded["catalogue"] = "catalogue"
    if command.record and not root:
        loaded["recorder"] = "recorder"
        beside = ("instrument", "watch", "windows")
    if command.coverage and not root:
        loaded["coverage"] = "coverage"
    (folder / "plugins").mkdir()
    for name, source in {**loaded, **dict(zip(beside, beside, strict=True))}.items():
        shutil.copy(Path(__file__).with_name(f"pytest_{source}.py"), folder / "plugins" / f"mltest_{name}.py")
    return [f"mltest_{name}" for name in loaded]


def _read(pipe: int) -> bytes | None:
    """Give what is there; None if nothing is yet, nothing if there is nobody to write."""
    try:
        return os.read(pipe, _PIPE)
    except BlockingIOError:
        return None


def is_alive(pid: int) -> bool:
    """Say whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
