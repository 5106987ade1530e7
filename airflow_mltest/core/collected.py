"""What pytest collected: each test, where it is written, and what it stands on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedTest:
    """
    One test, before it runs; paths are relative to the root (see `Collected`).

    Args:
        id: pytest's node id.
        file: The file that it was collected from.
        function: Its `__qualname__` in that file, without parameters: `TestX.test_y`; empty where the
            item is no Python function (a doctest, an item of a plugin's own).
        fixtures: Those that it uses, directly or not, and whose code lies below the root:
            `tests/conftest.py::db`, the file and the `__qualname__` of the fixture function.
    """

    id: str
    file: str
    function: str = ""
    fixtures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """
    What one `pytest --collect-only` found.

    Paths are POSIX paths relative to the root: the top level of the git work tree that holds the
    project, or the project's folder where there is none.

    Args:
        tests: In pytest's order.
        broken: Files that could not be collected, with the reason.
        modules: Name in `sys.modules` -> file, of all that lie below the root and were imported when
            collection had ended.
        plugins: Files below the root that pytest registered as plugins, each `conftest.py` among them.
        environment: Digest of interpreter, pytest and installed packages.
    """

    tests: tuple[CollectedTest, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    environment: str = ""
