"""Where finished suites are kept: one folder a run, one file a task."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Origin, Suite
from airflow_mltest.reports.document import dumps, suite_from_document, suite_to_document
from airflow_mltest.reports.files import Files, part_of_path, read_whole
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.merge import merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

_log = logging.getLogger(__name__)
_TASK = re.compile(r"(.+)@(-?\d+)", re.ASCII)
_TRY = re.compile(r"(\d+)\.json", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+", re.ASCII)
# How many runs are looked into for one that is found: others were stopped, or skipped the task.
_LOOKED_INTO = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """
    A suite that lies in the store.

    Args:
        suite: What it said; one that cannot be read is broken, and says why.
        address: Where it is.
        digest: `sha256:` of its bytes; empty when they could not be read.
    """

    suite: Suite
    address: str
    digest: str


class Store:
    """
    The suites of all runs, as files: `<dag>/<run>/<task>@<map_index>/<try>.json`, and in short in an `Index`.

    Args:
        root: A path: `pathlib`'s, or one of object storage with the same methods.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self._files = Files(root)
        self._index = Index(root)

    def folder(self, dag_id: str, run_id: str) -> Any:
        """Give the folder of a run; no id leads out of the root."""
        return self._files.folder(dag_id, run_id)

    def keep(self, suite: Suite, attachments: Mapping[str, str] | None = None) -> str:
        """Do what `put` does, and give the address."""
        return self.put(suite, attachments).address

    def put(self, suite: Suite, attachments: Mapping[str, str] | None = None) -> Kept:
        """
        Write *suite* where its origin says, in place of what is there, and give what was written.

        Args:
            suite: What to keep; of its attachments it names those that could be written.
            attachments: Files to write beside it, by name.

        Raises:
            BrokenRunError: The root cannot be written.
        """
        origin = suite.origin
        if origin is None:
            msg = f"suite {suite.name!r} has no origin, so there is no place for it in the store."
            raise ConfigurationError(msg)
        # First the files, then the suite: it names none that is not there, and none takes its place.
        paths = [self._beside(origin, name, content) for name, content in (attachments or {}).items()]
        suite = replace(suite, attachments=(*suite.attachments, *filter(None, paths)))
        content = dumps(suite_to_document(suite)).encode("utf-8", errors="replace")
        address = self._files.put(self.place(origin), f"{origin.try_number}.json", content)
        kept = Kept(suite=suite, address=address, digest=_digest(content))
        try:
            self._index.add(suite, kept.digest)
        except Exception as error:  # noqa: BLE001  the index can be made anew, the suite cannot
            _log.warning("%s is not in the index; `mltest report reindex` adds it: %s", address, error)
        return kept

    def earlier(self, origin: Origin) -> Suite | None:
        """Read what the try before *origin*'s has kept of its suite; None where there is nothing to read."""
        self._files.forget_listings()
        tries = [number for number in self._tries(self.place(origin)) if number < origin.try_number]
        if not tries:
            return None
        path = self.place(origin) / f"{max(tries)}.json"
        return self._read(path, origin.dag_id, origin.run_id).suite

    def attach(self, origin: Origin, name: str, content: bytes) -> str:
        """Write a file beside the suite of *origin*'s try, and give its address."""
        return self._files.put(self.place(origin), f"{origin.try_number}.{name}", content)

    def attached(self, dag_id: str, run_id: str, task_id: str, name: str) -> list[Any]:
        """Find the files whose names end in *name* that a task's mapped instances have attached, oldest try first."""
        self._files.forget_listings()
        folder = self.folder(dag_id, run_id)
        if not folder.is_dir():
            return []
        tasks = [task for task in folder.iterdir() if task.name.rpartition("@")[0] == part_of_path(task_id)]
        found = [path for task in tasks for path in task.iterdir() if path.name.endswith(f".{name}")]
        return sorted(found, key=lambda path: (path.parent.name, int(path.name.partition(".")[0])))

    def write(self, dag_id: str, run_id: str, name: str, files: Mapping[str, str]) -> dict[str, str]:
        """Write a report's *files* into a folder of its own in the run's; give their addresses."""
        folder = self._files.folder(dag_id, run_id, name)
        return {file: self._files.put(folder, file, text.encode("utf-8", "replace")) for file, text in files.items()}

    def written(self, dag_id: str, run_id: str, name: str, file: str) -> bytes:
        """
        Read what `write` wrote.

        Raises:
            BrokenRunError: It is not there, or cannot be read.
        """
        path = self._files.folder(dag_id, run_id, name) / file
        try:
            return read_whole(path)
        except Exception as error:  # an object store raises its client's own
            msg = f"the report store has no readable {str(path)!r}: {type(error).__name__}: {error}"
            raise BrokenRunError(msg) from error

    def kept(self, dag_id: str, run_id: str) -> list[Kept]:
        """
        Read the newest try of every task of a run, in the order in which they started.

        What is no suite's place is passed over; what is one and cannot be read is a broken suite,
        since a report never refuses.
        """
        self._files.forget_listings()
        folder = self.folder(dag_id, run_id)
        with self._files.telling("read"):
            found = [self._read(path, dag_id, run_id) for path in self._newest(folder)]
        return sorted(found, key=lambda kept: (kept.suite.started_at, kept.address))

    def past(self, dag_id: str, task_id: str, *, before: datetime, most: int = 20) -> list[Suite]:
        """
        Read what a task said in the newest runs of its DAG, newest first, mapped instances merged.

        Costs one listing of the DAG's runs, and then a few files for each of the newest. What cannot
        be read is passed over: this is for pictures, and no verdict rests on it.

        Args:
            dag_id: The DAG.
            task_id: Its task.
            before: Leave out what started then, or later.
            most: How many suites to read.
        """
        found: list[Suite] = []
        try:
            self._files.forget_listings()
            runs = sorted(self._files.folder(dag_id).iterdir(), key=_when, reverse=True)
            for run in runs[: most * _LOOKED_INTO]:
                found += self._said_in(run, dag_id, task_id, before)
                if len(found) >= most:
                    break
        except Exception as error:  # noqa: BLE001  an object store raises its client's own
            _log.warning("earlier runs of %s.%s cannot be read: %s: %s", dag_id, task_id, type(error).__name__, error)
        return sorted(found, key=lambda suite: suite.started_at, reverse=True)

    def _said_in(self, run: Any, dag_id: str, task_id: str, before: datetime) -> list[Suite]:
        paths = self._newest(run, part_of_path(task_id))
        suites = [self._read(path, dag_id, unquote(run.name)).suite for path in paths]
        return [suite for suite in merge(suites) if suite.cases and suite.started_at < before]

    def _newest(self, folder: Any, only: str = "") -> Iterator[Any]:
        """Find the newest try of every task in a run's folder, or of the one whose folders are called *only*."""
        if not folder.is_dir():
            return
        for task in folder.iterdir():
            # A report's folder has no @: one of its own would be quoted.
            named = _TASK.fullmatch(task.name)
            if named and only in {"", named[1]} and task.is_dir():
                tries = self._tries(task)
                if tries:
                    yield task / f"{max(tries)}.json"

    def _tries(self, task: Any) -> list[int]:
        if not task.is_dir():
            return []
        return [int(path.name.removesuffix(".json")) for path in task.iterdir() if _TRY.fullmatch(path.name)]

    def _beside(self, origin: Origin, name: str, content: str) -> str:
        """Write a file that a suite can do without, and give its path from the run's folder; empty where it failed."""
        quoted = quote(name, safe="")
        try:
            self.attach(origin, quoted, content.encode("utf-8", errors="replace"))
        except BrokenRunError as error:
            _log.warning("%s is not kept: %s", name, error)
            return ""
        return f"{self.place(origin).name}/{origin.try_number}.{quoted}"

    def place(self, origin: Origin) -> Any:
        """Give the folder of a task, or of one of its mapped instances."""
        return self.folder(origin.dag_id, origin.run_id) / f"{part_of_path(origin.task_id)}@{origin.map_index}"

    def _read(self, path: Any, dag_id: str, run_id: str) -> Kept:
        digest = ""
        try:
            content = read_whole(path)
            digest = _digest(content)
            suite = suite_from_document(json.loads(content))
        except Exception as error:  # noqa: BLE001  an object store's own, JSON's, ours: the reader sees which
            task_id, _, map_index = path.parent.name.rpartition("@")
            origin = Origin(
                dag_id=dag_id,
                run_id=run_id,
                task_id=unquote(task_id),
                map_index=int(map_index),
                try_number=int(path.name.removesuffix(".json")),
            )
            suite = Suite(name=origin.task_id, kind="code", origin=origin, incomplete=f"unreadable: {error}")
        return Kept(suite=suite, address=str(path), digest=digest)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _when(run: Any) -> tuple[float, str, str]:
    """Order the folders of runs by time; those of object storage have none but what Airflow writes in run ids."""
    stamp = _STAMP.search(unquote(run.name))
    near = getattr(run, "protocol", "file") in {"", "file"}
    return (run.stat().st_mtime if near else 0.0, stamp[0] if stamp else "", run.name)
