"""What a name in a source file means, across modules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_mltest.core.imports import Block, Modules, Source
    from airflow_mltest.core.names import Chain

# A name of a module: its file and the name. The name "*" stands for all that there is in it.
Symbol = tuple[str, str]

_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_][\w.]*)?$")
# How deep re-exports are followed.
_DEEPEST = 60


class Symbols:
    """
    Finds what names mean.

    Args:
        modules: Finds modules.
        sources: File -> its text, read.
        points: Group of entry points -> what they name, as `pkg.mod:func`.
    """

    def __init__(
        self, modules: Modules, sources: Mapping[str, Source], points: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self._modules, self._sources = modules, sources
        self._points = points or {}
        self._known: dict[tuple[str, Chain], frozenset[Symbol]] = {}
        self._texts: dict[str, frozenset[Symbol]] = {}
        self._exports: dict[str, frozenset[str]] = {}
        # Of the question that is being answered: what is known of it so far, how deep it is, and whether it met itself.
        self._answers: dict[tuple[str, Chain], frozenset[Symbol] | None] = {}
        self._depth, self._round = 0, False
        self._by_name: dict[str, list[str]] = {}
        for file in sources:
            self._by_name.setdefault(file.rpartition("/")[2], []).append(file)

    def meant(self, file: str, block: Block, chain: Chain) -> frozenset[Symbol]:
        """Give each symbol that *chain* stands for in a block of *file*, with the imports on the way to it."""
        if chain[0] in block.local:
            return frozenset(self._imported(file, block.local[chain[0]], chain[1:]))
        return self.named(file, chain)

    def named(self, file: str, chain: Chain) -> frozenset[Symbol]:
        """Give each symbol that *chain* stands for at the level of the module *file*."""
        key = (file, chain)
        if key in self._known:
            return self._known[key]
        if key in self._answers or self._depth > _DEEPEST:
            self._round = True
            return self._answers.get(key) or frozenset()
        self._answers[key] = None
        self._depth += 1
        found = self._answers[key] = frozenset(self._named(file, chain))
        self._depth -= 1
        if not self._depth:
            # In a cycle of imports only whoever was asked first has seen all of it.
            self._known.update({key: found} if self._round else {one: of or found for one, of in self._answers.items()})
            self._answers, self._round = {}, False
        return found

    def of_text(self, text: str) -> frozenset[Symbol]:
        """Give the symbols that a text may name: `pkg.mod`, `pkg.mod.func`, `pkg.mod:func`, `scripts/job.py`."""
        if text not in self._texts:
            self._texts[text] = frozenset(self._of_text(text))
        return self._texts[text]

    def under(self, prefix: str, file: str) -> Iterator[Symbol]:
        """Give all modules whose names begin with *prefix*, as in `import_module(f"pkg.backends.{name}")`."""
        for place in self._modules.places(prefix.rstrip(".") or ".", file):
            for found in self._modules.below(place):
                yield found, "*"

    def _named(self, file: str, chain: Chain) -> Iterator[Symbol]:
        name, rest = chain[0], chain[1:]
        yield file, name
        source = self._sources.get(file)
        if source is None:
            return
        blocks = source.names.get(name, ())
        targets = source.blocks[f"import {name}"].uses.imports.get(name, ()) if f"import {name}" in blocks else ()
        yield from self._imported(file, targets, rest)
        # A star further down may hide what the module says itself.
        for star in source.stars:
            for place in self._modules.places(star, file):
                other = self._modules.file(place)
                if other and name in self.exported(other):
                    yield other, f"export {name}"
                    yield from self.named(other, chain)
        if "__getattr__" in source.names and not blocks:
            yield file, "__getattr__"

    def _imported(self, file: str, targets: Iterable[tuple[str, str]], rest: Chain) -> Iterator[Symbol]:
        for module, attribute in targets:
            for place in self._modules.places(module, file):
                yield from self._inside(place, (attribute, *rest) if attribute else rest)

    def _inside(self, place: str, rest: Chain) -> Iterator[Symbol]:
        """Follow a chain from the module at *place*."""
        file = self._modules.file(place)
        if not rest:
            yield from [(file, "*")] if file else []
            return
        deeper = f"{place}/{rest[0]}"
        found = self.named(file, rest) if file else frozenset()
        yield from found
        # A name of the package itself hides its module of the same name.
        if self._modules.exists(deeper) and not self._defines(found):
            yield from self._inside(deeper, rest[1:])

    def _defines(self, symbols: Iterable[Symbol]) -> bool:
        return any(
            not block.startswith("import ")
            for file, name in symbols
            if file in self._sources
            for block in self._sources[file].names.get(name, ())
        )

    def exported(self, file: str) -> frozenset[str]:
        """Name what `from file import *` gives."""
        if file not in self._exports:
            names: set[str] = set()
            waiting, met = [file], {file}
            while waiting:
                others = self._export(waiting.pop(), names)
                waiting += others - met
                met |= others
            self._exports[file] = frozenset(names)
        return self._exports[file]

    def _export(self, file: str, names: set[str]) -> set[str]:
        """Add what a module itself exports to *names*; give those of which it hands on all that they export."""
        source = self._sources.get(file)
        if source is None:
            return set()
        listed = source.exported
        if listed is not None and "__all__" not in {chain[0] for chain in source.blocks["__all__ ="].uses.changes}:
            names |= listed
            # `__all__ = [*other.__all__]`: what it holds is not in the text.
            made = source.blocks["__all__ ="].uses.chains or source.blocks["__all__ ="].uses.references
            if not made and not source.unlisted:
                return set()
        names.update(name for name in source.names if not name.startswith("_"))
        places = (place for star in source.stars for place in self._modules.places(star, file))
        return {self._modules.file(place) for place in places} - {""}

    def _of_text(self, text: str) -> Iterator[Symbol]:
        for target in self._points.get(text, ()):
            yield from self._of_text(target)
        if text.endswith(".py"):
            yield from ((file, "*") for file in self._by_name.get(text.rpartition("/")[2], ()))
            return
        for word in text.split() if " " in text else [text]:
            if _DOTTED.match(word):
                yield from self._dotted(word)

    def _dotted(self, word: str) -> Iterator[Symbol]:
        module, _, attribute = word.partition(":")
        parts = module.split(".")
        if len(parts) == 1 and not attribute:
            # One word alone is too often no module; a package that it names is one.
            yield from ((file, "*") for place in self._modules.places(word) if (file := self._modules.file(place)))
            return
        for place in self._modules.places(parts[0]):
            yield from self._inside(place, (*parts[1:], *filter(None, attribute.split("."))))
