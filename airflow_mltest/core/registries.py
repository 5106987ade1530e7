"""What is put into the variables of modules, and by whom: registries, caches, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import REST
from airflow_mltest.core.classes import method_of
from airflow_mltest.core.imports import symbol_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltest.core.classes import Classes
    from airflow_mltest.core.imports import Block
    from airflow_mltest.core.symbols import Symbol


class Registries:
    """
    Finds what ends up in which variable.

    Args:
        classes: The code.
    """

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._filling: dict[Symbol, set[Symbol]] = {}

    def contents(self) -> Iterator[tuple[Symbol, str]]:
        """Give each variable or class with a node that puts something into it, or that is put into it."""
        for file, source in self._classes.sources.items():
            for name, block in source.blocks.items():
                for symbol in self._changed(file, name, block):
                    yield symbol, f"{file}::{name}"
                if not block.inside:
                    yield from self._registered(file, name, block)

    def _changed(self, file: str, name: str, block: Block) -> Iterator[Symbol]:
        """Give the variables that a block changes where they are."""
        # What a test leaves behind is its own fault, and what a hook does every test stands on anyway.
        if name == REST or (block.inside and not method_of(name).startswith(("test", "pytest_"))):
            changing = block.uses.changes | (block.uses.chains if name == REST else set())
            yield from filter(self._holds, self._classes.meant(file, block, changing))

    def _holds(self, symbol: Symbol) -> bool:
        """Say whether a name is one that may be given something: a variable, or a class."""
        return f"{symbol[1]} =" in self._classes.names(*symbol) or self._classes.is_class(*symbol)

    def _registered(self, file: str, name: str, block: Block) -> Iterator[tuple[Symbol, str]]:
        """Give what registers itself when it is made: by a decorator, or a call."""
        symbol = symbol_of(name)
        entry = f"{file}::@{symbol}" if symbol and not name.endswith(" =") else f"{file}::{name}"
        for chain in block.uses.calls:
            for called in self._classes.symbols.meant(file, block, chain):
                yield from ((variable, entry) for variable in self._filled(called))
            # `@app.route(...)`: the object keeps what it is given.
            for holder in self._classes.symbols.meant(file, block, chain[:-1]) if len(chain) > 1 else ():
                if self._classes.defines(*holder):
                    yield holder, entry

    def _filled(self, function: Symbol) -> set[Symbol]:
        """Give the variables into which a function, or what it calls in its own module, puts something."""
        if function not in self._filling:
            found: set[Symbol] = set()
            self._filling[function] = found
            file, name = function
            for block in self._called(file, name):
                body = self._classes.sources[file].blocks[block]
                found.update(filter(self._holds, self._classes.meant(file, body, body.uses.changes)))
                for other in self._classes.meant(file, body, body.uses.calls):
                    found |= self._filled(other) if other[0] == file else set()
        return self._filling[function]

    def _called(self, file: str, name: str) -> Iterator[str]:
        """Name the bodies that run when a function of a module is called, or a class."""
        blocks = self._classes.names(file, name)
        for block in blocks:
            made = block.startswith((f"{name}.__init__", f"{name}.__new__", f"{name}.__call__"))
            if self._classes.sources[file].blocks[block].inside and (made or f"class {name}" not in blocks):
                yield block
