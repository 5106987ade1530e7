"""Inside the tested interpreter: what each test touched, as JSON lines. Needs pytest and nothing of ours."""

# Copied into the tested interpreter, as `mltest_recorder`, with `mltest_instrument`, `mltest_watch` and
# `mltest_windows` beside it. It may be Python 3.9 with pytest 7.
from __future__ import annotations

import builtins
import importlib
import itertools
import json
import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_STRAY = "a process that an earlier test started is still running"


class Recorder:
    """
    Keep what runs in the window that is open, and tell of each window when it closes.

    Args:
        folder: Takes the lines; its `settings.json` names the root and the cache.
    """

    def __init__(self, folder: str) -> None:
        with open(os.path.join(folder, "settings.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            settings = json.load(file)
        beside = {name: importlib.import_module(f"mltest_{name}") for name in ("instrument", "watch", "windows")}
        instrument, watch, windows = beside.values()
        self._folder, self._window = folder, windows.Window
        self._hits = windows.Hits()
        setattr(builtins, instrument.HITS, self._hits)
        self._output = windows.Output(folder)
        self._scope = watch.Scope(settings["root"])
        self._watch = watch.Watch(self._scope, self._see)
        self._opens = watch.Opens(self._scope)
        compiler = instrument.Instrument(settings["cache"])
        self._imports = instrument.Imports(compiler, self._scope.module, self, self._hits)
        # For what runs in no other: the hooks of a conftest.
        self._session = self._window("module", "")
        self._windows = [self._session]
        self._thread = threading.get_ident()
        self._plain: dict[str, str] = {}
        self._latest: dict[int, str] = {}
        self._numbers = itertools.count()
        self._credited = False
        self._deaf = False
        # Processes: those that wide fixtures keep for their tests, and those that a test has left behind.
        self._children = watch.children
        self._kept: set[int] = set()
        self._strays: set[int] = set()

    def start(self) -> None:
        """Follow what is imported and opened from now on."""
        for module in list(sys.modules.values()):
            file = self._scope.module(getattr(module, "__file__", None))
            if file.endswith(".py"):
                self.plain(file, "imported before it could be followed")
                self.leave(self.enter(file))
        self._imports.follow()
        self._watch.start()
        os.register_at_fork(after_in_child=self._end)

    def _end(self) -> None:
        self._deaf = True
        self._watch.end()

    def _open(self, window: Any) -> Any:
        self._empty()
        self._windows.append(window)
        return window

    def _close(self, window: Any) -> None:
        self._empty()
        self._windows.remove(window)

    def _empty(self) -> None:
        if self._deaf:
            return
        hits, window = self._hits, self._windows[-1]
        while hits:  # one by one: a thread may write meanwhile
            window.functions.add(hits.popitem()[0])
        for file in self._opens.since():
            if window is not self._session:
                window.files.add(file)

    def _tell(self, window: Any) -> None:
        if not self._deaf:
            self._output.tell(window)

    def _write(self) -> None:
        if not self._deaf:
            try:
                self._output.write()
            except OSError:  # a full disk: what is missing has no record, and the tests go on
                self._end()

    # What is imported.

    def enter(self, file: str) -> Any:
        """Open a module's window; in another thread none, since what the test runs meanwhile would end up in it."""
        if threading.get_ident() == self._thread:
            return self._open(self._window("module", file))
        self.plain(file, "imported in a thread")
        window = self._window("module", file)
        window.opaque.add("imported in a thread")
        self._tell(window)
        return None

    def leave(self, window: Any) -> None:
        """Close a module's window; the test that happened to import it first has touched the same."""
        if window is None:
            return
        self._close(window)
        if window.name in self._plain:
            window.opaque.add(self._plain[window.name])
        if window.opaque:
            self._kept |= self._children()
        self._tell(window)
        outer = next((one for one in reversed(self._windows) if one.kind != "module"), None)
        if outer is not None:
            outer.functions |= window.functions
            outer.files |= window.files
            outer.folders |= window.folders

    def plain(self, file: str, why: str) -> None:
        """Keep why the functions of a module do not tell that they run."""
        self._plain[file] = why

    def named(self, file: str) -> None:
        """Keep that code imported a module by a name that no source needs to hold."""
        self._see("sources", file)

    # What the interpreter tells.

    def _see(self, what: str, value: str) -> None:
        window = self._windows[-1]
        if what == "native":
            module = self._window("module", value)
            module.opaque.add("is machine code")
            self._tell(module)
        elif what == "sources":
            if window is not self._session:  # else it is a tool that reads all there are, as coverage does
                window.files.add(value)
        elif what == "opaque" and window is self._session and not self._asks():
            return
        else:
            getattr(window, what).add(value)

    def _asks(self) -> bool:
        """Say whether it is the project's code that calls."""
        frame: Any = sys._getframe(2)  # noqa: SLF001
        while frame is not None and not self._scope.module(frame.f_code.co_filename):
            frame = frame.f_back
        return frame is not None

    # What pytest tells.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, None]:
        """Credit the file that is collected with what its collection touches."""
        path = str(getattr(collector, "path", ""))
        files = self._scope.below(path) if os.path.isfile(path) else ()  # noqa: PTH113
        window = self._open(self._window("module", files[-1])) if files else None
        yield
        if window is not None:
            self._close(window)
            if window.functions or window.told():
                self._tell(window)

    def pytest_collection_finish(self) -> None:
        """Hand over what the imports told."""
        self._tell_session()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Keep what a test touches, from its setup to its teardown."""
        self._thread = threading.get_ident()
        self._tell_session()
        self._credited = False
        window = self._open(self._window("test", _id_of(item)))
        if self._strays:
            self._strays &= self._children()
            window.opaque |= {_STRAY} if self._strays else set()
        outcome = yield
        self._close(window)
        if window.opaque:
            self._strays |= self._children() - self._kept
        if not self._credited:
            window.setups.update(self._latest.values())
        if outcome.excinfo is None:
            self._tell(window)
            self._write()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Credit a test with the wider fixtures that it used, while it still knows them."""
        self._credited = True
        window = next((window for window in reversed(self._windows) if window.kind == "test"), self._session)
        window.setups |= self._used_by(getattr(item, "_fixtureinfo", None), getattr(item, "_request", None))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, None]:
        """Keep apart what the setup and the teardown of a fixture touch that several tests share."""
        if fixturedef.scope == "function":
            yield
            return
        # Each time it is set up is another: with other parameters, or for another class.
        name = f"{fixturedef.baseid}::{fixturedef.argname}#{next(self._numbers)}"
        self._latest[id(fixturedef)] = name
        ending = self._window("setup", name)
        fixturedef.addfinalizer(partial(self._end_teardown, ending))
        before = set(_obtained(request))
        window = self._open(self._window("setup", name))
        yield
        self._close(window)
        obtained = {fixture: defined for fixture, defined in _obtained(request).items() if fixture not in before}
        window.setups |= self._names(obtained.values()) - {name}
        if window.opaque:
            self._kept |= self._children()
        self._tell(window)
        # The last to be added is the first to be called.
        fixturedef.addfinalizer(partial(self._open, ending))

    def _end_teardown(self, ending: Any) -> None:
        if ending in self._windows:
            self._close(ending)
            self._tell(ending)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self) -> None:
        """Have pytest-xdist's workers record, too."""
        os.environ["MLTEST_RECORD"] = self._folder

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, None]:
        """Hand over what is left, and hear no more: others make their reports now."""
        yield
        self._tell_session()
        self._end()

    def _tell_session(self) -> None:
        self._empty()
        if self._session.functions or self._session.told():
            self._tell(self._session)
        self._session = self._windows[0] = self._window("module", "")
        self._write()

    def _used_by(self, info: Any, request: Any) -> set[str]:
        if info is None:  # no item of pytest's own: it may use any
            return set(self._latest.values())
        defined = [one for name in info.names_closure for one in info.name2fixturedefs.get(name, ())]
        return self._names([*defined, *_obtained(request).values()])

    def _names(self, defined: Iterable[Any]) -> set[str]:
        return {self._latest[id(one)] for one in defined if id(one) in self._latest}


def _obtained(request: Any) -> dict[str, Any]:
    """Give the fixtures that a test and its fixtures have asked for so far, those of a name made at run time too."""
    return getattr(request, "_fixture_defs", None) or {}


def _id_of(item: pytest.Item) -> str:
    """Give a test's id as it is without the group that pytest-xdist appends."""
    for mark in item.iter_markers("xdist_group"):
        group = mark.args[0] if mark.args else mark.kwargs.get("name", "default")
        return item.nodeid.removesuffix(f"@{group}")
    return item.nodeid


_folder = os.environ.pop("MLTEST_RECORD", "")
_recorder = Recorder(_folder) if _folder else None
if _recorder is not None:
    _recorder.start()


def pytest_configure(config: pytest.Config) -> None:
    """Take part, and leave the path and the environment as they are without us."""
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [path for path in sys.path if path != folder]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != folder]
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    else:
        os.environ.pop("PYTHONPATH", None)
    if _recorder is not None:
        config.pluginmanager.register(_recorder, "mltest-recorder")
