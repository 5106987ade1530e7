"""Which blocks of code use which others."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import MAIN, REST
from airflow_mltest.core.classes import Classes, method_of
from airflow_mltest.core.imports import symbol_of
from airflow_mltest.core.names import words
from airflow_mltest.core.registries import Registries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_mltest.core.imports import Block, Source
    from airflow_mltest.core.names import Chain
    from airflow_mltest.core.symbols import Symbols

# `file::block` is a block; `file::@name` a name with all that it may do when it is called or used, `file::~name` only
# what makes it, `file::^name` what makes an object of a class; `file::name[]` what others put into it, `file::~name[]`
# that they do, `file::name<subclasses>` the classes made of it; `file::*` a whole file; `.name` an attribute that
# somebody asks for, `.name=` that somebody sets. A block's own code without what it uses: `file::block!`;
# only that it is there, and how it is decorated: `file::block?`.
Node = str
_ACTIVE, _COPIES, _ANYTHING, _UNPICKLED = ".<active>", ".<copies>", ".<anything>", ".<unpickled>"
_IMPORTS, _RUNS, _TRUE = ".<imports>", ".<runs>", ".<true>"

_HOOKS = words("__init_subclass__ __set_name__ __class_getitem__ __prepare__")
# They run when an object is made, decorates or is looked up.
_MAKING = _HOOKS | words("__new__ __init__ __post_init__ __get__ __getattr__ __getattribute__ __del__")
_RESTORING = words("__reduce__ __reduce_ex__")
_COPYING = _RESTORING | words("__getstate__ __setstate__ __copy__ __deepcopy__ __getnewargs__")
_SPECIAL = {"__setattr__": ".=", "__delattr__": ".=", "__bool__": _TRUE, "__len__": _TRUE}
# What other people's code asks of an object that it is given.
_PROTOCOLS = words(
    "read write readline readlines writelines close flush seek tell fileno keys values items get next send throw "
    "default emit filter format run start stop join acquire release encode decode fit transform predict "
    "predict_proba fit_transform score get_params set_params update"
)


class Graph(Classes):
    """
    What uses what; edges point from the user to the used.

    An object can only do what its class can, and only if somebody asks for it: a method is reached by
    whoever reaches its class and an attribute of its name, wherever either is.

    Args:
        sources: File -> its text, read.
        symbols: Tells what names mean.
    """

    def __init__(self, sources: Mapping[str, Source], symbols: Symbols) -> None:
        super().__init__(sources, symbols)
        self.edges: dict[Node, set[Node]] = defaultdict(set)
        # Node -> the two that must both be reached.
        self.gates: dict[Node, tuple[Node, Node]] = {}
        # Attribute -> the methods behind it that run once for an object.
        self.cached: dict[str, set[Node]] = defaultdict(set)
        # Block -> the files that it may import by a name made up at run time.
        self.importing: dict[Node, set[Node]] = defaultdict(set)
        for file, source in sources.items():
            for name, blocks in source.names.items():
                self._join(file, name, blocks)
            self.edges[f"{file}::*"].update(f"{file}::{name}" for name in (REST, MAIN) if name in source.blocks)
        for file, source in sources.items():
            for name, block in source.blocks.items():
                self._link(file, name, block)
        for (other, name), node in Registries(self).contents():
            self.edges[f"{other}::{name}[]"].add(node)
            self.edges[f"{other}::~{name}[]"].update(self._saying(node))
        self.find_lasting()
        # Bodies that find what an earlier call of them has made.
        self.keeping = {
            f"{file}::{name}" for file in sources for name in sources[file].blocks if self.keeps(file, name)
        }

    def _saying(self, node: Node) -> Iterator[Node]:
        """Give the text in which something says that it belongs into a table, and under which name."""
        file, _, name = node.partition("::")
        blocks = self.sources[file].blocks
        if name.startswith("@"):
            yield from (f"{file}::{block}?" for block in self.names(file, name[1:]) if not blocks[block].inside)
        else:
            yield f"{node}!" if blocks[name].inside else node

    def _join(self, file: str, name: str, blocks: Iterable[str]) -> None:
        """Join the blocks of a name: `@` to all of them, `~` to those that run at import."""
        whole, made = self.edges[f"{file}::@{name}"], self.edges[f"{file}::~{name}"]
        self.edges[f"{file}::*"].add(f"{file}::@{name}")
        self.edges[f"{file}::~*"].add(f"{file}::~{name}")
        whole.add(f"{file}::{name}[]")
        made.add(f"{file}::{name}[]")
        known = self.sources[file].blocks
        for block in blocks:
            if not known[block].inside and (not block.endswith("()") or block == f"{name}()"):
                made.add(f"{file}::{block}")
            elif block.endswith("()") and self.caches(file, block):
                self.cached[method_of(block)].add(f"{file}::{block.removesuffix('()')}")
        if f"{name}()" in blocks and self.caches(file, f"{name}()"):
            made.update(f"{file}::{block}" for block in blocks)
        if f"class {name}" in blocks:
            self._join_class(file, name, blocks)
        else:
            whole.update(f"{file}::{block}" for block in blocks)

    def _join_class(self, file: str, name: str, blocks: Iterable[str]) -> None:
        whole = self.edges[f"{file}::@{name}"]
        foreign = self.is_foreign(file, name)
        for block in blocks:
            if foreign or not block.startswith(f"{name}."):
                whole.add(f"{file}::{block}")
            else:
                self._guard(file, name, block)
        inner = [block.removeprefix("class ") for block in blocks if block.startswith("class ")]
        whole.update(f"{base}::@{other}" for one in inner for base, other in self.bases(file, one))
        self.edges[_UNPICKLED].add(f"{file}::@{name}")
        self.edges[f"{file}::^{name}"].update([f"{file}::class {name}", *self.methods(file, name, _MAKING)])

    def _guard(self, file: str, name: str, block: str, method: str = "") -> None:
        """Let a method be reached by whoever has its class and asks for it, by its name or as another *method*."""
        method = method or method_of(block)
        if method in _MAKING or method == "__call__":
            self.edges[f"{file}::@{name}"].add(f"{file}::{block}")
            return
        self._gate(f"{file}::@{name}", f".{method}", f"{file}::{block}")
        self._gate(f"{file}::@{name}", _ANYTHING, f"{file}::{block}")
        head = self.sources[file].blocks.get(f"{block}()")
        if head and any(chain[-1] in {"setter", "deleter"} for chain, _ in head.uses.decorators):
            self._gate(f"{file}::@{name}", f".{method}=", f"{file}::{block}")
        if method in _SPECIAL:
            self._gate(f"{file}::@{name}", _SPECIAL[method], f"{file}::{block}")
        if method in _COPYING:
            self._gate(f"{file}::@{name}", _COPIES, f"{file}::{block}")
        elif method in _PROTOCOLS or (method.startswith("__") and method.endswith("__")):
            self._gate(f"{file}::@{name}", _ACTIVE, f"{file}::{block}")

    def _gate(self, first: Node, second: Node, target: Node) -> None:
        """Lead to *target* whoever reaches both *first* and *second*."""
        gate = f"{first}&{second}"
        self.gates[gate] = (first, second)
        self.edges[first].add(gate)
        self.edges[second].add(gate)
        self.edges[gate].add(target)

    def _link(self, file: str, name: str, block: Block) -> None:
        """Lead a block to what it uses."""
        if name.startswith("import "):
            # A module may make what is imported from it at that moment.
            made = self.symbols.named(file, (symbol_of(name),)) if symbol_of(name) else ()
            self.edges[f"{file}::{name}"].update(f"{base}::@{other}" for base, other in made if other == "__getattr__")
            return
        self._link_names(file, name, block)
        for chain, called in block.uses.decorators:
            if block.owner:  # `@show.register`, of a method `show`
                self.edges[f"{file}::{block.owner}.{chain[0]}"].add(f"{file}::{name.removesuffix('()')}")
            self._decorate(file, name, block, chain, called=called)
        self._link_texts(file, name, block)
        self.edges[f"{file}::{name}"].update(self._asked(file, block))
        if block.owner:
            self._link_class(file, name, block)

    def _link_names(self, file: str, name: str, block: Block) -> None:
        uses, edges = block.uses, self.edges[f"{file}::{name}"]
        itself = f"{file}::@{block.owner}" if block.owner and name != f"class {block.owner}" else ""
        for target in {target for chain in uses.chains for target in self._targets(file, block, chain)}:
            if target == itself:  # who calls its methods has the class already
                edges.add(f"{file}::^{block.owner}")
            elif method_of(name) in _RESTORING:
                # What restores a copy finds what was copied, and nothing else that is kept beside it.
                edges.update((made_by(target), f"{target.replace('::@', '::')}!"))
            else:
                edges.add(target)
        for chain in uses.references:
            # To mention a function is not to run it; whoever uses the table of functions may.
            targets = set(self._targets(file, block, chain))
            edges.update(map(made_by, targets))
            self.edges[f"{file}::@{symbol_of(name)}"].update(targets)
        edges.update(f"{base}::~{other}" for base, other in self.meant(file, block, uses.annotations))
        edges.update(f"{base}::{other} =" for base, other in self.meant(file, block, uses.changes | uses.members))
        for base, other in self.meant(file, block, uses.members):
            # What is in a class, a class says; what others put into a table, their heads do.
            edges.add(f"{base}::~{other}" if self.is_class(base, other) else f"{base}::~{other}[]")
        for base, other in self.meant(file, block, uses.effects):
            # `module.register(this)` is no list's method.
            if self.is_class(base, other) or f"{other}()" in self.names(base, other):
                edges.add(f"{base}::@{other}")

    def _targets(self, file: str, block: Block, chain: Chain) -> Iterator[Node]:
        for base, other in self.symbols.meant(file, block, chain):
            if other != "*":
                yield f"{base}::@{other}"
                continue
            handed = [text for given, text in block.uses.handed if given == chain]
            for text in filter(None, handed):
                for target, inner in self.symbols.named(base, tuple(text.split("."))):
                    yield f"{target}::@{inner}"
            if not handed or "" in handed:
                yield f"{base}::*"

    def _decorate(self, file: str, name: str, block: Block, chain: Chain, *, called: bool) -> None:
        """Lead what is decorated by a class to what makes an object of it; who uses it also calls that object."""
        edges = self.edges[f"{file}::{name}"]
        for target in set(self._targets(file, block, chain)):
            base, _, other = target.partition("::@")
            if not self.is_class(base, other):
                edges.add(target)
                continue
            edges.add(f"{base}::^{other}")
            self.edges[f"{file}::@{symbol_of(name)}"].add(target)
            maker = self.sources[base].blocks.get(f"{other}.__new__")
            waits = maker is not None and any(call[-1] == "partial" for call in maker.uses.calls)
            if called and not waits:
                edges.update(self.methods(base, other, ("__call__",)))

    def _link_texts(self, file: str, name: str, block: Block) -> None:
        """Lead a block to what its texts name, a script or a package only if there is somebody who runs such."""
        edges = self.edges[f"{file}::{name}"]
        for text in block.uses.texts:
            for base, other in self.symbols.of_text(text):
                if other != "*":
                    edges.add(f"{base}::@{other}")
                elif "." in text and not text.endswith(".py"):
                    edges.add(f"{base}::*")
                else:
                    act = _RUNS if text.endswith(".py") else _IMPORTS
                    word = f"{base}::<mentioned>{act}"
                    self._gate(word, act, f"{base}::*")
                    edges.add(word)
        if block.uses.importing:
            self.importing[f"{file}::{name}"].update(self._by_name_made_up(file, block))

    def _by_name_made_up(self, file: str, block: Block) -> set[Node]:
        """Give the files that a block may import by a name that it makes up: those that it hints at, else its own."""
        hints = [text for text in block.uses.texts if text.endswith(".") and len(text) > 1]
        found = {f"{other}::*" for hint in hints for other, _ in self.symbols.under(hint, file)}
        if not found and not any(map(self.symbols.of_text, block.uses.texts)):
            found = {f"{other}::*" for other, _ in self.symbols.under(".", file)}
        return found

    def _asked(self, file: str, block: Block) -> Iterator[Node]:
        """Give the attributes that a block asks for, or lets others ask for."""
        uses = block.uses
        yield from (f".{attribute}" for attribute in uses.attributes)
        yield from (f".{attribute}=" for attribute in (uses.stored | {""} if uses.stored else ()))
        given = (self.symbols.meant(file, block, chain) for chain in uses.given if chain)
        abroad = any(not any(self.defines(*symbol) for symbol in symbols) for symbols in given)
        acts = {
            _ACTIVE: uses.active or abroad, _COPIES: uses.copying, _UNPICKLED: uses.unpickling,
            _ANYTHING: uses.anything, _RUNS: uses.running, _IMPORTS: uses.importing,
            _TRUE: uses.testing, f"{file}::*": uses.own,
        }  # fmt: skip
        yield from (act for act, done in acts.items() if done)

    def _link_class(self, file: str, name: str, block: Block) -> None:
        """Lead what stands in a class to the class, and to what it asks of itself; a class to its bases."""
        edges = self.edges[f"{file}::{name}"]
        head = f"class {block.owner}"
        if name != head:
            edges.add(f"{file}::{head}")
            edges.update(self.methods(file, block.owner, block.uses.attributes))
            return
        for alias, method in block.uses.aliases:
            if f"{block.owner}.{method}" in self.sources[file].blocks and alias != "__call__":
                self._guard(file, symbol_of(head), f"{block.owner}.{method}", alias)
        called = (f"{block.owner}.{chain[0]}" for chain in block.uses.calls)
        edges.update(f"{file}::{method}" for method in called if method in self.sources[file].blocks)
        for base, other in self.bases(file, block.owner):
            self._gate(f"{base}::@{symbol_of(f'class {other}')}", ".__subclasses__", f"{base}::{other}<subclasses>")
            self.edges[".<subclasses>"].add(f"{base}::{other}<subclasses>")
            self.edges[f"{base}::{other}<subclasses>"].update(
                (f"{file}::@{symbol_of(head)}", f"{file}::{block.owner}<subclasses>")
            )
            edges.add(f"{base}::~{other}")
            hooks = list(self.methods(base, other, _HOOKS))
            edges.update(hooks)
            if hooks:
                # Whoever has the base may find this class in it.
                self.edges[f"{base}::{other}[]"].add(f"{file}::@{symbol_of(head)}")

    def subclasses(self, node: Node) -> Iterator[Node]:
        """Give the classes made of those that a block uses; of any, where it uses none that is known."""
        file, _, name = node.partition("::")
        owner = self.sources[file].blocks[name].owner
        used = {other.replace("::@", "::") for other in self.edges.get(node, ())} | {f"{file}::{owner}"}
        found = [other for one in used if (other := f"{one}<subclasses>") in self.edges]
        yield from found or [".<subclasses>"]


def made_by(node: Node) -> Node:
    """Give what makes a name, of what it may do."""
    file, _, name = node.partition("::")
    if name == "*":
        return f"{file}::~*"
    return f"{file}::~{name[1:]}" if name.startswith(("@", "^")) else node
