"""Who imports whom, read from source text."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import outline
from airflow_mltest.core.reading import uses_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from airflow_mltest.core.names import Uses

_INIT = "/__init__.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """
    A block of a file and what it uses; see `Piece` for the rest.

    Args:
        local: What it and the functions around it import: bound name -> (module, attribute or "").
    """

    uses: Uses
    owner: str = ""
    inside: bool = False
    local: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    One file as text: its blocks, by name.

    Args:
        blocks: Name -> what it uses; empty where the text cannot be parsed.
        names: Each name of the module -> the names of its blocks.
        readable: Whether it could be parsed.
        unlisted: Whether one of two states of it that were joined has no `__all__`.
    """

    blocks: Mapping[str, Block] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readable: bool = True
    unlisted: bool = False

    @property
    def stars(self) -> list[str]:
        """Name the modules of which all names are imported."""
        return [name.removeprefix("import * ") for name in self.blocks if name.startswith("import * ")]

    @property
    def exported(self) -> frozenset[str] | None:
        """Give what `__all__` holds; None where there is none."""
        block = self.blocks.get("__all__ =")
        return frozenset(block.uses.texts) if block else None


@lru_cache(maxsize=8192)
def source_of(text: str) -> Source:
    """Read what each block of a text uses."""
    pieces = outline(text)
    if pieces is None:
        return Source(readable=False)
    uses = {name: uses_of(piece) for name, piece in pieces.items()}
    names: dict[str, list[str]] = {}
    for name in pieces:
        names.setdefault(symbol_of(name), []).append(name)
    return Source(
        blocks={
            name: Block(uses=uses[name], owner=piece.owner, inside=piece.inside, local=_local(name, uses))
            for name, piece in pieces.items()
        },
        names={name: tuple(blocks) for name, blocks in names.items() if name},
    )


def joined(one: Source, other: Source) -> Source:
    """Give what either of two states of a file holds."""
    blocks = dict(one.blocks)
    for name, block in other.blocks.items():
        known = blocks.get(name)
        blocks[name] = block if known is None else _joined(known, block)
    names: dict[str, list[str]] = {}
    for name in blocks:
        names.setdefault(symbol_of(name), []).append(name)
    return Source(
        blocks=blocks,
        names={name: tuple(found) for name, found in names.items() if name},
        readable=one.readable and other.readable,
        unlisted=any("__all__ =" not in side.blocks for side in (one, other) if side.blocks),
    )


def _joined(one: Block, other: Block) -> Block:
    local = {name: (*one.local.get(name, ()), *other.local.get(name, ())) for name in {*one.local, *other.local}}
    return Block(uses=one.uses | other.uses, owner=one.owner, inside=one.inside, local=local)


def symbol_of(block: str) -> str:
    """Give the name of the module that a block belongs to; empty for what belongs to none."""
    if block.startswith(("class ", "import ")):
        return "" if block.startswith("import * ") else block.partition(" ")[2].partition(".")[0]
    if block.startswith("<"):
        return ""
    return block.removesuffix(" =").removesuffix("()").partition(".")[0]


def _local(name: str, uses: Mapping[str, Uses]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Join what a function imports with what those around it import."""
    if name.startswith("import "):
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    while name:
        for bound, targets in uses[name].imports.items() if name in uses else ():
            found.setdefault(bound, []).extend(targets)
        name = name.rpartition(".<locals>.")[0]
    return {bound: tuple(targets) for bound, targets in found.items()}


class Modules:
    """
    Which file a module's name means.

    A module is told by its *place*: the path of its file without `.py`, or its folder.

    Args:
        paths: Every file below the root, those that were deleted among them.
        known: Name -> file, as an interpreter has imported them.
        changed: Those of *paths* that may be found now where another one was before.
    """

    def __init__(self, paths: Collection[str], known: Mapping[str, str], changed: Collection[str] = ()) -> None:
        self._files = frozenset(path for path in paths if path.endswith((".py", ".pyx", ".pyi")))
        self._folders = frozenset(folder for path in self._files for folder in _above(path))
        self._parents: dict[str, set[str]] = {}
        surely: dict[str, set[str]] = {}
        for name, file in known.items():
            parent = _parent(name, file)
            if parent is not None:
                surely.setdefault(name.partition(".")[0], set()).add(parent)
        for path in self._files:
            for parent in self._roots(path):
                top = path[len(parent) :].partition("/")[0].removesuffix(".py")
                if top not in surely or path in changed:
                    self._parents.setdefault(top, set()).add(parent)
        for top, parents in surely.items():
            self._parents.setdefault(top, set()).update(parents)

    def file(self, place: str) -> str:
        """Give the file that runs when the module at *place* is imported; empty where there is none."""
        return next((path for path in (place + _INIT, place + ".py") if path in self._files), "")

    def exists(self, place: str) -> bool:
        """Say whether there is a module or a folder of modules at *place*."""
        return place in self._folders or place + ".py" in self._files

    def below(self, place: str) -> list[str]:
        """Give the files of a module and of all modules in it."""
        inside = [path for path in self._files if path.startswith(place + "/")] if place in self._folders else []
        return [*inside, *([place + ".py"] if place + ".py" in self._files else [])]

    def places(self, source: str, importer: str = "") -> list[str]:
        """
        Tell which places a module's name may mean.

        Args:
            source: The name, with its leading dots if it is relative.
            importer: The file that imports it.
        """
        name = source.lstrip(".")
        rest = name.replace(".", "/")
        if len(source) > len(name):
            folder = importer
            for _ in range(len(source) - len(name)):
                folder = folder.rpartition("/")[0]
            found = [f"{folder}/{rest}" if folder and rest else folder or rest]
        else:
            parents = self._parents.get(name.partition(".")[0], set())
            beside = importer.rpartition("/")[0]
            found = [f"{parent}{rest}" for parent in {*parents, f"{beside}/" if beside else ""}]
        return [place for place in found if self.exists(place)]

    def running(self, place: str) -> Iterator[str]:
        """Give the files that run when the module at *place* is imported: it, and the packages around it."""
        for above in (place, *_above(place)):
            file = self.file(above)
            if file and (above == place or file.endswith(_INIT)):
                yield file

    def _roots(self, path: str) -> Iterable[str]:
        """Give the folders that may be on the path of imports for a file below them, each with its last slash."""
        folder = path.rpartition("/")[0]
        while folder and folder + _INIT in self._files:
            folder = folder.rpartition("/")[0]
        yield f"{folder}/" if folder else ""
        yield ""
        if path.startswith("src/"):
            yield "src/"


def imports_between(modules: Modules, sources: Mapping[str, Source]) -> dict[str, set[str]]:
    """Give each file with those that it imports, whenever it does."""
    return {file: set(_imported(modules, file, source)) - {file} for file, source in sources.items()}


def _imported(modules: Modules, file: str, source: Source) -> Iterator[str]:
    yield from modules.running(file.removesuffix(".py").removesuffix("/__init__"))
    for block in source.blocks.values():
        for module, attribute in block.uses.modules:
            for place in modules.places(module, file):
                yield from modules.running(place)
                if attribute and modules.exists(f"{place}/{attribute}"):
                    yield from modules.running(f"{place}/{attribute}")


def _parent(name: str, file: str) -> str | None:
    """Give the folder, with its last slash, in which the outermost package of a module is found."""
    path = name.replace(".", "/")
    for ending in (".py", _INIT):
        if file.endswith(path + ending):
            parent = file[: -len(path + ending)]
            if not parent or parent.endswith("/"):
                return parent
    return None


def _above(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
