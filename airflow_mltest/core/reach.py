"""Which blocks of code can lead to which others, whatever values they meet at run time."""

from __future__ import annotations

import builtins
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import MAIN, REST
from airflow_mltest.core.imports import Source, symbol_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_mltest.core.imports import Block
    from airflow_mltest.core.names import Chain
    from airflow_mltest.core.symbols import Symbol, Symbols

# Nodes: `file::block`; `file::@name` is a name with all that it may do when it is called or used, `file::~name` only
# what makes it; `file::name[]` is what others put into it, and `file::*` a whole file. `.name` is the attribute.
# Of the methods of a class that is used, those run that somebody asks for.
Node = str
ACTIVE, COPIES, ANYTHING, UNPICKLED = ".<active>", ".<copies>", ".<anything>", ".<unpickled>"
IMPORTS, RUNS = ".<imports>", ".<runs>"

_CACHING = re.compile(r"cache|memo|once\b|lazy|singleton|lru", re.IGNORECASE)
_HOOKS = frozenset(("__init_subclass__", "__set_name__", "__class_getitem__", "__prepare__"))
# They run when an object is made, decorates or is looked up.
_MAKING = _HOOKS | frozenset(
    ["__new__", "__init__", "__post_init__", "__call__", "__get__", "__getattr__", "__getattribute__", "__del__"]
)
_COPYING = frozenset(
    ["__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__copy__", "__deepcopy__", "__getnewargs__"]
)
_RESTORING = frozenset(("__reduce__", "__reduce_ex__"))
_COPIERS = frozenset(
    [
        "copy",
        "deepcopy",
        "pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "shelve",
        "multiprocessing",
        "concurrent",
        "futures",
        "ProcessPoolExecutor",
        "Pool",
        "Process",
        "Parallel",
        "clone",
    ]
)
_PICKLERS = frozenset(["pickle", "dill", "cloudpickle", "joblib", "torch"])
# What other people's code asks of an object that it is given.
_PROTOCOLS = frozenset(
    [
        "read",
        "write",
        "readline",
        "readlines",
        "writelines",
        "close",
        "flush",
        "seek",
        "tell",
        "fileno",
        "keys",
        "values",
        "items",
        "get",
        "next",
        "send",
        "throw",
        "default",
        "emit",
        "filter",
        "format",
        "run",
        "start",
        "stop",
        "join",
        "acquire",
        "release",
        "encode",
        "decode",
        "fit",
        "transform",
        "predict",
        "predict_proba",
        "fit_transform",
        "score",
        "get_params",
        "set_params",
        "update",
    ]
)
_KNOWN_BASES = frozenset(dir(builtins)) | frozenset(
    [
        "ABC",
        "Generic",
        "Protocol",
        "Enum",
        "IntEnum",
        "StrEnum",
        "Flag",
        "NamedTuple",
        "TypedDict",
        "Mapping",
        "MutableMapping",
        "Sequence",
        "MutableSequence",
        "Set",
        "MutableSet",
        "Iterable",
        "Iterator",
        "Collection",
        "Container",
        "Hashable",
        "Sized",
        "Callable",
        "UserDict",
    ]
)


class Graph:
    """
    What leads where; edges point from the user to the used.

    Args:
        sources: File -> its text, read.
        symbols: Tells what names mean.
    """

    def __init__(self, sources: Mapping[str, Source], symbols: Symbols) -> None:
        self.sources, self.symbols = sources, symbols
        self.edges: dict[Node, set[Node]] = defaultdict(set)
        # Node -> the two that must both be reached.
        self.gates: dict[Node, tuple[Node, Node]] = {}
        # Attribute -> the methods behind it that run once for an object.
        self.cached: dict[str, set[Node]] = defaultdict(set)
        # Block -> the files that it may import by a name made up at run time.
        self.importing: dict[Node, set[Node]] = defaultdict(set)
        self._filling: dict[Symbol, set[Symbol]] = {}
        for file, source in sources.items():
            for name, blocks in source.names.items():
                self._join(file, source, name, blocks)
        for file, source in sources.items():
            for name, block in source.blocks.items():
                self._link(file, name, block)
            self._gather(file, source)
        for file, source in sources.items():
            for name, block in source.blocks.items():
                if not block.inside:
                    self._register(file, name, block)

    def meant(self, file: str, block: Block, chains: Iterable[Chain]) -> set[Symbol]:
        """Give the symbols that *chains* stand for in a block."""
        return {symbol for chain in chains for symbol in self.symbols.meant(file, block, chain)}

    def own(self, file: str, block: str) -> Iterator[Node]:
        """Give a block, and the bodies of the functions inside of it."""
        yield f"{file}::{block}"
        source = self.sources.get(file)
        for other in source.names.get(symbol_of(block), ()) if source else ():
            if other.startswith(f"{block}.<locals>."):
                yield f"{file}::{other}"

    def methods(self, file: str, owner: str, names: Iterable[str], depth: int = 8) -> Iterator[Node]:
        """Give the blocks of those methods of a class and of its bases that have one of *names*."""
        source = self.sources.get(file)
        if source is None or depth < 0 or f"class {owner}" not in source.blocks:
            return
        for block in source.names.get(symbol_of(f"class {owner}"), ()):
            if block.startswith(f"{owner}.") and _method(block[len(owner) + 1 :]) in names:
                yield f"{file}::{block}"
        for base_file, base in self.bases(file, owner):
            yield from self.methods(base_file, base, names, depth - 1)

    def bases(self, file: str, owner: str) -> set[Symbol]:
        """Give the classes of the project that a class is made of."""
        block = self.sources[file].blocks[f"class {owner}"]
        return {
            (base, name)
            for base, name in self.meant(file, block, block.uses.bases)
            if base in self.sources and f"class {name}" in self.sources[base].blocks and (base, name) != (file, owner)
        }

    def inherits(self, file: str, owner: str) -> bool:
        """Say whether a class has a base in the project."""
        source = self.sources.get(file)
        return bool(source and f"class {owner}" in source.blocks and self.bases(file, owner))

    def _join(self, file: str, source: Source, name: str, blocks: Iterable[str]) -> None:
        """Join the blocks of a name: `@` to all of them, `~` to those that run at import."""
        whole, made = self.edges[f"{file}::@{name}"], self.edges[f"{file}::~{name}"]
        whole.add(f"{file}::{name}[]")
        made.add(f"{file}::{name}[]")
        is_class = f"class {name}" in blocks
        free = is_class and self._foreign(file, source, name)
        for block in blocks:
            if not is_class or free or block.startswith(("class ", "import ")) or block.endswith(" ="):
                whole.add(f"{file}::{block}")
            elif block.startswith(f"{name}."):
                self._guard(file, name, block)
            if not source.blocks[block].inside and (not block.endswith("()") or block == f"{name}()"):
                made.add(f"{file}::{block}")
            elif block.endswith("()") and self._caches(source.blocks[block]):
                self.cached[_method(block)].add(f"{file}::{block.removesuffix('()')}")
        if f"{name}()" in blocks and self._caches(source.blocks[f"{name}()"]):
            made.update(f"{file}::{block}" for block in blocks)
        if is_class:
            self.edges[UNPICKLED].add(f"{file}::@{name}")
            self.edges[f"{file}::^{name}"].update(
                [f"{file}::class {name}", *self.methods(file, name, _MAKING - {"__call__"})]
            )
            whole.update(f"{base}::@{other}" for base, other in self.bases(file, name))
        self.edges[f"{file}::*"].add(f"{file}::@{name}")
        self.edges[f"{file}::~*"].add(f"{file}::~{name}")

    def _guard(self, file: str, name: str, block: str) -> None:
        """Let a method be reached by whoever has its class and asks for it."""
        method = _method(block)
        if method in _MAKING:
            self.edges[f"{file}::@{name}"].add(f"{file}::{block}")
            return
        asked = [f".{method}", ANYTHING]
        if method in _COPYING:
            asked.append(COPIES)
        elif method in _PROTOCOLS or (method.startswith("__") and method.endswith("__")):
            asked.append(ACTIVE)
        for attribute in asked:
            gate = f"{file}::{name}{attribute}?"
            self.gates[gate] = (f"{file}::@{name}", attribute)
            self.edges[f"{file}::@{name}"].add(gate)
            self.edges[attribute].add(gate)
            self.edges[gate].add(f"{file}::{block}")

    def _foreign(self, file: str, source: Source, name: str) -> bool:
        """Say whether a class has a base of other people, which may call any of its methods."""
        block = source.blocks[f"class {name}"]
        for chain in block.uses.bases:
            inside = any(self._defined(*symbol) for symbol in self.symbols.meant(file, block, chain))
            if not inside and chain[-1] not in _KNOWN_BASES:
                return True
        return False

    def _defined(self, file: str, name: str) -> bool:
        source = self.sources.get(file)
        return bool(source) and any(not block.startswith("import ") for block in source.names.get(name, ()))  # type: ignore[union-attr]

    def _caches(self, block: Block) -> bool:
        return any(_CACHING.search(".".join(chain)) for chain in block.uses.calls | block.uses.chains)

    def _link(self, file: str, name: str, block: Block) -> None:  # noqa: C901  one use after the other
        """Lead a block to what it uses."""
        uses, edges = block.uses, self.edges[f"{file}::{name}"]
        if name.startswith("import "):
            # A module may make what is imported from it at that moment.
            made = self.symbols.named(file, (symbol_of(name),)) if symbol_of(name) else ()
            edges.update(f"{base}::@{other}" for base, other in made if other == "__getattr__")
            return
        restoring = _method(name) in _RESTORING
        for chain in uses.chains:
            targets = set(self._targets(file, block, chain))
            if block.owner and name != f"class {block.owner}":
                targets = {_itself(target, file, block.owner) for target in targets}
            # What restores a copy finds what was copied, and nothing else that is kept beside it.
            edges.update(_alone(targets) if restoring else targets)
        for chain in uses.references:
            # To mention a function is not to run it; whoever uses the table of functions may.
            targets = set(self._targets(file, block, chain))
            edges.update(map(made_by, targets))
            self.edges[f"{file}::@{symbol_of(name)}"].update(targets)
        for chain, called in uses.decorators:
            self._decorate(file, name, block, chain, called=called)
        edges.update(f"{base}::~{other}" for base, other in self.meant(file, block, uses.annotations))
        edges.update(f"{base}::{other} =" for base, other in self.meant(file, block, uses.changes | uses.members))
        for text in uses.texts:
            for base, other in self.symbols.of_text(text):
                if other != "*":
                    edges.add(f"{base}::@{other}")
                elif text.endswith(".py"):
                    edges.add(self._mention(base, RUNS))
                else:
                    edges.add(f"{base}::*" if "." in text else self._mention(base, IMPORTS))
        if uses.importing:
            self.importing[f"{file}::{name}"].update(self._by_name_made_up(file, block))
        self._ask(file, block, edges)
        if block.owner:
            self._link_class(file, name, block)

    def _decorate(self, file: str, name: str, block: Block, chain: Chain, *, called: bool) -> None:
        """Lead what is decorated by a class to what makes an object of it; who uses it also calls that object."""
        for target in self._targets(file, block, chain):
            base, _, other = target.partition("::@")
            made = f"{base}::^{other}"
            if made in self.edges:
                self.edges[f"{file}::{name}"].add(made)
                self.edges[f"{file}::@{symbol_of(name)}"].add(target)
                if called and not self._is_partial(base, other):
                    self.edges[f"{file}::{name}"].update(self.methods(base, other, ("__call__",)))
            else:
                self.edges[f"{file}::{name}"].add(target)

    def _is_partial(self, file: str, name: str) -> bool:
        """Say whether a class that is given no function gives something that waits for one."""
        block = self.sources[file].blocks.get(f"{name}.__new__")
        return block is not None and any(chain[-1] == "partial" for chain in block.uses.calls)

    def _mention(self, file: str, act: Node) -> Node:
        """Give what a word leads to that may name a script or a package, if there is somebody who runs such."""
        word, gate = f"{file}::<mentioned>{act}", f"{file}::<mentioned>{act}?"
        self.gates[gate] = (word, act)
        self.edges[word].add(gate)
        self.edges[act].add(gate)
        self.edges[gate].add(f"{file}::*")
        return word

    def _by_name_made_up(self, file: str, block: Block) -> Iterator[Node]:
        """Give the files that a block may import by a name that it makes up: those that it hints at, else its own."""
        hints = [text for text in block.uses.texts if text.endswith(".") and len(text) > 1]
        found = {f"{other}::*" for hint in hints for other, _ in self.symbols.under(hint, file)}
        if not found and not any(self.symbols.of_text(text) for text in block.uses.texts):
            found = {f"{other}::*" for other, _ in self.symbols.under(".", file)}
        yield from found

    def _ask(self, file: str, block: Block, edges: set[Node]) -> None:
        """Lead a block to the attributes that it asks for, or lets others ask for."""
        uses = block.uses
        edges.update(f".{attribute}" for attribute in uses.attributes)
        if uses.active or any(not self._calls_ours(file, block, chain) for chain in uses.given):
            edges.add(ACTIVE)
        # `x.copy()` is a method of x, `copy.copy(x)` is not.
        if not _COPIERS.isdisjoint(uses.attributes - {"copy"}) or any(chain[0] in _COPIERS for chain in uses.chains):
            edges.add(COPIES)
        loads = uses.attributes & {"load", "loads", "Unpickler"}
        if loads and not uses.attributes & {"dump", "dumps"} and any(chain[0] in _PICKLERS for chain in uses.chains):
            edges.add(UNPICKLED)
        if uses.anything:
            edges.add(ANYTHING)
        if uses.running:
            edges.add(RUNS)
        if uses.importing:
            edges.add(IMPORTS)

    def _calls_ours(self, file: str, block: Block, chain: Chain) -> bool:
        return any(self._defined(*symbol) for symbol in self.symbols.meant(file, block, chain)) if chain else True

    def _targets(self, file: str, block: Block, chain: Chain) -> Iterator[Node]:
        for base, other in self.symbols.meant(file, block, chain):
            if other != "*":
                yield f"{base}::@{other}"
                continue
            handed = [text for given, text in block.uses.handed if given == chain]
            for text in handed:
                for target, inner in self.symbols.named(base, tuple(text.split("."))):
                    yield f"{target}::@{inner}"
            if not handed:
                yield f"{base}::*"

    def _link_class(self, file: str, name: str, block: Block) -> None:
        """Lead what stands in a class to the class, and to what it asks of itself; a class to its bases."""
        edges = self.edges[f"{file}::{name}"]
        head = f"class {block.owner}"
        if name != head:
            edges.add(f"{file}::{head}")
            edges.update(self.methods(file, block.owner, block.uses.attributes))
            return
        for base, other in self.bases(file, block.owner):
            edges.add(f"{base}::~{other}")
            hooks = list(self.methods(base, other, _HOOKS))
            edges.update(hooks)
            if hooks:
                # Whoever has the base may find this class in it.
                self.edges[f"{base}::{other}[]"].add(f"{file}::@{symbol_of(head)}")

    def _gather(self, file: str, source: Source) -> None:
        """Lead what a module's variables hold to whoever puts something into them."""
        self.edges[f"{file}::*"].update(f"{file}::{name}" for name in (REST, MAIN) if name in source.blocks)
        for name, block in source.blocks.items():
            # What a test leaves behind is its own fault, and what a hook does every test stands on anyway.
            if name == REST or (block.inside and not _method(name).startswith(("test", "pytest_"))):
                changing = block.uses.changes | (block.uses.chains if name == REST else set())
                for base, other in self.meant(file, block, changing):
                    if self._holds(base, other):
                        self.edges[f"{base}::{other}[]"].add(f"{file}::{name}")

    def _holds(self, file: str, name: str) -> bool:
        """Say whether a name is one that may be given something: a variable, or a class."""
        blocks = self.sources[file].names.get(name, ()) if file in self.sources else ()
        return f"{name} =" in blocks or f"class {name}" in blocks

    def _register(self, file: str, name: str, block: Block) -> None:
        """Lead a registry to what registers itself at import: by a decorator, or a call."""
        symbol = symbol_of(name)
        entry = f"{file}::@{symbol}" if symbol and not name.endswith(" =") else f"{file}::{name}"
        for chain in block.uses.calls:
            for base, other in self.symbols.meant(file, block, chain):
                for variable in self._filled((base, other)):
                    self.edges[f"{variable[0]}::{variable[1]}[]"].add(entry)
            # `@app.route(...)`: the object keeps what it is given.
            for base, other in self.symbols.meant(file, block, chain[:-1]) if len(chain) > 1 else ():
                if self._defined(base, other):
                    self.edges[f"{base}::{other}[]"].add(entry)

    def _filled(self, function: Symbol) -> set[Symbol]:
        """Give the variables into which a function, or what it calls in its own module, puts something."""
        if function not in self._filling:
            self._filling[function] = found = set()
            file, name = function
            for block in self._called(file, name):
                body = self.sources[file].blocks[block]
                found |= {one for one in self.meant(file, body, body.uses.changes) if self._holds(*one)}
                for other in self.meant(file, body, body.uses.calls):
                    if other[0] == file:
                        found |= self._filled(other)
        return self._filling[function]

    def _called(self, file: str, name: str) -> Iterator[str]:
        """Name the bodies that run when a function of a module is called, or a class."""
        source = self.sources.get(file, Source())
        for block in source.names.get(name, ()):
            made = block.startswith((f"{name}.__init__", f"{name}.__new__", f"{name}.__call__"))
            if source.blocks[block].inside and (made or f"class {name}" not in source.names[name]):
                yield block


def _itself(node: Node, file: str, owner: str) -> Node:
    """Give what makes a class, in place of all of it, for its own methods: who calls them has it already."""
    return f"{file}::^{owner}" if node == f"{file}::@{owner}" else node


def _alone(nodes: Iterable[Node]) -> Iterator[Node]:
    """Give names with their own code only, and not what that leads to."""
    for node in nodes:
        yield made_by(node)
        yield f"{node.replace('::@', '::')}!"


def made_by(node: Node) -> Node:
    """Give what makes a name, of what it may do."""
    file, _, name = node.partition("::")
    if name == "*":
        return f"{file}::~*"
    return f"{file}::~{name[1:]}" if name.startswith(("@", "^")) else node


def _method(block: str) -> str:
    """Name the method that a block belongs to."""
    return block.partition(".<locals>.")[0].removesuffix("()").rpartition(".")[2]


class Reach:
    """
    Which of several starts can lead to a node; all are followed at once.

    Args:
        graph: What leads where.
        starts: Nodes that are begun with together.
    """

    def __init__(self, graph: Graph, starts: Iterable[frozenset[Node]]) -> None:
        self._starts = list(dict.fromkeys(starts))
        self._reached = _flow(graph, self._starts)

    def hits(self, nodes: Mapping[Node, str]) -> dict[frozenset[Node], str]:
        """Give the starts that can lead to any of *nodes*, each with the words of the first."""
        found: dict[frozenset[Node], str] = {}
        known = 0
        for node, words in nodes.items():
            new = self._reached.get(node, 0) & ~known
            known |= new
            while new:
                lowest = new & -new
                found[self._starts[lowest.bit_length() - 1]] = words
                new ^= lowest
        return found


def _flow(graph: Graph, starts: Iterable[Iterable[Node]]) -> dict[Node, int]:
    """Give each node with the *starts* that can lead to it, as bits: start 3 is the fourth bit."""
    reached: dict[Node, int] = defaultdict(int)
    for number, nodes in enumerate(starts):
        for node in nodes:
            reached[node] |= 1 << number
    edges, importing, gates = graph.edges, graph.importing, graph.gates
    waiting = dict.fromkeys(reached)
    while waiting:
        now, waiting = waiting, {}
        for node in now:
            bits = reached[node]
            targets = edges.get(node, ())
            for target in (*targets, *importing[node]) if node in importing else targets:
                known = reached[target]
                if target in gates:
                    first, second = gates[target]
                    new = known | (reached[first] & reached[second])
                else:
                    new = known | bits
                if new != known:
                    reached[target] = new
                    waiting[target] = None
    return reached
