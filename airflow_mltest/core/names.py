"""What a piece of code uses: names, attributes and texts."""

from __future__ import annotations

from dataclasses import dataclass, field

# A name and the attributes asked of it: `nx.utils.open_file` is ("nx", "utils", "open_file").
Chain = tuple[str, ...]


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
        handed: Pairs of what is handed to a call and a text that is handed along: `setattr(module, "name", 1)`.
        calls: What it calls.
        given: Of these, those that it hands something to.
        parameters: The parameters of a function's head, and those that its decorators are given by name.
        active: Whether it may call special methods (`__iter__`, `__add__`, ...) of what it has, as operators,
            loops and functions of other people do.
        anything: Whether it asks for attributes by names that it makes up.
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
