"""Where finished suites are kept: one folder a run, one file a task."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Origin, Suite
from airflow_mltest.reports.document import dumps, suite_from_document, suite_to_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TASK = re.compile(r"(.+)@(-?\d+)", re.ASCII)
_TRY = re.compile(r"(\d+)\.json", re.ASCII)
# A file name may have 255 bytes on most file systems; the rest is for `@<map_index>`.
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """
    A suite that was read from the store.

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
    The suites of all runs, as files: `<dag>/<run>/<task>@<map_index>/<try>.json`.

    Args:
        root: A path: `pathlib`'s, or one of object storage with the same methods.
    """

    def __init__(self, root: Any) -> None:
        self.root = root

    def folder(self, dag_id: str, run_id: str) -> Any:
        """Give the folder of a run; no id leads out of the root."""
        return self.root / _part(dag_id) / _part(run_id)

    def keep(self, suite: Suite) -> str:
        """
        Write *suite* where its origin says, in place of what is there, and give the address.

        Raises:
            BrokenRunError: The root cannot be written.
        """
        origin = suite.origin
        if origin is None:
            msg = f"suite {suite.name!r} has no origin, so there is no place for it in the store."
            raise ConfigurationError(msg)
        folder = self.folder(origin.dag_id, origin.run_id) / f"{_part(origin.task_id)}@{origin.map_index}"
        return self._write(folder, f"{origin.try_number}.json", dumps(suite_to_document(suite)))

    def write(self, dag_id: str, run_id: str, name: str, files: Mapping[str, str]) -> dict[str, str]:
        """Write a report's *files* into a folder of its own in the run's; give their addresses."""
        folder = self.folder(dag_id, run_id) / _part(name)
        return {file: self._write(folder, file, text) for file, text in files.items()}

    def kept(self, dag_id: str, run_id: str) -> list[Kept]:
        """
        Read the newest try of every task of a run, in the order in which they started.

        What is no suite's place is passed over; what is one and cannot be read is a broken suite,
        since a report never refuses.
        """
        self._forget_listings()
        folder = self.folder(dag_id, run_id)
        found = [self._read(path, dag_id, run_id) for path in self._newest(folder)]
        return sorted(found, key=lambda kept: (kept.suite.started_at, kept.address))

    def _forget_listings(self) -> None:
        # The client of an object store remembers them: what other workers kept since would be missing.
        filesystem = getattr(getattr(self.root, "__wrapped__", self.root), "fs", None)
        if filesystem is not None:
            filesystem.invalidate_cache()

    def _newest(self, folder: Any) -> Iterator[Any]:
        if not folder.is_dir():
            return
        for task in folder.iterdir():
            # A report's folder has no @: one of its own would be quoted.
            if _TASK.fullmatch(task.name) and task.is_dir():
                tries = [path for path in task.iterdir() if _TRY.fullmatch(path.name)]
                if tries:
                    yield max(tries, key=lambda path: int(path.name.removesuffix(".json")))

    def _read(self, path: Any, dag_id: str, run_id: str) -> Kept:
        digest = ""
        try:
            content = path.read_bytes()
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
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

    def _write(self, folder: Any, name: str, text: str) -> str:
        target, aside = folder / name, folder / f"{name}.{uuid.uuid4().hex}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(text.encode("utf-8", errors="replace"))
            aside.replace(target)
        except Exception as error:  # an object store raises its client's own
            with contextlib.suppress(Exception):
                aside.unlink(missing_ok=True)
            msg = (
                f"the report store {str(self.root)!r} cannot be written: {type(error).__name__}: {error}. Set "
                "`[mltest] report_root` to a place that every worker can write and the API server can read."
            )
            raise BrokenRunError(msg) from error
        return str(target)


def _part(name: str) -> str:
    """Quote *name* so that it is one part of a path, and no other name is quoted the same."""
    # Whoever may trigger a run chooses its id; quoted, it cannot leave the root. Nothing is quoted with a `=`.
    part = quote(name, safe="").replace(".", "%2E")
    if len(part) > _LONGEST:
        part = f"{part[: _LONGEST - 33]}={hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return part or "="
