"""What differs between two states of a project, block by block."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import MAIN, REST, blocks_of, compare
from airflow_mltest.core.graph import Graph
from airflow_mltest.core.imports import Modules, Source, imports_between, joined, source_of
from airflow_mltest.core.symbols import Symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from airflow_mltest.core.graph import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    What a change touches.

    Args:
        nodes: Each block that differs, with words for people.
        modules: Files whose import may have other effects now, with words.
    """

    nodes: Mapping[Node, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)


class Program:
    """
    All Python files of a project, those that were there before a change among them.

    Args:
        paths: Every file that is or was there.
        changed: Those that differ.
        before: Gives the text of a changed file before.
        after: Gives the text of a file now.
        known: Name of a module -> file, as an interpreter imported them.
        points: Group of entry points -> what they name.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what a program is read from
        self,
        paths: Collection[str],
        changed: Collection[str],
        before: Callable[[str], str | None],
        after: Callable[[str], str | None],
        known: Mapping[str, str],
        points: Mapping[str, Iterable[str]],
    ) -> None:
        self.changed = sorted(path for path in changed if path.endswith(".py"))
        self._before, self._after = before, after
        self.old = {path: source_of(before(path) or "") for path in self.changed}
        self.new = {path: source_of(after(path) or "") for path in self.changed}
        self.sources: dict[str, Source] = {
            path: joined(self.old[path], self.new[path]) if path in self.old else source_of(after(path) or "")
            for path in paths
            if path.endswith(".py")
        }
        modules = Modules(paths, known, self.changed)
        self.symbols = Symbols(modules, self.sources, points)
        self.graph = Graph(self.sources, self.symbols)
        self._modules = modules
        self._importers: dict[str, set[str]] = {}
        for file, others in imports_between(modules, self.sources).items():
            for other in others:
                self._importers.setdefault(other, set()).add(file)

    def effects(self) -> Iterator[Node]:
        """Name the blocks that run for their effect when their module is imported."""
        return (f"{file}::{REST}" for file, source in self.sources.items() if REST in source.blocks)

    def importers(self, file: str) -> set[str]:
        """Give a file, and all that import it, directly or not."""
        found, waiting = {file}, [file]
        while waiting:
            for user in self._importers.get(waiting.pop(), ()):
                if user not in found:
                    found.add(user)
                    waiting.append(user)
        return found

    def spread(self, modules: Mapping[str, str]) -> dict[str, str]:
        """Give every file that imports one of *modules*, directly or not, with the words of that."""
        found: dict[str, str] = {}
        for module, words in modules.items():
            for file in self.importers(module):
                found.setdefault(file, words)
        return found

    def blocks_before(self, file: str) -> Mapping[str, str]:
        """Give the blocks of a file as they were before the change."""
        text = self._before(file) if file in self.old else self._after(file)
        return blocks_of(text or "")

    def difference(self) -> Difference:
        """Tell what the change touches."""
        nodes: dict[Node, str] = {}
        modules: dict[str, str] = {}
        for file in self.changed:
            old, new = blocks_of(self._before(file) or ""), blocks_of(self._after(file) or "")
            self.note(file, compare(old, new), old, new, nodes)
            modules.update(self._effects(file, nodes))
        return Difference(nodes=nodes, modules=modules)

    def note(
        self, file: str, names: Iterable[str], old: Mapping[str, str], new: Mapping[str, str], nodes: dict[Node, str]
    ) -> None:
        """Note the nodes of *names*, blocks of *file* that differ between *old* and *new*."""
        for name in sorted(names):
            words = _words(name, name in old, name in new)
            nodes[f"{file}::{name}"] = nodes[f"{file}::{name}!"] = f"{words} ({file})"
            if _decorated(old.get(name)) != _decorated(new.get(name)):
                nodes[f"{file}::{name}?"] = f"{words} ({file})"
            if (name in old) is not (name in new):
                owner = name.removesuffix("()").partition(".<locals>.")[0].rpartition(".")[0]
                if owner and not name.startswith("import "):
                    # A method may hide one of a base, or uncover it.
                    nodes.setdefault(f"{file}::class {owner}", f"{words} ({file})")
            for other in self._behind(file, name):
                nodes.setdefault(other, f"{words} ({file})")
        source = self.sources.get(file)
        if source is not None and not source.readable and names:
            nodes.update(dict.fromkeys(self.all_nodes(file), f"{file} cannot be read"))

    def all_nodes(self, file: str) -> Iterator[Node]:
        """Name all blocks of a file."""
        yield f"{file}::*"
        yield f"{file}::~*"
        for name in self.sources[file].names if file in self.sources else ():
            yield f"{file}::@{name}"
            yield f"{file}::~{name}"

    def made_nodes(self, file: str) -> Iterator[Node]:
        """Name the blocks of a file that run when it is imported."""
        source = self.sources.get(file, Source())
        yield from (f"{file}::{name}" for name, block in source.blocks.items() if not block.inside)

    def _behind(self, file: str, name: str) -> Iterator[Node]:
        """Name what else differs with a block: names that it hands on, or how all of the module is read."""
        if name.startswith("import * "):
            for place in self._modules.places(name.removeprefix("import * "), file):
                other = self._modules.file(place)
                yield from (f"{file}::@{one}" for one in self.symbols.exported(other)) if other else ()
                yield from (f"{file}::~{one}" for one in self.symbols.exported(other)) if other else ()
        elif name == "__all__ =":
            both = [side[file].exported if file in side else None for side in (self.old, self.new)]
            names = self.symbols.exported(file) if None in both else both[0] ^ both[1]  # type: ignore[operator]
            yield from (f"{file}::@export {one}" for one in names)
            yield from (f"{file}::~export {one}" for one in names)
        elif name == "import annotations":
            yield from self.made_nodes(file)

    def _effects(self, file: str, nodes: Mapping[Node, str]) -> Iterator[tuple[str, str]]:
        """Tell of which module the import may now do something else, and why."""
        for name in (REST,) if self.sources[file].readable else (MAIN, REST):
            if f"{file}::{name}" in nodes:
                yield file, f"the code of the module {file} changed"
        mentioned = {chain[0] for block in self.sources[file].blocks.values() for chain in block.uses.read}
        old, new = (_imports(side.get(file, Source())) for side in (self.old, self.new))
        for module, attribute, bound in old ^ new:
            if self._acts(module, attribute, file, used=bound in mentioned):
                yield file, f"{file} imports {module} or no longer does, which may have an effect"

    def _acts(self, module: str, attribute: str, file: str, *, used: bool) -> bool:
        """Say whether importing a module can do more than define what is asked of it."""
        if module == "__future__":
            return False
        files = {
            running
            for place in self._modules.places(module, file)
            for inner in (place, f"{place}/{attribute}")
            for running in self._modules.running(inner)
        }
        if files:
            return any(REST in self.sources[other].blocks for other in files if other in self.sources and other != file)
        return not used and not module.startswith(".") and module.partition(".")[0] not in sys.stdlib_module_names


def _decorated(digest: str | None) -> str | None:
    return digest and digest.partition(".")[2]


def _imports(source: Source) -> set[tuple[str, str, str]]:
    return {
        (module, attribute, name.removeprefix("import "))
        for name, block in source.blocks.items()
        if name.startswith("import ")
        for module, attribute in block.uses.modules
    }


def _words(name: str, before: bool, after: bool) -> str:  # noqa: FBT001
    """Say in words what happened to a block."""
    what = "changed" if before and after else "is new" if after else "is gone"
    if name.endswith("()"):
        return f"the signature of {name.removesuffix('()')} {what}"
    if name in {REST, MAIN}:
        return f"the code of the module {what}"
    if name.startswith("import "):
        return f"the import of {name.removeprefix('import ')} {what}"
    if name.endswith(" =") or name.startswith("class "):
        return f"{name.removesuffix(' =')} {what}"
    return f"the body of {name} {what}"
