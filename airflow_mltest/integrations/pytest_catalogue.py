"""Inside the tested interpreter: what each collected test stands on, and with which packages."""

# Copied alone into the tested interpreter, which may be Python 3.9 with pytest 7.
from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Catalogue:
    """
    Tell what was collected, as tables, since thousands of tests share a few hundred names.

    Args:
        root: Folder that all paths are relative to; what lies outside is not told.
    """

    def __init__(self, root: str) -> None:
        self._roots = tuple(form.rstrip("/") + "/" for form in dict.fromkeys((root, os.path.realpath(root))))
        self._below: dict[str, str] = {}
        self._places: dict[int, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell of each test, its file, its function and its fixtures, and of the modules that are there now."""
        files, functions, fixtures = Table(), Table(), Table()
        sets: dict[tuple[int, ...], int] = {}
        known: dict[int, int] = {}
        tests = []
        for item in session.items:
            info: Any = getattr(item, "_fixtureinfo", None)
            # Neighbours share one of these for each function, whatever its parameters.
            number = known.get(id(info))
            if number is None:
                used = tuple(sorted({fixtures[place] for place in self._fixtures(info)}))
                number = known[id(info)] = sets.setdefault(used, len(sets))
            file = self._relative(str(item.path)) or str(item.path)
            tests.append([item.nodeid, files[file], functions[self._function(item)], number])
        _send(
            session.config, "catalogue", tests=tests, files=list(files), functions=list(functions),
            fixtures=list(fixtures), sets=list(sets), modules=self._modules(), plugins=self._plugins(session.config),
        )  # fmt: skip

    def _fixtures(self, info: Any) -> Iterator[str]:
        """Name the functions of all fixtures that a test may use, those that others override among them."""
        for definitions in getattr(info, "name2fixturedefs", {}).values():
            for definition in definitions:
                place = self._place(definition.func)
                if place:
                    yield place

    def _place(self, function: Any) -> str:
        """Say where a function is written, `path::qualname`; nothing if that is not below the root."""
        function = getattr(function, "__func__", function)
        place = self._places.get(id(function))
        if place is None:
            inner = inspect.unwrap(function)
            code = getattr(inner, "__code__", None)
            file = self._relative(code.co_filename) if code else ""
            place = self._places[id(function)] = f"{file}::{inner.__qualname__}" if file else ""
        return place

    def _function(self, item: Any) -> str:
        """Name a test as its file does: `TestX.test_y`, also where TestX has inherited it."""
        if not isinstance(item, pytest.Function):
            return ""
        names = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
        return ".".join([*names, item.originalname or item.name])

    def _modules(self) -> dict[str, str]:
        found = {}
        for name, module in list(sys.modules.items()):
            try:
                # Not getattr: it would have a lazy module load itself.
                file = object.__getattribute__(module, "__dict__").get("__file__")
            except AttributeError:
                continue
            path = self._relative(file) if isinstance(file, str) else ""
            if path:
                found[name] = path
        return found

    def _plugins(self, config: pytest.Config) -> list[str]:
        files = [getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins()]
        return sorted(filter(None, {self._relative(file) for file in files if isinstance(file, str)}))

    def _relative(self, path: str) -> str:
        """Give *path* from the root; empty for what is not below it, or belongs to an installed package."""
        found = self._below.get(path)
        if found is None:
            for form in (path, os.path.realpath(path)):
                root = next((root for root in self._roots if form.startswith(root)), "")
                if root and not _installed(form, below=root):
                    found = form[len(root) :]
                    break
            self._below[path] = found = found or ""
        return found


class Table(dict[str, int]):
    """Number each name by when it was first asked for."""

    def __missing__(self, name: str) -> int:
        """Number a new name."""
        self[name] = number = len(self)
        return number


class Environment:
    """Tell with which interpreter and packages the tests run, as a digest."""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Tell it once, before anything is collected."""
        _send(session.config, "environment", digest=environment(str(session.config.rootpath)))


def environment(project: str) -> str:
    """
    Digest the versions of Python, pytest and all installed packages.

    A package that is installed in place from around *project* counts by name only: its version may
    change with every commit, and its files are compared one by one.
    """
    words = {f"python=={platform.python_version()}", f"pytest=={pytest.__version__}"}
    words.update(_words(distribution, project) for distribution in metadata.distributions())
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()[:32]


def _words(distribution: Any, project: str) -> str:
    folder, name = os.path.split(str(getattr(distribution, "_path", "")))
    stem, _, kind = name.rpartition(".")
    if kind == "dist-info" and "-" in stem:  # reading each one's metadata would take ten times as long
        own, _, version = stem.partition("-")
    else:
        own, version = str(distribution.metadata["Name"]), distribution.version
    return own if _in_place(distribution, folder, project) else f"{own}=={version}"


def _in_place(distribution: Any, folder: str, project: str) -> bool:
    """Say whether a distribution is the project's own, used where it is written."""
    if not _installed(folder + "/"):
        return (project + "/").startswith(folder + "/") or folder.startswith(project + "/")
    text = distribution.read_text("direct_url.json")
    return bool(text and json.loads(text).get("dir_info", {}).get("editable"))


def _installed(path: str, *, below: str = "/") -> bool:
    """Say whether *path* belongs to an installed package, and not to a project in the folder *below*."""
    rest = path[len(below) - 1 :]
    environment = sys.prefix + "/"
    own = environment.startswith(below) and path.startswith(environment)
    return own or "/site-packages/" in rest or "/dist-packages/" in rest


def _send(config: pytest.Config, event: str, **fields: Any) -> None:
    plugin: Any = config.pluginmanager.getplugin("mltest-events")
    if plugin is not None:  # not in a worker of pytest-xdist
        plugin.send(event, **fields)


def pytest_configure(config: pytest.Config) -> None:
    """Listen as the orders say."""
    place = os.environ.get("MLTEST_EVENTS")
    if not place:
        return
    with open(place, encoding="utf-8") as file:  # noqa: PTH123
        orders = json.load(file)
    config.pluginmanager.register(Environment(), "mltest-environment")
    if orders.get("root"):
        config.pluginmanager.register(Catalogue(orders["root"]), "mltest-catalogue")
