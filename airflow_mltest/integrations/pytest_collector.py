"""Outside it: have pytest collect a project, and run nothing."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.collected import Collected, CollectedTest
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.launches import FAILED, NOTHING, OK, USAGE, Ended, Question
from airflow_mltest.integrations.pytest_child import PytestChild, own_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_mltest.integrations.pytest_child import PytestCommand

_EXIT_S = 5.0


def collect(command: PytestCommand, *, root: str) -> Collected:
    """
    Collect once, in the project's interpreter, and tell what each test stands on.

    A file that cannot be collected is told in `broken`, also where it takes the process with it:
    then the others are collected again without it.

    Args:
        command: Whose tests; its `budget_s` counts for all of it.
        root: The folder that all paths are relative to, as an absolute path.

    Raises:
        ConfigurationError: The project, the interpreter or the arguments cannot work.
        BrokenRunError: pytest could not finish.
    """
    command.check()
    deadline_s = time.monotonic() + (command.budget_s or math.inf)
    survey = _Survey()
    while not survey.tables:
        with own_folder() as folder:
            child = PytestChild(folder, command, Question(ignore=tuple(survey.ignore), failed=None), root=root)
            why = ""
            try:
                why = _follow(survey, child, deadline_s)
            finally:
                ended = child.end(survey.take, why=why)
        if not survey.tables:
            survey.blame(ended)
    return survey.collected()


def _follow(survey: _Survey, child: PytestChild, deadline_s: float) -> str:
    """Take events until the child is gone, or has said all and stays; say why it has to end, if it does."""
    leave_s = math.inf
    while child.process.poll() is None and time.monotonic() < leave_s:
        survey.take(child.events())
        if survey.tables and leave_s == math.inf:
            leave_s = time.monotonic() + _EXIT_S
        if time.monotonic() > deadline_s:
            return "the budget for it is spent"
    return ""


class _Survey:
    """What is known of the project, over all launches of pytest that it took."""

    def __init__(self) -> None:
        self.tables: dict[str, Any] = {}
        self._found: dict[str, Any] = {}
        self.ignore: list[str] = []
        self._environment = ""
        self._broken: dict[str, str] = {}
        self._collecting = ("", "")
        self._known = False
        self._status: int | None = None

    def take(self, events: Iterable[dict[str, Any]]) -> None:
        """Learn from *events*."""
        for event in events:
            match event:
                case {"event": "session"}:
                    self._known, self._collecting, self._status = True, ("", ""), None
                case {"event": "environment", "digest": digest}:
                    self._environment = digest
                case {"event": "collecting", "id": name, "path": path}:
                    self._collecting = (name, path)
                case {"event": "uncollected", "id": name, "outcome": "broken", "detail": detail}:
                    self._broken[name] = detail
                case {"event": "catalogue"}:
                    self._found = event
                case {"event": "ended", "status": status}:
                    self._status = status
                    # pytest tells of what it has collected even if a file or a hook has cut that short.
                    if status in {OK, FAILED, NOTHING} and not self._collecting[0]:
                        self.tables = self._found

    def blame(self, ended: Ended) -> None:
        """
        Say which file took pytest down.

        Raises:
            ConfigurationError: It was none, since pytest refuses to run.
            BrokenRunError: It was none.
        """
        name, path = self._collecting
        if name and path not in self.ignore and not ended.why:
            self.ignore.append(path)
            self._broken[name] = f"pytest died while it collected it: {ended.cause(self._status)}\n{ended.tail}"
            return
        for module in ("pytest", "coverage"):
            if not self._known and f"No module named {module}" in ended.tail:
                msg = f"{module} is not installed in the project's interpreter: {ended.tail}"
                raise ConfigurationError(msg)
        if ended.code == USAGE:
            msg = f"pytest refuses to collect: {ended.tail}"
            raise ConfigurationError(msg)
        msg = f"pytest ended before it had collected the tests ({ended.cause(self._status)}): {ended.tail}"
        raise BrokenRunError(msg)

    def collected(self) -> Collected:
        """Undo the tables."""
        tables = self.tables
        files, functions, fixtures = tables["files"], tables["functions"], tables["fixtures"]
        sets = [tuple(sorted(fixtures[number] for number in numbers)) for numbers in tables["sets"]]
        tests = tuple(
            CollectedTest(id=test, file=files[file], function=functions[function], fixtures=sets[used])
            for test, file, function, used in tables["tests"]
        )
        return Collected(
            tests=tests,
            broken=self._broken,
            modules=tables["modules"],
            plugins=tuple(tables["plugins"]),
            environment=self._environment,
        )
