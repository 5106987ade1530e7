"""The index of a report store, made anew from the reports."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow_mltest.reports.entry import entry_of
from airflow_mltest.reports.files import Files
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.walk import files_below, runs_below, suites_below

if TYPE_CHECKING:
    from collections.abc import Iterator


def rebuild(root: Any) -> tuple[int, int]:
    """
    Write an entry for every suite in the store, and remove those that no suite has; safe beside writers.

    Of a suite that cannot be read no entry is removed.

    Args:
        root: The store's, a path of `pathlib` or of object storage.

    Returns:
        How many entries were written, and how many removed.

    Raises:
        BrokenRunError: The store cannot be read or written.
    """
    files, index = Files(root), Index(root)
    files.forget_listings()
    with files.telling("indexed"):
        # What others add from here on is not among them, and stays.
        there = set(_entries(index))
        written: set[Any] = set()
        unread: set[tuple[str, str]] = set()
        for run in runs_below(root):
            for path, suite, digest in suites_below(run):
                if suite is None or suite.origin is None:
                    unread.add((run.parent.name, path.parent.name.rpartition("@")[0]))
                else:
                    written.add(index.add(suite, digest))
        gone = [path for path in there - written if (path.parent.parent.name, path.parent.name) not in unread]
        for path in gone:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    return len(written), len(gone)


def _entries(index: Index) -> Iterator[Any]:
    if index.folder.is_dir():
        yield from (path for path in files_below(index.folder) if entry_of(path))
