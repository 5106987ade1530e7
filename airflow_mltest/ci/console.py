"""What a waiting job shows: one line that moves, and above it what stays."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from airflow_mltest.core.outcome import Case

_LINES = 12


class Console:
    """
    A terminal, where one line is written over and over; or a log, where it is written when it changes.

    Args:
        stream: Where it goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._moves = stream, stream.isatty()
        self._last = ""

    def progress(self, text: str, elapsed_s: float) -> None:
        """Show how far it is."""
        if self._moves:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r\x1b[2K{f'{text}, {elapsed_s:.0f} s'[:width]}")
        elif text != self._last:
            self._write(f"{text}, {elapsed_s:.0f} s\n")
        self._last = text

    def say(self, text: str) -> None:
        """Tell something for good."""
        clear = "\r\x1b[2K" if self._moves and self._last else ""
        self._last = ""
        self._write(f"{clear}{text}\n")

    def failure(self, suite: str, case: Case) -> None:
        """Tell a case that has not passed, and why."""
        self.say(f"{case.outcome.upper()} {_harmless(suite)}: {_harmless(case.name)}")
        lines = case.detail.splitlines()
        # A bar before each: at its beginning, a line may be a command to the CI system that reads the log.
        for line in lines[:_LINES]:
            self.say(f"    | {_harmless(line)}")
        if len(lines) > _LINES:
            self.say(f"    | … ({len(lines) - _LINES} more lines)")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _harmless(text: str) -> str:
    """Leave out what would steer a terminal."""
    return "".join(one if one.isprintable() or one == "\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
