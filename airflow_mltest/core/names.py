"""What a piece of code uses: names, attributes and texts."""

from __future__ import annotations

import ast
import builtins
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A name and the attributes asked of it: `nx.utils.open_file` is ("nx", "utils", "open_file").
Chain = tuple[str, ...]

DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUITES = ("body", "orelse", "handlers", "finalbody", "cases")


def words(text: str) -> frozenset[str]:
    """Give the words of *text*."""
    return frozenset(text.split())


_IMPORTING = words(
    "import_module __import__ spec_from_file_location iter_modules walk_packages run_module run_path find_spec "
    "load_module exec_module import_string"
)
_RUNNING = words(
    "run_path run_module Popen check_output check_call system popen SourceFileLoader spec_from_file_location "
    "subprocess create_subprocess_exec create_subprocess_shell runpytest"
)
_LISTING = words("listdir scandir iterdir glob rglob iglob walk iter_modules walk_packages contents fwalk")
_COPYING = words(
    "copy deepcopy pickle dill cloudpickle joblib shelve multiprocessing concurrent futures ProcessPoolExecutor Pool "
    "Process Parallel clone"
)
_LISTING_NAMES = words("dir vars globals locals __dict__")
CHANGING = words(
    "add append appendleft clear discard extend insert pop popitem register remove reverse set setdefault sort update "
    "__setitem__ __delitem__ connect subscribe"
)
# Functions of Python that look at an object without calling what it defines.
QUIET = words("getattr hasattr isinstance issubclass setattr super type id callable vars property")
# Modules with which nothing registers.
_IDLE = {*sys.stdlib_module_names, "pytest", "hypothesis", "numpy", "pandas", "typing_extensions"}
_PICKLING = words("pickle dill cloudpickle joblib torch")


@dataclass(slots=True, kw_only=True)
class Uses:
    """
    What one block uses.

    Args:
        chains: What it reads, and may call.
        references: What it only mentions, without running it: the functions in a table of functions.
        annotations: What it only says the type of something is.
        changes: Variables of modules that it changes in place, or sets.
        members: Variables that it asks only whether something is in them.
        bases: The base classes, of a class.
        decorators: What decorates a function, and whether it is called first: `@cached`, `@cached(size=1)`.
        asked: Every attribute that it asks of anything.
        attributes: The same, and texts that could be the name of one.
        texts: Text constants.
        imports: What it imports: bound name -> (module with its leading dots, attribute or "").
        modules: The same, as modules that run then: `import a.b` binds `a`, and runs both.
        handed: Pairs of what is handed to a call and a text that is handed along: `setattr(module, "name", 1)`; no
            text where the same is also handed on without one.
        calls: What it calls.
        given: Of these, those that it hands something to.
        parameters: The parameters of a function's head, and those that its decorators are given by name.
        active: Whether it may call special methods (`__iter__`, `__add__`, ...) of what it has, as operators,
            loops and functions of other people do.
        anything: Whether it asks for attributes by names that it makes up.
        effects: Methods or functions that it calls for an effect, with a name as lists and sets have it: `X.add(1)`.
        stored: Attributes that it sets or deletes.
        aliases: Names of a class, each with one that its value holds: `size = property(get_size)`.
        keeps: Of the names that outlive a call (`Piece.lasting`), those in which it stores something.
        testing: Whether it asks if something is true.
        own: Whether it takes names of its own module that it makes up.
    """

    chains: set[Chain] = field(default_factory=set)
    references: set[Chain] = field(default_factory=set)
    annotations: set[Chain] = field(default_factory=set)
    changes: set[Chain] = field(default_factory=set)
    members: set[Chain] = field(default_factory=set)
    bases: set[Chain] = field(default_factory=set)
    decorators: set[tuple[Chain, bool]] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    imports: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    modules: set[tuple[str, str]] = field(default_factory=set)
    handed: set[tuple[Chain, str]] = field(default_factory=set)
    calls: set[Chain] = field(default_factory=set)
    given: set[Chain] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    active: bool = False
    anything: bool = False
    effects: set[Chain] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    aliases: set[tuple[str, str]] = field(default_factory=set)
    keeps: set[str] = field(default_factory=set)
    testing: bool = False
    own: bool = False

    def __or__(self, other: Uses) -> Uses:
        """Give what either of both uses."""
        joined = Uses(
            imports={
                name: [*self.imports.get(name, []), *other.imports.get(name, [])]
                for name in {*self.imports, *other.imports}
            }
        )
        for name in self.__slots__:
            if name != "imports":
                setattr(joined, name, getattr(self, name) | getattr(other, name))
        return joined

    @property
    def read(self) -> set[Chain]:
        """All that it reads."""
        return self.chains | self.references | self.bases | {chain for chain, _ in self.decorators}

    @property
    def importing(self) -> bool:
        """Whether it imports modules by names that no source may hold."""
        return not _IMPORTING.isdisjoint(self.attributes) or any(chain[-1] in _IMPORTING for chain in self.chains)

    @property
    def running(self) -> bool:
        """Whether it runs scripts that a text may name."""
        called = {chain[-1] for chain in self.calls if len(chain) == 1}
        if "exec" in called and (called | self.attributes) & {"read_text", "read", "open"}:
            return True
        if called & {"run", "call"} or not _RUNNING.isdisjoint(self.attributes):
            return True
        return any(chain[0] in _RUNNING for chain in self.calls)

    @property
    def listing(self) -> bool:
        """Whether it lists folders."""
        return not _LISTING.isdisjoint(self.attributes) or any(chain[-1] in _LISTING for chain in self.chains)

    @property
    def copying(self) -> bool:
        """Whether it copies objects, or sends them to another process."""
        # `x.copy()` is a method of x, `copy.copy(x)` is not.
        return not _COPYING.isdisjoint(self.attributes - {"copy"}) or any(chain[0] in _COPYING for chain in self.chains)

    @property
    def unpickling(self) -> bool:
        """Whether it reads objects that others have written."""
        loads, dumps = self.attributes & {"load", "loads", "Unpickler"}, self.attributes & {"dump", "dumps"}
        return bool(loads) and not dumps and any(chain[0] in _PICKLING for chain in self.chains)


class Walk:
    """
    A walk through a block; what is local to it is told by its attributes only.

    Args:
        scope: See `Piece`.
        lasting: See `Piece`.
    """

    def __init__(self, scope: frozenset[str], lasting: frozenset[str]) -> None:
        self.uses = Uses()
        # Variables that hold names made up, and those by which attributes are asked for.
        self.made_up: set[str] = set()
        self.asked: set[str] = set()
        # Attributes and variables that hold what is stored, and those of which something is given back.
        self.held: set[str] = set()
        self.returned: set[str] = set()
        self._scope, self._lasting = scope, lasting
        self._waiting: list[ast.AST] = []

    def _inner(self, node: ast.AST) -> None:
        self._waiting.extend(ast.iter_child_nodes(node))

    def _later(self, *nodes: ast.AST | None) -> None:
        self._waiting.extend(node for node in nodes if node is not None)

    def _chain(self, node: ast.AST) -> Chain:
        """Give the chain that *node* is; empty where it starts at no name, or at a local one."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or (node.id in self._scope):
            return ()
        return (node.id, *names[::-1])

    def _stores(self, node: ast.AST | None) -> None:
        """Note that something is put into what *node* is, or into what that is part of."""
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            if isinstance(node, ast.Attribute):
                self.held.add(node.attr)
                self.uses.keeps.update(["cls"] if node.attr == "__class__" else [])
            node = node.value
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "type":
            self.uses.keeps.add("cls")
        if isinstance(node, ast.Name) and node.id in self._lasting:
            self.uses.keeps.add(node.id)

    def _return(self, node: ast.Return) -> None:
        self.returned |= {getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node)} - {"self", ""}
        self._inner(node)

    def _loop(self, node: ast.For | ast.comprehension) -> None:
        """Note a loop over the names of something."""
        over = {getattr(one, "id", getattr(one, "attr", "")) for one in ast.walk(node.iter)}
        if over & _LISTING_NAMES:
            self.made_up.update(one.id for one in ast.walk(node.target) if isinstance(one, ast.Name))
        self._inner(node)


def kept_defaults(arguments: ast.arguments) -> Iterator[str]:
    """Name the parameters whose default can be changed, and is the same object at each call."""
    places = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(places[::-1], arguments.defaults[::-1]), *zip(arguments.kwonlyargs, arguments.kw_defaults)]  # noqa: B905
    for one, default in pairs:
        if isinstance(default, (ast.Dict, ast.List, ast.Set, ast.Call)):
            yield one.arg


def statements_of(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Give *statements* and those inside of them, without what functions and classes hold."""
    for node in statements:
        yield node
        if not isinstance(node, (*DEFS, ast.ClassDef)):
            for suite in _SUITES:
                yield from statements_of(getattr(node, suite, ()))


def stored(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Name what *statements* assign, not counting imports at the level of a module."""
    for statement in statements_of(statements):
        if isinstance(statement, (*DEFS, ast.ClassDef, ast.ExceptHandler)) and statement.name:
            yield statement.name
        for node in _binding(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
                yield node.name


def _binding(statement: ast.AST) -> Iterator[ast.AST]:
    """Give the syntax in which a statement itself may bind names: its targets, and `:=`."""
    for part in _parts(statement, "targets", "items", "target", "pattern"):
        yield from ast.walk(part)
    for part in _parts(statement, "test", "value", "iter", "subject"):
        yield from (node.target for node in ast.walk(part) if isinstance(node, ast.NamedExpr))


def _parts(statement: ast.AST, *names: str) -> Iterator[ast.AST]:
    for name in names:
        found = getattr(statement, name, ())
        yield from (one for one in (found if isinstance(found, list) else [found]) if isinstance(one, ast.AST))


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Name what an import statement binds; a star, and of what, where it binds all there is."""
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    source = "." * node.level + (node.module or "")
    return [f"* {source}" if alias.name == "*" else alias.asname or alias.name for alias in node.names]


def imports_of(node: ast.Import | ast.ImportFrom) -> Iterable[tuple[str, tuple[str, str]]]:
    """Give each name that an import binds, with the module (with its leading dots) and the attribute that it means."""
    if isinstance(node, ast.ImportFrom):
        source = "." * node.level + (node.module or "")
        return [(name, (source, alias.name)) for name, alias in zip(imported(node), node.names, strict=True)]
    return [
        (name, (alias.name if alias.asname else name, ""))
        for name, alias in zip(imported(node), node.names, strict=True)
    ]


def idle(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Name what an import binds of modules with which nothing registers."""
    for alias in node.names:
        module = alias.name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
        if module.partition(".")[0] in _IDLE:
            yield alias.asname or alias.name.partition(".")[0]


def makers(node: Any) -> Iterator[str]:
    """Write down what decorates a statement's function or class, or the function whose result it keeps."""
    value = getattr(node, "value", None)
    for one in [*getattr(node, "decorator_list", ()), *([value] if isinstance(value, ast.Call) else [])]:
        called = one.func if isinstance(one, ast.Call) else one
        if isinstance(called, (ast.Name, ast.Attribute)):
            name = ast.unparse(called)
            yield from () if hasattr(builtins, name) else (name,)
