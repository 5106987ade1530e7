"""Who may read a file that is not code, by the texts in the code."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airflow_mltest.core.configuration import is_about, is_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from airflow_mltest.core.changes import Program
    from airflow_mltest.core.graph import Node

# Read by libraries that open a file themselves, where no recorder sees it.
_UNSEEN = (".parquet", ".feather", ".arrow", ".orc", ".h5", ".hdf5", ".hdf", ".nc", ".lance", ".ipc", ".avro", ".zarr")
_SHORTEST_STEM = 3


class Files:
    """
    What changed besides the code.

    Args:
        program: The project's code.
        changed: All that changed, code or not.
        before: Gives the text of a file before.
        paths: Every file that is there now.
    """

    def __init__(
        self, program: Program, changed: Collection[str], before: Callable[[str], str | None], paths: Collection[str]
    ) -> None:
        self._program = program
        self._changed = list(changed)
        # What is no text may be new as well as changed.
        self._moved = [path for path in changed if path not in paths or before(path) is None]
        self._holders: dict[str, list[tuple[str, Node]]] | None = None

    @property
    def touched(self) -> set[str]:
        """Give the files that changed, and the folders in which one is new or gone."""
        return {*self._changed, *(str(PurePosixPath(path).parent) for path in self._moved)}

    def notable(self, nodes: Mapping[Node, str]) -> dict[str, str]:
        """Give the files whose change may matter to whoever reads or runs them, with words."""
        found: dict[str, str] = {}
        for node, words in nodes.items():
            found.setdefault(node.partition("::")[0], words)
        others = (path for path in self._changed if not path.endswith(".py") and not is_about(path))
        return {**found, **{path: f"{path} changed" for path in others}}

    def seen(self) -> dict[Node, str]:
        """Give the blocks that name a file whose reading no recorder sees, or that is new or gone."""
        found: dict[Node, str] = {}
        for path in self._changed:
            if not path.endswith(".py") and (path in self._moved or path.endswith(_UNSEEN)):
                words = _words(path)
                wanted = words if path.endswith(_UNSEEN) else words[:1]
                found.update((node, f"{path} changed") for node in self._naming(wanted))
        return found

    def likely(self) -> tuple[dict[Node, str], str]:
        """Give the blocks that may read what changed; and what changed that no block is known to read."""
        found: dict[Node, str] = {}
        nobodys = ""
        for path in self._changed:
            if path.endswith(".py"):
                nodes = list(self._listing(path)) if path in self._moved else []
            elif is_about(path) or is_configuration(path):
                nodes = list(self._naming(_words(path)[:1]))
            else:
                nodes = [*self._naming(_words(path)), *self._listing(path)]
                nobodys = nobodys or ("" if nodes else path)
            found.update((node, f"{path} changed") for node in nodes)
        return found, nobodys

    def _naming(self, words: Collection[str]) -> Iterator[Node]:
        if self._holders is None:
            self._holders = dict(_holders(self._program))
        for word in words:
            for file, node in self._holders.get(word, ()):
                if file != "setup.py":
                    yield node

    def _listing(self, path: str) -> Iterator[Node]:
        """Give the blocks that list folders, around the file or by the name of its folder."""
        folder = path.rpartition("/")[0]
        name = folder.rpartition("/")[2]
        for file, source in self._program.sources.items():
            above = file.rpartition("/")[0]
            for block, inner in source.blocks.items():
                if inner.uses.listing and (f"{folder}/".startswith(f"{above}/") or name in inner.uses.texts):
                    yield f"{file}::{block}"


def _words(path: str) -> list[str]:
    """Give the words by which code may name a file: its name, that of its folder, and its name without the ending."""
    pure = PurePosixPath(path)
    stem = pure.name.partition(".")[0]
    return [
        pure.name,
        *([pure.parent.name] if pure.parent.name else []),
        *([stem] if len(stem) >= _SHORTEST_STEM else []),
    ]


def _holders(program: Program) -> Mapping[str, list[tuple[str, Node]]]:
    """Index each word of each text by the blocks that hold it."""
    found: dict[str, list[tuple[str, Node]]] = {}
    for file, source in program.sources.items():
        for name, block in source.blocks.items():
            words = {word for text in block.uses.texts for word in text.split("/")}
            for word in words - {""}:
                found.setdefault(word, []).append((file, f"{file}::{name}"))
    return found
