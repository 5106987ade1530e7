"""Optional libraries, imported where they are used."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def extra(name: str, *, provides: str) -> Iterator[None]:
    """
    Import what the extra *name* installs, in the body of a `with`.

    Args:
        name: The extra, as in `pip install airflow-mltest[name]`.
        provides: The top-level module whose absence means that the extra is missing.

    Raises:
        MissingExtraError: The library is not installed. A library that is installed but broken
            shows its own error instead.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != provides:
            raise
        msg = f"{provides} is not installed: run `pip install 'airflow-mltest[{name}]'` where this task runs."
        raise MissingExtraError(msg, name=provides) from error
