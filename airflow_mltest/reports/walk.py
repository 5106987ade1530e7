"""Every run in a report store, and every suite in a run, by what lies there."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from airflow_mltest.reports.document import suite_from_document
from airflow_mltest.reports.files import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltest.core.outcome import Suite

_TASK = re.compile(r".+@-?\d+", re.ASCII)
_TRY = re.compile(r"\d+\.json", re.ASCII)


def runs_below(root: Any) -> Iterator[Any]:
    """Find the folders of all runs; a link to elsewhere is none, and neither is what no DAG can be called."""
    for dag in _folders(root):
        if not dag.name.startswith("=") or dag.name == "=":
            yield from _folders(dag)


def suites_below(run: Any) -> Iterator[tuple[Any, Suite | None, str]]:
    """Read the suites of all tries in the folder of a *run*: path, suite (None: it cannot be read) and digest."""
    for task in _folders(run):
        for path in task.iterdir() if _TASK.fullmatch(task.name) else ():
            if _TRY.fullmatch(path.name):
                yield path, *_read(path)


def files_below(folder: Any) -> Iterator[Any]:
    """Find all files below *folder*, and links instead of what they lead to."""
    for item in folder.iterdir():
        if item.is_dir() and not item.is_symlink():
            yield from files_below(item)
        else:
            yield item


def _folders(folder: Any) -> Iterator[Any]:
    if folder.is_dir():
        yield from (item for item in sorted(folder.iterdir(), key=str) if item.is_dir() and not item.is_symlink())


def _read(path: Any) -> tuple[Suite | None, str]:
    try:
        content = read_whole(path)
        suite = suite_from_document(json.loads(content))
    except Exception:  # noqa: BLE001  an object store's own, JSON's, ours: for all of them it cannot be read
        return None, ""
    return suite, f"sha256:{hashlib.sha256(content).hexdigest()}"
