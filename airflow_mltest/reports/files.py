"""Files below one root, of a disk or of object storage: whole or not there, and never outside."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_mltest.core.errors import BrokenRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Stores of objects, of which none is ever seen half written; what makes a folder there makes a bucket.
_OF_OBJECTS = frozenset({"s3", "s3a", "s3n", "gs", "gcs"})
# A file name may have 255 bytes on most file systems; the rest is for `@<map_index>`.
_LONGEST = 200


class Files:
    """
    Write and list files below *root*.

    Args:
        root: A path: `pathlib`'s, or one of object storage with the same methods.
    """

    def __init__(self, root: Any) -> None:
        self.root = root

    def folder(self, *names: str) -> Any:
        """Give the folder that is called so; no name leads out of the root."""
        folder = self.root
        for name in names:
            folder /= part_of_path(name)
        return folder

    def put(self, folder: Any, name: str, content: bytes) -> str:
        """
        Write a file whole into its place, whatever was there; give its address.

        Raises:
            BrokenRunError: The root cannot be written.
        """
        target = folder / name
        with self.telling("written"):
            if _is_object(target):
                target.write_bytes(content)
            else:
                _write_aside(target, content)
        return str(target)

    @contextlib.contextmanager
    def telling(self, done: str) -> Iterator[None]:
        """
        Say which root it is that cannot be *done*: read, or written.

        Raises:
            BrokenRunError: Whatever was raised in the block.
        """
        try:
            yield
        except Exception as error:  # an object store raises its client's own
            msg = (
                f"the report store {str(self.root)!r} cannot be {done}: {type(error).__name__}: {error}. Set "
                "`[mltest] report_root` to a place that every worker can write and the API server can read, and check "
                "the connection that it names."
            )
            raise BrokenRunError(msg) from error

    def forget_listings(self) -> None:
        """Look anew: the client of an object store remembers what it listed, without what others wrote since."""
        filesystem = getattr(getattr(self.root, "__wrapped__", self.root), "fs", None)
        if filesystem is not None:
            filesystem.invalidate_cache()


def read_whole(path: Any) -> bytes:
    """Read a file with one request: of two, the second refuses an object that was replaced after the first."""
    return bytes(path.fs.cat_file(path.path) if _is_object(path) else path.read_bytes())


def part_of_path(name: str) -> str:
    """Quote *name* so that it is one part of a path, and no other name is quoted the same."""
    # Whoever may trigger a run chooses its id; quoted, it cannot leave the root. Nothing is quoted with a `=`.
    part = quote(name, safe="").replace(".", "%2E")
    if len(part) > _LONGEST:
        part = f"{part[: _LONGEST - 33]}={hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return part or "="


def _is_object(path: Any) -> bool:
    protocols = getattr(getattr(path, "fs", None), "protocol", ())
    return not _OF_OBJECTS.isdisjoint((protocols,) if isinstance(protocols, str) else protocols)


def _write_aside(target: Any, content: bytes) -> None:
    """Write a file aside, and rename it into its place."""
    aside = target.parent / f"{target.name}.{uuid.uuid4().hex}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(target)
    except Exception:
        with contextlib.suppress(Exception):
            aside.unlink(missing_ok=True)
        raise
