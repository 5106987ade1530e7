"""What many tests start from, made once and kept for the next sessions."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.file_lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable


def template(name: str, make: Callable[[Path], None]) -> Path:
    """
    Give the file *name* of the user's cache, made first if it is not there.

    Args:
        name: Names what is in it, versions included: it is never made again.
        make: Writes the file at the path that it is given.
    """
    cache = _cache()
    path = cache / name
    # Workers of one run, and other runs, wait for the one that makes it.
    with locked(cache / f"{name}.lock"):
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                unfinished = Path(folder) / name
                make(unfinished)
                unfinished.replace(path)
    return path


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = base / "airflow-mltest" / "templates"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return cache
    except OSError:
        return Path(_of_this_process().name)


@functools.cache
def _of_this_process() -> tempfile.TemporaryDirectory[str]:
    """Where there is no home to write to, as in many containers."""
    return tempfile.TemporaryDirectory(prefix="airflow-mltest-")
