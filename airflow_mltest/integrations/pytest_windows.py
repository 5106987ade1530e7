"""Inside the tested interpreter: what is touched while a test, a setup or an import runs, as JSON lines."""

# Copied into the tested interpreter, as `mltest_windows`, which may be Python 3.9.
from __future__ import annotations

import json
import os
import sys
from typing import Any


class Hits(dict):  # type: ignore[type-arg]
    """The functions that ran since it was last emptied; a function that is pickled takes none along."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, ()


class Window:
    """What is touched while something runs: a `test`, a `setup` of a wide fixture, a `module` as it is imported."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        self.functions: set[str] = set()
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.setups: set[str] = set()
        self.opaque: set[str] = set()

    def told(self) -> dict[str, Any]:
        """Give all but the functions as a line says it."""
        fields = {"files": self.files, "folders": self.folders, "setups": self.setups}
        told: dict[str, Any] = {name: sorted(values) for name, values in fields.items() if values}
        if self.opaque:
            told["opaque"] = "; ".join(sorted(self.opaque))
        return told


class Output:
    """The lines of one process, appended to a file of its own."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, f"{os.getpid()}.jsonl")  # noqa: PTH118
        self._system = (os.open, os.write, os.fstat)
        self._encode = json.JSONEncoder(separators=(",", ":")).encode
        self._numbers: dict[str, int] = {}
        self._lines = ["", self._encode({"recorder": 1, "python": sys.version})]  # an earlier process's may be torn
        self._reopen()

    def _reopen(self) -> None:
        opening, _, stat = self._system
        self._descriptor = opening(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._inode = stat(self._descriptor).st_ino

    def tell(self, window: Window) -> None:
        """Add what *window* saw."""
        numbers = []
        for name in window.functions:
            number = self._numbers.get(name)
            if number is None:
                number = self._numbers[name] = len(self._numbers)
                self._lines.append(self._encode({"function": [number, *name.split("::", 1)]}))
            numbers.append(number)
        self._lines.append(self._encode({window.kind: window.name, "functions": numbers, **window.told()}))

    def write(self) -> None:
        """Hand to the system what was added, if anything was."""
        if not self._lines:
            return
        _, writing, stat = self._system
        lines, self._lines = "\n".join([*self._lines, ""]).encode(), []
        try:
            if stat(self._descriptor).st_ino != self._inode:
                self._reopen()  # a test closed ours, and the number is another file's now
        except OSError:
            self._reopen()
        writing(self._descriptor, lines)
