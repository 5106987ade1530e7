"""Inside a worker of pytest-xdist: what it does is written down, for when it does not come back."""

# Copied alone into the tested interpreter, which may be Python 3.9 with pytest 7. What is needed while
# tests run is bound here, before one of them may replace it.
from __future__ import annotations

import faulthandler
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_encode = json.JSONEncoder().encode
_decode = json.loads
_open, _pwrite, _read, _close, _stat, _getpid = os.open, os.pwrite, os.read, os.close, os.stat, os.getpid


class Worker:
    """
    Keep the first line of a file saying what this process does.

    Args:
        folder: Where that file lies, and the list of tests that other workers have died of.
        config: Knows the worker's name, and takes what it gives back when it ends.
        choice: The plugin that says what is collected, and under which names.
    """

    def __init__(self, folder: str, config: Any, choice: Any) -> None:
        self._pid = _getpid()
        self._path = f"{folder}/worker-{config.workerinput['workerid']}"
        self._stacks = f"{folder}/stacks-{self._pid}"
        self._output = config.workeroutput
        self._choice = choice
        self._dead_path, self._dead_size = f"{folder}/dead", 0
        self._dead: set[str] = set()
        self._reopen()

    def _reopen(self) -> None:
        self._fd = _open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        stacks = _open(self._stacks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)

    def _doing(self, event: str, **fields: str) -> None:
        if _getpid() != self._pid:  # a test forked, and its child came back here
            return
        line = (_encode({"event": event, "pid": self._pid, **fields}) + "\n").encode()
        try:
            _pwrite(self._fd, line, 0)  # what is left of a longer line has no meaning
        except OSError:
            self._reopen()
            _pwrite(self._fd, line, 0)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: Any) -> Generator[None, Any, None]:
        """Write down which file is collected."""
        if isinstance(collector, pytest.File):
            self._doing("collecting", id=collector.nodeid, path=str(collector.path))
        yield

    def pytest_collection_finish(self) -> None:
        """Write down that no file is any more."""
        self._doing("idle")
        self._output["mltest_unplanned"] = self._choice.unplanned

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Refuse a test that another worker has died of: some of pytest-xdist's schedulers hand it on."""
        try:
            size = _stat(self._dead_path).st_size
        except OSError:
            return None
        if size != self._dead_size:
            self._dead_size = size
            file = _open(self._dead_path, os.O_RDONLY)
            lines = _read(file, size).split(b"\n")
            _close(file)
            self._dead = {_decode(line) for line in lines if line}
        return True if self._choice.bare(item.nodeid) in self._dead else None

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Write down which test begins."""
        self._doing("started", id=self._choice.bare(nodeid))

    def pytest_runtest_logfinish(self) -> None:
        """Write down that it has ended."""
        self._doing("idle")


def pytest_configure(config: Any) -> None:
    """Begin, in a worker."""
    place = os.environ.get("MLTEST_EVENTS")
    if place and hasattr(config, "workerinput"):
        with open(place, encoding="utf-8") as file:  # noqa: PTH123
            folder = json.load(file)["folder"]
        choice = config.pluginmanager.getplugin("mltest-choice")
        config.pluginmanager.register(Worker(folder, config, choice), "mltest-worker")
