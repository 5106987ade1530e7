"""pandas: a path or a factory becomes one table of rows, with its digest."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

    import pandas as pd

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


class Readable(Protocol):
    """A path: `pathlib`'s, or one of object storage."""

    def exists(self) -> bool:
        """Say whether there is something at the path."""

    def open(self, mode: str) -> IO[bytes]:
        """Open what is there."""


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


def read_table(source: Readable | Callable[[], Any], *, where: Sequence[Sequence[Any]] = ()) -> Table:
    """
    Read all rows of *source* for which every condition of *where* holds.

    Raises:
        ConfigurationError: It is neither Parquet nor CSV, cannot be read as such, names a column
            twice, or has no rows.
        BrokenRunError: There is nothing at the path, or the callable raised: a retry may help.
    """
    with extra("data", provides="pandas"):
        import pandas as pd
    if callable(source):
        table = Table(rows=_call(source), name=getattr(source, "__qualname__", repr(source)))
        if not isinstance(table.rows, pd.DataFrame):
            msg = f"{table.name} returned {type(table.rows).__name__}, not a pandas DataFrame."
            raise ConfigurationError(msg)
    else:
        table = _read(source)
    twice = table.rows.columns[table.rows.columns.duplicated()]
    if len(twice):
        msg = f"{table.name} has more than one column {twice[0]!r}: rename one, since no test could tell them apart."
        raise ConfigurationError(msg)
    rows = _select(table, where)
    if rows.empty:
        among = f" where {' and '.join(' '.join(map(str, condition)) for condition in where)}" if where else ""
        msg = f"{table.name} has no rows{among}: a test of nothing would pass for no reason."
        raise ConfigurationError(msg)
    return Table(rows=rows, name=table.name, digest=table.digest)


def _call(factory: Callable[[], Any]) -> Any:
    try:
        return factory()
    except Exception as error:
        msg = f"the data factory {getattr(factory, '__qualname__', factory)!r} raised {type(error).__name__}: {error}"
        raise BrokenRunError(msg) from error


def _read(path: Readable) -> Table:
    import pandas as pd

    readers: dict[str, Callable[[Any], pd.DataFrame]] = {"parquet": pd.read_parquet, "csv": pd.read_csv}
    name = str(path)
    kind = name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in readers:
        msg = f"cannot tell what {name!r} holds: name a .parquet or .csv file, or pass a callable."
        raise ConfigurationError(msg)
    if not path.exists():
        msg = f"there is nothing at {name!r}: check the path, and that the task which writes it ran before."
        raise BrokenRunError(msg)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO[bytes] has what it needs
    with path.open("rb") as file:
        try:
            rows = pd.read_csv(file, compression="gzip") if name.endswith(".gz") else readers[kind](file)
        except Exception as error:
            msg = f"{name!r} cannot be read as {kind}: {type(error).__name__}: {error}"
            raise ConfigurationError(msg) from error
    return Table(rows=rows, name=name, digest=f"sha256:{digest}")


def _select(table: Table, where: Sequence[Sequence[Any]]) -> pd.DataFrame:
    rows = table.rows
    for condition in where:
        try:
            column, compare, value = condition
            rows = rows[_CONDITIONS[compare](rows[column], value)]
        except (KeyError, ValueError, TypeError) as error:
            msg = (
                f"`where` condition {condition!r} cannot be applied to {table.name}: each is (column, operator, value) "
                f"with a column of {', '.join(map(str, rows.columns))} and one of {', '.join(_CONDITIONS)}."
            )
            raise ConfigurationError(msg) from error
    return rows
