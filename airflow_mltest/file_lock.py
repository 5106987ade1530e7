"""A lock file, which ends with those who hold it, however they end."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import BrokenRunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK_S = 0.02


@contextmanager
def locked(path: Path, *, shared: bool = False, limit_s: float = 3600.0) -> Iterator[int]:
    """
    Hold a lock file, and give its descriptor: a process that inherits it holds the lock as well.

    It works between processes of one machine, on a local disk. Whoever holds it exclusively may
    remove the file.

    Args:
        path: The file, made with its folder if it is not there.
        shared: Whether others may hold it at the same time, shared as well.
        limit_s: How long to wait for others; 0: not at all.

    Raises:
        BrokenRunError: Others held it for longer than that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline_s = time.monotonic() + limit_s
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    while (lock := _taken(path, kind)) is None:
        if time.monotonic() >= deadline_s:
            msg = f"other processes have held {path} for {limit_s:g} s: is one of them waiting for a server that hangs?"
            raise BrokenRunError(msg)
        time.sleep(_LOOK_S)
    try:
        yield lock
    finally:
        os.close(lock)


def _taken(path: Path, kind: int) -> int | None:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, kind)
        # Whoever held it before may have removed the file, and another made a new one.
        if os.path.samestat(os.fstat(lock), path.stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None
