"""Classes of a project and their methods: what is in them, what they inherit, and who may call it."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from airflow_mltest.core.imports import symbol_of
from airflow_mltest.core.names import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_mltest.core.imports import Block, Source
    from airflow_mltest.core.names import Chain
    from airflow_mltest.core.symbols import Symbol, Symbols

# Bases that call nothing but special methods of a class.
_KNOWN = frozenset(dir(builtins)) | words(
    "ABC Generic Protocol Enum IntEnum StrEnum Flag NamedTuple TypedDict Mapping MutableMapping Sequence "
    "MutableSequence Set MutableSet Iterable Iterator Collection Container Hashable Sized Callable UserDict"
)
# How many bases of bases are followed.
_DEEPEST = 8


class Classes:
    """
    Finds what names mean, and what classes are made of.

    Args:
        sources: File -> its text, read.
        symbols: Tells what names mean.
    """

    def __init__(self, sources: Mapping[str, Source], symbols: Symbols) -> None:
        self.sources, self.symbols = sources, symbols

    def meant(self, file: str, block: Block, chains: Iterable[Chain]) -> set[Symbol]:
        """Give the symbols that *chains* stand for in a block."""
        return {symbol for chain in chains for symbol in self.symbols.meant(file, block, chain)}

    def names(self, file: str, name: str) -> tuple[str, ...]:
        """Name the blocks of a name of a module; none where it has none."""
        source = self.sources.get(file)
        return source.names.get(name, ()) if source else ()

    def defines(self, file: str, name: str) -> bool:
        """Say whether a module makes what its name stands for itself."""
        return any(not block.startswith("import ") for block in self.names(file, name))

    def own(self, file: str, block: str) -> Iterator[str]:
        """Give a block, and the bodies of the functions inside of it, as nodes."""
        yield f"{file}::{block}"
        for other in self.names(file, symbol_of(block)):
            if other.startswith(f"{block}.<locals>."):
                yield f"{file}::{other}"

    def methods(self, file: str, owner: str, names: Iterable[str], depth: int = _DEEPEST) -> Iterator[str]:
        """Give the blocks of those methods of a class and of its bases that have one of *names*, as nodes."""
        if depth < 0 or not self.is_class(file, owner):
            return
        for block in self.names(file, symbol_of(f"class {owner}")):
            if block.startswith(f"{owner}.") and method_of(block[len(owner) + 1 :]) in names:
                yield f"{file}::{block}"
        for base_file, base in self.bases(file, owner):
            yield from self.methods(base_file, base, names, depth - 1)

    def is_class(self, file: str, name: str) -> bool:
        """Say whether a name is that of a class, with those that it is written in: `Outer.Inner`."""
        return file in self.sources and f"class {name}" in self.sources[file].blocks

    def bases(self, file: str, owner: str) -> set[Symbol]:
        """Give the classes of the project that a class is made of; none where it is no class."""
        if not self.is_class(file, owner):
            return set()
        block = self.sources[file].blocks[f"class {owner}"]
        bases = self.meant(file, block, block.uses.bases)
        return {symbol for symbol in bases if self.is_class(*symbol) and symbol != (file, owner)}

    def is_foreign(self, file: str, name: str) -> bool:
        """Say whether a class has a base of other people, which may call any of its methods."""
        block = self.sources[file].blocks[f"class {name}"]
        return any(
            chain[-1] not in _KNOWN and not any(self.defines(*symbol) for symbol in self.meant(file, block, [chain]))
            for chain in block.uses.bases
        )


def method_of(block: str) -> str:
    """Name the method that a block belongs to."""
    return block.partition(".<locals>.")[0].removesuffix("()").rpartition(".")[2]
