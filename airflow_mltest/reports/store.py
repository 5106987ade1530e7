"""Where finished suites are kept: one folder a run, one file a task."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Origin, Suite
from airflow_mltest.reports.document import dumps, suite_from_document, suite_to_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """
    A suite that was read from the store.

    Args:
        suite: What it said; one that cannot be read is broken, and says why.
        address: Where it is.
        digest: `sha256:` of its bytes.
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
        """Read the newest try of every task of a run, in the order in which they started."""
        folder = self.folder(dag_id, run_id)
        found = [self._read(path, dag_id, run_id) for path in self._newest(folder)]
        return sorted(found, key=lambda kept: (kept.suite.started_at, kept.address))

    def _newest(self, folder: Any) -> Iterator[Any]:
        if not folder.exists():
            return
        for task in folder.iterdir():
            if "@" not in task.name:  # a report's folder: an @ of a task's own would be quoted
                continue
            tries = [path for path in task.iterdir() if path.name.removesuffix(".json").isdigit()]
            if tries:
                yield max(tries, key=lambda path: int(path.name.removesuffix(".json")))

    def _read(self, path: Any, dag_id: str, run_id: str) -> Kept:
        content = path.read_bytes()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        try:
            suite = suite_from_document(json.loads(content))
        except (ValueError, ConfigurationError) as error:
            # Reports never refuse: the reader sees that it was there, and that it says nothing.
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
        except OSError as error:
            msg = (
                f"the report store {str(self.root)!r} cannot be written: {error}. Set `[mltest] report_root` to a "
                "place that every worker can write and the API server can read."
            )
            raise BrokenRunError(msg) from error
        return str(target)


def _part(name: str) -> str:
    # Whoever may trigger a run chooses its id; quoted, it cannot leave the root. Never empty, never a dot.
    return quote(name, safe="").replace(".", "%2E") or "%00"
