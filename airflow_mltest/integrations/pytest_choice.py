"""Inside the tested interpreter: which files pytest collects, and which of their tests are kept."""

# Copied alone into the tested interpreter, which may be Python 3.9 with pytest 7.
from __future__ import annotations

import gc
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

# Of objects, in place of a few hundred.
_GARBAGE = 100_000


class Choice:
    """
    What of the project is collected and kept.

    All else stays as it is without: the arguments are narrowed, not replaced, so that rootdir, node
    ids, their order and `conftest.py` files are the same.

    Args:
        orders: `files`: absolute paths, no other file is collected; `ignore`: these are not, whatever
            else is said; `only`, `skip`: node ids.
        config: Its arguments are narrowed to `files`.
    """

    def __init__(self, orders: dict[str, Any], config: pytest.Config) -> None:
        self.unplanned = 0
        # pytest-xdist has its own word for it in a worker.
        self._grouped = getattr(config.option, "dist", "") == "loadgroup" or getattr(config.option, "loadgroup", False)
        self._only = set(orders["only"]) if orders.get("only") is not None else None
        self._skip = set(orders.get("skip") or ())
        self._ignore = set(orders.get("ignore") or ())
        given = orders.get("files")
        self._files = None if given is None else {form for path in given for form in _forms(path)}
        self._folders = {folder for path in self._files or () for folder in _parents(path)}
        if not getattr(config.option, "pyargs", False) and (given is not None or self._ignore):
            config.args[:] = self._narrow(config, given or ())

    def _narrow(self, config: pytest.Config, files: Iterable[str]) -> list[str]:
        """Leave out arguments that name unwanted files; name wanted files that no argument leads to."""
        kept, leading = [], set()
        for argument in map(str, config.args):
            path = os.path.normpath(config.invocation_params.dir / argument.split("::")[0])
            wanted = self._files is None or path in self._files or os.path.isdir(path)  # noqa: PTH112  paths are strings here
            if wanted and path not in self._ignore:
                kept.append(argument)
                leading.add(path)
        for path in files:
            led = any(not leading.isdisjoint((form, *_parents(form))) for form in _forms(path))
            if not led and path not in self._ignore and os.path.exists(path):  # noqa: PTH110
                kept.append(path)
        return kept

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, None, None]:
        """Look for garbage less often: what is collected stays, and looking at it again is a tenth of the time."""
        before = gc.get_threshold()
        ours = (_GARBAGE, *before[1:])
        gc.set_threshold(*ours)
        try:
            yield
        finally:
            if gc.get_threshold() == ours:  # else the project has a wish of its own
                gc.set_threshold(*before)

    def pytest_ignore_collect(self, collection_path: Any) -> bool | None:
        """Look at wanted files only, and at the folders that lead to them."""
        path = str(collection_path)
        if path in self._ignore:
            return True
        if self._files is None or path in self._files or path in self._folders:
            return None
        folder, name = os.path.split(path)
        # The package of a wanted file is collected with it.
        return None if name == "__init__.py" and folder in self._folders else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what has been answered already, and what was not asked for."""
        kept: list[pytest.Item] = []
        left_out: list[pytest.Item] = []
        for item in items:
            test = self.bare(item.nodeid)
            unplanned = self._only is not None and test not in self._only
            self.unplanned += unplanned
            (left_out if unplanned or test in self._skip else kept).append(item)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = kept

    def bare(self, nodeid: str) -> str:
        """Take away the group that pytest-xdist may have appended to an id."""
        at = nodeid.rfind("@") if self._grouped else -1
        return nodeid[:at] if at > max(nodeid.rfind("]"), nodeid.rfind("::")) else nodeid


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config: Any, args: list[str]) -> Generator[None, None, None]:
    """
    Keep pytest-cov from judging a part of the tests as if it were all of them.

    It also takes coverage.py's place where that measures. A wrapper, since pytest-cov's own hook
    comes first.
    """
    orders = _orders()
    part = orders.get("only") is not None or orders.get("files") is not None or orders.get("coverage")
    if part and hasattr(early_config.known_args_namespace, "no_cov"):
        early_config.known_args_namespace.no_cov = True
        # The last of all options: pytest-cov warns when it comes before its own.
        args.insert(args.index("--") if "--" in args else len(args), "--no-cov")
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Narrow what is collected, in each process that collects."""
    orders = _orders()
    if orders:
        config.pluginmanager.register(Choice(orders, config), "mltest-choice")


def _orders() -> dict[str, Any]:
    place = os.environ.get("MLTEST_EVENTS")
    if not place:
        return {}
    with open(place, encoding="utf-8") as file:  # noqa: PTH123
        orders: dict[str, Any] = json.load(file)
    return orders


def _forms(path: str) -> tuple[str, str]:
    """Give *path* as it was written and as it really is: pytest starts in the real folder."""
    return path, os.path.realpath(path)


def _parents(path: str) -> Iterator[str]:
    while True:
        parent = os.path.dirname(path)  # noqa: PTH120
        if parent == path:
            return
        path = parent
        yield path
