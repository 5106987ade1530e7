"""What past runs of a project left behind, by commit: how its tests ended, how long they took, what they touched."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import TYPE_CHECKING, Any

from airflow_mltest.reports.files import Files, part_of_path, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# No DAG has a folder of this name: an id is quoted without a `=`.
_ROOM = "=projects"
_PASSED, _ANY = ".passed.json.gz", ".json.gz"
_SCHEMA, _VERSION = "airflow-mltest/past", 1


class Archive:
    """
    The past of one project, as files: `=projects/<project>/<commit>/<run>[.passed].json.gz`.

    Each run writes one file of its own, so that any number of workers may write at the same time
    and nothing is ever merged in place. What cannot be read is passed over: without a past, all
    tests run.

    Args:
        root: The report store's root, a path of `pathlib` or of object storage.
        project: What names the project, the same on every worker.
    """

    def __init__(self, root: Any, project: str) -> None:
        self._files = Files(root)
        self._folder = root / _ROOM / part_of_path(project)

    def keep(self, commit: str, run: str, past: Mapping[str, Any], *, passed: bool) -> str:
        """
        Write what a *run* of *commit* left behind, in place of what it wrote before; give the address.

        Args:
            commit: The commit that was tested; empty where it is not known.
            run: A name that sorts by time and that no other run has.
            past: Strict JSON.
            passed: Whether every test that the commit could have broken has passed.
        """
        folder = self._folder / part_of_path(commit)
        with contextlib.suppress(Exception):
            (folder / f"{part_of_path(run)}{_ANY if passed else _PASSED}").unlink(missing_ok=True)
        document = {"schema": _SCHEMA, "version": _VERSION, "commit": commit, **past}
        content = gzip.compress(json.dumps(document, ensure_ascii=False, allow_nan=False).encode(), mtime=0)
        return self._files.put(folder, f"{part_of_path(run)}{_PASSED if passed else _ANY}", content)

    def last_passed(self, commits: Iterable[str]) -> str:
        """Give the first of *commits* one of whose runs has passed; empty if there is none."""
        known = self._known()
        for commit in commits:
            if part_of_path(commit) in known and any(path.name.endswith(_PASSED) for path in self._runs(commit)):
                return commit
        return ""

    def past(self, commits: Sequence[str], *, most: int) -> list[dict[str, Any]]:
        """
        Read what at most *most* runs left behind, those of the first of *commits* first, the newest of each first.

        Args:
            commits: Newest first; an empty one stands for runs whose commit is not known.
            most: How many files may be read.
        """
        found: list[dict[str, Any]] = []
        known = self._known()
        for commit in commits:
            for path in self._runs(commit) if part_of_path(commit) in known else ():
                if len(found) == most:
                    return found
                document = _read(path)
                if document is not None:
                    found.append(document)
        return found

    def _known(self) -> set[str]:
        """List the folders of commits that have a past, at one look."""
        self._files.forget_listings()
        return {path.name for path in self._folder.iterdir()} if self._folder.is_dir() else set()

    def _runs(self, commit: str) -> Iterator[Any]:
        folder = self._folder / part_of_path(commit)
        yield from sorted(
            (path for path in folder.iterdir() if path.name.endswith(_ANY)), key=lambda path: path.name, reverse=True
        )


def _read(path: Any) -> dict[str, Any] | None:
    try:
        document = json.loads(gzip.decompress(read_whole(path)))
        if (document["schema"], document["version"]) == (_SCHEMA, _VERSION):
            return dict(document)
    except Exception:  # noqa: BLE001  torn, foreign, or an object store's own error: a past that is not there
        return None
    return None
