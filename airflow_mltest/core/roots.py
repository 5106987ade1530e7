"""Where a test begins: its function, its class, its fixtures, and the hooks around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import REST
from airflow_mltest.core.graph import made_by

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from airflow_mltest.core.changes import Program
    from airflow_mltest.core.collected import CollectedTest
    from airflow_mltest.core.graph import Node

_MODULE = [
    "setup_module",
    "teardown_module",
    "setup_function",
    "teardown_function",
    "setUpModule",
    "tearDownModule",
    "setup",
    "teardown",
    "pytestmark",
    "pytest_generate_tests",
    "pytest_plugins",
    "load_tests",
    "collect_ignore",
    "collect_ignore_glob",
]
_CLASS = frozenset(
    [
        "setup_class",
        "teardown_class",
        "setup_method",
        "teardown_method",
        "setup",
        "teardown",
        "setUp",
        "tearDown",
        "setUpClass",
        "tearDownClass",
        "asyncSetUp",
        "asyncTearDown",
        "runTest",
        "__init__",
        "__new__",
        "__getattr__",
    ]
)
# What they make is kept on the class, for all of its tests.
_ONCE = frozenset(["setup_class", "setUpClass"])
_ONCE_A_MODULE = frozenset(["setup_module", "setUpModule"])
_LATE = "getfixturevalue"


class Roots:
    """
    Finds where tests begin.

    Args:
        program: The project's code.
        plugins: Files that pytest has loaded as plugins, each conftest.py among them.
    """

    def __init__(self, program: Program, plugins: Iterable[str]) -> None:
        self._program = program
        changed = {path for path in program.changed if _is_conftest(path)}
        self._plugins = sorted({*plugins, *changed} & program.sources.keys())
        self._around: dict[str, tuple[str, ...]] = {}
        self._hooks = {file: tuple(self._hooks_of(file)) for file in self._plugins}
        self._sharing: dict[str, bool] = {}

    def files(self, test: CollectedTest) -> set[str]:
        """Give the files that are imported for a test whatever it does."""
        return {test.file, *self.around(test.file), *(fixture.partition("::")[0] for fixture in test.fixtures)}

    def around(self, file: str) -> tuple[str, ...]:
        """Give the plugins that act on the tests of *file*."""
        folder = file.rpartition("/")[0]
        if folder not in self._around:
            self._around[folder] = tuple(
                plugin
                for plugin in self._plugins
                if not _is_conftest(plugin) or f"{folder}/".startswith(plugin.removesuffix("conftest.py"))
            )
        return self._around[folder]

    def whole(self, test: CollectedTest) -> set[Node]:
        """Give the blocks at which a test begins."""
        found = self.made(test)
        found.update(node for plugin in self.around(test.file) for node in self._hooks[plugin])
        found.update(self._module(test.file))
        for place in (f"{test.file}::{test.function}", *test.fixtures):
            file, _, function = place.partition("::")
            for owner in _owners(function):
                found.update(self._program.graph.methods(file, owner, _CLASS))
        found.update(self._function(test.file, test.function))
        owner = test.function.partition(".")[0]
        if owner != test.function and self._program.graph.bases(test.file, owner):
            # What it inherits may ask for anything in it.
            found.add(f"{test.file}::@{owner}")
        for fixture in test.fixtures:
            found.update(self._function(*fixture.split("::", 1)))
        for place in (f"{test.file}::{test.function}", *test.fixtures):
            found.update(self._asked_late(test.file, *place.split("::", 1)))
        return found

    def _asked_late(self, around: str, file: str, function: str) -> Iterator[Node]:
        """Give the fixtures that a function may ask for while it runs: `request.getfixturevalue("db")`."""
        source = self._program.sources.get(file)
        block = source.blocks.get(function) if source else None
        if block is not None and _LATE in block.uses.attributes:
            for place in (file, around, *self.around(around)):
                known = self._program.sources[place].blocks if place in self._program.sources else {}
                yield from (f"{place}::@{text}" for text in block.uses.texts if f"{text}()" in known)

    def made(self, test: CollectedTest) -> set[Node]:
        """Give those of them that run before the test does, at import, and that no record of it holds."""
        found = {made_by(node) for plugin in self.around(test.file) for node in self._hooks[plugin]}
        found.update(map(made_by, self._module(test.file)))
        for place in (f"{test.file}::{test.function}", *test.fixtures):
            found.update(self._heads(*place.split("::", 1)))
        return found

    def around_in(self, test: CollectedTest, files: Collection[str]) -> Iterator[Node]:
        """Give the hooks around a test and its fixtures, of those in *files*, with all that they do."""
        for plugin in self.around(test.file):
            yield from self._hooks[plugin] if plugin in files else ()
        for file, _, function in (fixture.partition("::") for fixture in test.fixtures):
            yield from self._function(file, function) if file in files else ()

    def shared(self, test: CollectedTest) -> dict[Node, str]:
        """Give what is set up once for a test and for others, with words: by its class, its module or a fixture."""
        owner = test.function.rpartition(".")[0]
        node = f"{test.file}::{owner}"
        if node not in self._sharing:
            self._sharing[node] = any(self._program.graph.methods(test.file, owner, _ONCE))
        found = {node: "its class"} if self._sharing[node] else {}
        source = self._program.sources.get(test.file)
        if source and not _ONCE_A_MODULE.isdisjoint(source.names):
            found[f"{test.file}::{REST}"] = "its module"
        for fixture in test.fixtures:
            scope = self._scope(*fixture.split("::", 1))
            if scope:
                where = test.file if scope == "module" else node
                found[f"{where}::{fixture}"] = f"the fixture {fixture.rpartition('::')[2]}"
        return found

    def _scope(self, file: str, function: str) -> str:
        """Say if a fixture is made once a module, or once a class; of wider ones no test should change anything."""
        source = self._program.sources.get(file)
        block = source.blocks.get(f"{function}()") if source else None
        if block is None or "scope" not in block.uses.parameters:
            return ""
        return next((scope for scope in ("module", "class") if scope in block.uses.texts), "")

    def _function(self, file: str, function: str) -> Iterator[Node]:
        source = self._program.sources.get(file)
        if source is None:
            return
        graph = self._program.graph
        if function in source.blocks:
            yield from graph.own(file, function)
        elif "." in function and (inherited := set(self._inherited(file, function))):
            yield from inherited
        else:  # a doctest, an item of a plugin's own, or a function that was made at run time
            yield f"{file}::*"

    def _inherited(self, file: str, function: str) -> Iterator[Node]:
        owner, _, name = function.rpartition(".")
        return self._program.graph.methods(file, owner, (name,))

    def _heads(self, file: str, function: str) -> Iterator[Node]:
        """Give the signature of a function, with the classes that it is written in and what they set up."""
        yield f"{file}::{function}()"
        for owner in _owners(function):
            yield f"{file}::class {owner}"
            yield from (node for node in self._program.graph.methods(file, owner, _CLASS) if node.endswith("()"))

    def _module(self, file: str) -> Iterator[Node]:
        source = self._program.sources.get(file)
        yield f"{file}::{REST}"
        for name in _MODULE if source else ():
            if name in source.names:  # type: ignore[union-attr]
                yield f"{file}::@{name}"

    def _hooks_of(self, file: str) -> Iterator[Node]:
        yield from self._module(file)
        for name in self._program.sources[file].names:
            if name.startswith("pytest_"):
                yield f"{file}::@{name}"


def _owners(function: str) -> Iterator[str]:
    """Name the classes in which a function is written, the outermost first."""
    parts = function.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def _is_conftest(path: str) -> bool:
    return path.rpartition("/")[2] == "conftest.py"


def lost_fixtures(program: Program, holding: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """
    Give each fixture that is gone: the folder or file in which it was known, its name, and if it came unasked.

    Those of plugins, and of modules from which others import them, were known everywhere.

    Args:
        program: The project's code.
        holding: Files that hold tests.
    """
    for file in program.changed:
        for name in program.old[file].blocks.keys() - program.new[file].blocks.keys():
            uses = program.old[file].blocks[name].uses
            if name.endswith("()") and any("fixture" in part for chain in uses.calls for part in chain):
                where = file if file in holding else file.removesuffix("conftest.py") if _is_conftest(file) else ""
                for known in {name.removesuffix("()").rpartition(".")[2], *uses.texts}:
                    yield where, known, "autouse" in uses.parameters


def asks_for(program: Program, test: CollectedTest, fixture: str) -> bool:
    """Say whether a test, or a fixture of it, asks for a fixture by its name."""
    for place in (f"{test.file}::{test.function}", *test.fixtures):
        file, _, function = place.partition("::")
        source = program.sources.get(file)
        owner = function.rpartition(".")[0]
        for name in (f"{function}()", f"class {owner}", "pytestmark =", function) if source else ():
            block = source.blocks.get(name)  # type: ignore[union-attr]
            names = block.uses.parameters | block.uses.texts if block is not None else frozenset()
            if fixture in names and (name != function or _LATE in block.uses.attributes):  # type: ignore[union-attr]
                return True
    return False
