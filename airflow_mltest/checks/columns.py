"""Columns by their names, of which each has its own; the nearest name in the error."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


def column_of(rows: pd.DataFrame, name: str, what: str) -> pd.Series[Any]:
    """
    Give a column of *rows*, which are called *what* in the error.

    Raises:
        ConfigurationError: There is none of that name; the message has the nearest one.
    """
    if name not in rows.columns:
        names = [str(column) for column in rows.columns]
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" did you mean {near[0]!r}?" if near else ""
        msg = f"there is no column {name!r};{hint} {what} has {', '.join(names)}."
        raise ConfigurationError(msg)
    return rows[name]


def require_distinct(names: Iterable[object], what: str) -> None:
    """
    Refuse the columns of what is called *what*, if two have one name.

    Raises:
        ConfigurationError: They do.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        msg = f"{what} has more than one column {twice[0]!r}: rename one, since no test could tell them apart."
        raise ConfigurationError(msg)
