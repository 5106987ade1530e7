"""pandas: files or a factory become one table of rows, with its digest."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.columns import require_distinct
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra
from airflow_mltest.integrations.csv_batches import CsvFiles, open_csv
from airflow_mltest.integrations.parquet_batches import ParquetFiles, open_parquet
from airflow_mltest.integrations.table_files import TableFiles, table_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from airflow_mltest.integrations.table_files import Readable

_CONDITIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda column, values: column.isin(values),
    "not in": lambda column, values: ~column.isin(values),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    Rows, and what they are.

    Args:
        rows: The data frame; never empty.
        name: The path, or the name of the callable.
        digest: `sha256:` of the file's bytes; empty for a callable's rows.
    """

    rows: pd.DataFrame
    name: str
    digest: str = ""


def read_table(
    source: Readable | Sequence[Readable] | Callable[[], Any], *, where: Sequence[Sequence[Any]] = ()
) -> Table:
    """
    Read all rows of *source* for which every condition of *where* holds.

    Raises:
        ConfigurationError: It is neither Parquet nor CSV, cannot be read as such, names a column
            twice, or has no rows.
        BrokenRunError: There is nothing at the path, or the callable raised: a retry may help.
    """
    if callable(source):
        return kept(framed(call(source), name_of(source)), where)
    files = table_files(source)
    return read_opened(files, open_files(files), where)


def open_files(files: TableFiles) -> ParquetFiles | CsvFiles:
    """
    Open the files of a table as one, without keeping their rows.

    Raises:
        ConfigurationError: One cannot be read as what it is, or has other columns than the first.
    """
    return (open_parquet if files.kind == "parquet" else open_csv)(files.paths, files.name)


def read_opened(files: TableFiles, stored: ParquetFiles | CsvFiles, where: Sequence[Sequence[Any]]) -> Table:
    """
    Read all rows of what `open_files` opened for which every condition of *where* holds.

    Raises:
        ConfigurationError: A condition cannot be applied, a column is named twice, or no rows are left.
    """
    return kept(Table(rows=stored.read(), name=files.name, digest=files.digest()), where)


def framed(rows: Any, name: str) -> Table:
    """
    Take what a callable returned.

    Raises:
        ConfigurationError: It is no data frame of pandas.
    """
    with extra("data", provides="pandas"):
        import pandas as pd
    if not isinstance(rows, pd.DataFrame):
        msg = f"{name} returned {type(rows).__name__}, not a pandas DataFrame."
        raise ConfigurationError(msg)
    return Table(rows=rows, name=name)


def kept(table: Table, where: Sequence[Sequence[Any]] = ()) -> Table:
    """
    Keep the rows for which every condition of *where* holds.

    Raises:
        ConfigurationError: A condition cannot be applied, a column is named twice, or no rows are left.
    """
    require_distinct(table.rows.columns, table.name)
    rows = select(table.rows, where, table.name)
    if rows.empty:
        raise ConfigurationError(no_rows(table.name, where))
    return Table(rows=rows, name=table.name, digest=table.digest)


def no_rows(name: str, where: Sequence[Sequence[Any]]) -> str:
    """Say that there are none."""
    among = f" where {' and '.join(' '.join(map(str, condition)) for condition in where)}" if where else ""
    return f"{name} has no rows{among}: a test of nothing would pass for no reason."


def call(factory: Callable[[], Any]) -> Any:
    """
    Ask *factory* for data.

    Raises:
        BrokenRunError: It raised: a retry may help.
    """
    try:
        return factory()
    except Exception as error:
        msg = f"the data factory {name_of(factory)!r} raised {type(error).__name__}: {error}"
        raise BrokenRunError(msg) from error


def name_of(factory: Callable[[], Any]) -> str:
    """Call rows by the callable that they come from."""
    return getattr(factory, "__qualname__", repr(factory))


def select(rows: pd.DataFrame, where: Sequence[Sequence[Any]], name: str) -> pd.DataFrame:
    """
    Keep the *rows* for which every condition of *where* holds, maybe none.

    Raises:
        ConfigurationError: A condition cannot be applied; the message has *name*.
    """
    for condition in where:
        try:
            column, compare, value = condition
            rows = rows[_CONDITIONS[compare](rows[column], value)]
        except (KeyError, ValueError, TypeError) as error:
            msg = (
                f"`where` condition {condition!r} cannot be applied to {name}: each is (column, operator, value) "
                f"with a column of {', '.join(map(str, rows.columns))} and one of {', '.join(_CONDITIONS)}."
            )
            raise ConfigurationError(msg) from error
    return rows
