"""Which processes live below one, and what memory they hold together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROC = Path("/proc")
_DEAD = {"Z", "X"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """
    A process that lives.

    Args:
        pid: Its number.
        parent: Its parent's.
        started: When it began, in ticks since the machine did.
    """

    pid: int
    parent: int
    started: int


def descendants(pid: int) -> list[Process]:
    """
    List every living process below *pid*: children first, those of one parent by age.

    Raises:
        ConfigurationError: This system does not tell.
    """
    if not _PROC.is_dir():
        msg = "this system does not list its processes in /proc: test deployments on Linux."
        raise ConfigurationError(msg)
    children: dict[int, list[Process]] = {}
    for folder in _PROC.glob("[0-9]*"):
        process = _read(int(folder.name))
        if process:
            children.setdefault(process.parent, []).append(process)
    found, new = [], [pid]
    while new:
        level = [child for one in new for child in sorted(children.get(one, []), key=lambda child: child.started)]
        found += level
        new = [child.pid for child in level]
    return found


def is_alive(process: Process) -> bool:
    """Whether it still lives, and is not another of the same number."""
    now = _read(process.pid)
    return now is not None and now.started == process.started


def memory_bytes(processes: Iterable[Process]) -> int:
    """Add up what they hold in memory; a page that several share counts once."""
    return sum(_held_bytes(process.pid) for process in processes)


def _read(pid: int) -> Process | None:
    try:
        words = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if words[0].decode() in _DEAD:
        return None
    return Process(pid=pid, parent=int(words[1]), started=int(words[19]))


def _held_bytes(pid: int) -> int:
    """Give its proportional set size; of a process that has just ended, nothing."""
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
