"""Classes of a project and their methods: what is in them, what they inherit, and who may call it."""

from __future__ import annotations

import builtins
import re
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
    "MutableSequence Set MutableSet Iterable Iterator Collection Container Hashable Sized Callable UserDict namedtuple"
)
# They call methods of tests, each of which begins a test of its own.
_TEST_CASES = words("TestCase IsolatedAsyncioTestCase SimpleTestCase TransactionTestCase")
_CONSTRUCTORS = words("__init__ __post_init__ __set_name__ __new__")
_CACHING = re.compile(r"cache|memo|once\b|lazy|singleton|lru", re.IGNORECASE)
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
        # Classes of which there is an object as long as the module is there.
        self._lasting: set[Symbol] = set()

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

    def is_foreign(self, file: str, name: str, depth: int = _DEEPEST) -> bool:
        """Say whether a class has a base of other people, near or far, which may call any of its methods."""
        block = self.sources[file].blocks[f"class {name}"]
        known = _KNOWN if depth == _DEEPEST else _KNOWN | _TEST_CASES
        return any(self._is_others(file, block, chain, depth) for chain in block.uses.bases if chain[-1] not in known)

    def _is_others(self, file: str, block: Block, chain: Chain, depth: int) -> bool:
        """Say whether a base may be of other people: itself, by its own bases, or as one of several values."""
        symbols = self.meant(file, block, [chain])
        if not any(self.defines(*symbol) for symbol in symbols):
            return True
        for other, base in symbols if depth else ():
            if self.is_class(other, base):
                if self.is_foreign(other, base, depth - 1):
                    return True
            elif f"{base} =" in self.names(other, base):
                inner = self.sources[other].blocks[f"{base} ="]
                values = [one for one in inner.uses.chains | inner.uses.references if one[-1] not in _KNOWN]
                # `try: from other import Base`, `except ImportError: Base = object`
                values += [(base,)] if f"import {base}" in self.names(other, base) and len(symbols) == 1 else []
                if values == [(base,)] or any(self._is_others(other, inner, one, depth - 1) for one in values):
                    return True
        return False

    def find_lasting(self) -> None:
        """Find the classes of which a module makes an object when it is imported, with their bases."""
        for file, source in self.sources.items():
            for block in source.blocks.values():
                waiting = [] if block.inside else [*self.meant(file, block, block.uses.calls)]
                while waiting:
                    symbol = waiting.pop()
                    if symbol not in self._lasting and self.is_class(*symbol):
                        self._lasting.add(symbol)
                        waiting += self.bases(*symbol)

    def keeps(self, file: str, name: str) -> bool:
        """Say whether a function stores something for later calls: in its class, itself, a default, an object."""
        block = self.sources[file].blocks[name]
        kept = block.uses.keeps
        if not block.inside or method_of(name).lower().startswith(("test", "setup", "pytest_")):
            return False
        if "self" in kept and (file, block.owner) in self._lasting and not self._sets_only(file, name):
            return True
        if "cls" in kept or (kept - {"self"} and "<locals>" not in name):
            return True
        itself = (chain[:-1] for chain in block.uses.changes if len(chain) > 1)
        # A module that makes its names when they are asked for may mean anything.
        found = (symbol for symbol in self.meant(file, block, itself) if symbol[1] != "__getattr__")
        return any(f"{other}()" in self.names(where, other) for where, other in found)

    def _sets_only(self, file: str, name: str) -> bool:
        """Say whether a method stores what it is given: it makes its object, or is a setter."""
        head = self.sources[file].blocks.get(f"{name}()")
        setter = head is not None and any(chain[-1] == "setter" for chain, _ in head.uses.decorators)
        return setter or method_of(name) in _CONSTRUCTORS

    def caches(self, file: str, name: str) -> bool:
        """Say whether what decorates a function, or what it is made with, keeps what it gives."""
        block = self.sources[file].blocks[name]
        uses = block.uses
        decorators = [chain for chain, _ in uses.decorators]
        if any(_CACHING.search(".".join(chain)) for chain in {*uses.calls, *uses.chains, *decorators}):
            return True
        return any(
            blocks[inner].uses.keeps and (".<locals>." in inner or method_of(inner) == "__call__")
            for where, other in self.meant(file, block, decorators)
            for inner in self.names(where, other)
            for blocks in (self.sources[where].blocks,)
        )


def method_of(block: str) -> str:
    """Name the method that a block belongs to."""
    return block.partition(".<locals>.")[0].removesuffix("()").rpartition(".")[2]
