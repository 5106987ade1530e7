"""Which columns, and which keys, do two tables have in common?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.columns import column_of, require_distinct
from airflow_mltest.checks.data.column_kinds import comparable
from airflow_mltest.checks.data.moments import to_utc
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def names_of(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Give one name, or several, as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


def common_columns(
    reference: pd.DataFrame, rows: pd.DataFrame, columns: Sequence[str] | None, *, without: Sequence[str] = ()
) -> list[str]:
    """
    List the columns to compare: those asked for, or all that both tables have.

    Args:
        reference: One table.
        rows: The other.
        columns: What is asked for; None: all.
        without: Those that are not compared, unless they are asked for.

    Raises:
        ConfigurationError: One that is asked for is not there, a table names one twice, or there is none.
    """
    require_distinct(rows.columns, "the data")
    require_distinct(reference.columns, "the reference")
    for name in (*(columns or ()), *without):
        column_of(rows, name, "the data")
        column_of(reference, name, "the reference")
    found = list(columns) if columns else [name for name in reference.columns if name in set(rows.columns)]
    found = found if columns else [name for name in found if name not in set(without)]
    if not found:
        msg = "the data and the reference have no column in common: "
        msg += f"{', '.join(map(str, rows.columns))} and {', '.join(map(str, reference.columns))}."
        raise ConfigurationError(msg)
    return found


def key_codes(reference: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """
    Number the keys of both tables: equal keys, equal numbers.

    Args:
        reference: One table, n rows.
        rows: The other, m rows.
        keys: The columns that together are the key.

    Returns:
        Numbers of the reference's keys, shape (n,), and of the rows', shape (m,); -1 where a part is missing.

    Raises:
        ConfigurationError: A column is not there, or is text in one table and numbers in the other.
    """
    import pandas as pd

    total = len(reference) + len(rows)
    codes, missing = np.zeros(total, dtype=np.int64), np.zeros(total, dtype=bool)
    for name in keys:
        one, other = column_of(reference, name, "the reference"), column_of(rows, name, "the data")
        part = pd.factorize(_together(one, other))[0]
        missing = missing | (part < 0)
        codes = pd.factorize(codes * (part.max() + 2) + part)[0]
    codes = np.where(missing, -1, codes)
    return codes[: len(reference)], codes[len(reference) :]


def _together(one: pd.Series[Any], other: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    prepared = [comparable(column) for column in (one, other)]
    found = [column for column, _ in prepared]
    if all(kind == "times" for _, kind in prepared):
        found = [to_utc(column, str(one.name)).moments for column in found]
    found = [column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column for column in found]
    numeric = [pd.api.types.is_numeric_dtype(column) for column in found if column.notna().any()]
    if len(set(numeric)) > 1:
        msg = f"key {one.name!r} is {one.dtype} in the reference and {other.dtype} in the data, and so never the same: "
        msg += "give both in one type."
        raise ConfigurationError(msg)
    return pd.concat([column for column in found if len(column)] or found, ignore_index=True)
