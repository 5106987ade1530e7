"""Environment variables of one test, taken back after it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def variables(values: Mapping[str, str], *, of: tuple[str, ...], without: tuple[str, ...] = ()) -> Iterator[None]:
    """
    Set *values* for the body; what it does to any variable that begins like one *of* these is undone.

    Args:
        values: What is set.
        of: Beginnings of names. Others are left alone: pytest keeps its own in the environment.
        without: Names that are not set in the body.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith(of)}
    for name in without:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith(of) and name not in before]:
            del os.environ[name]
        os.environ.update(before)
