"""Data where it lies: in memory, in files, in a database, in Spark; each asked in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.gx_case import Rules
    from airflow_mltest.integrations.pandas_table import Table
    from airflow_mltest.integrations.sql_table import SqlRows
    from airflow_mltest.integrations.table_batches import KeptRows

# Beyond it, files are not read at once.
LARGE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """
    Rows that are here.

    Args:
        table: They, and what they are.
    """

    table: Table

    @property
    def name(self) -> str:
        """What to call the data."""
        return self.table.name

    @property
    def digest(self) -> str:
        """What it is known by; empty where nothing is."""
        return self.table.digest

    def validate(self, expectations: Sequence[Any], recording: Recording, rules: Rules) -> None:
        """Ask all at once."""
        from airflow_mltest.integrations.gx_validator import validate

        validate(self.table.rows, expectations, recording, rules)

    def rows(self) -> Any:
        """Give all rows."""
        return self.table.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class InSpark:
    """
    Rows that stay in Spark.

    Args:
        frame: Spark's data frame.
        name: What to call the data.
    """

    frame: Any
    name: str
    digest: str = ""

    def validate(self, expectations: Sequence[Any], recording: Recording, rules: Rules) -> None:
        """Ask in Spark."""
        from airflow_mltest.integrations.gx_validator import validate

        validate(self.frame, expectations, recording, rules)

    def rows(self) -> Any:
        """Bring all rows here."""
        return self.frame.toPandas()


@dataclass(frozen=True, slots=True, kw_only=True)
class InFiles:
    """
    Rows of files that are too many to be read at once.

    Args:
        source: Their files, and which are kept.
        name: What to call the data.
        digest: Of the files.
    """

    source: KeptRows
    name: str
    digest: str

    def validate(self, expectations: Sequence[Any], recording: Recording, rules: Rules) -> None:
        """Ask batch by batch, as far as that goes."""
        from airflow_mltest.integrations.gx_batches import validate_batches

        validate_batches(self.source, expectations, recording, rules)

    def rows(self) -> Any:
        """Give all rows."""
        return self.source.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class InDatabase:
    """
    Rows that stay in a database.

    Args:
        source: Where.
    """

    source: SqlRows
    digest: str = ""

    @property
    def name(self) -> str:
        """What to call the data."""
        return self.source.name

    def validate(self, expectations: Sequence[Any], recording: Recording, rules: Rules) -> None:
        """Ask in the database."""
        from airflow_mltest.integrations.gx_sql import validate_sql

        validate_sql(self.source, expectations, recording, rules)

    def rows(self) -> Any:
        """Bring all rows here."""
        from airflow_mltest.integrations.pandas_table import Table, kept

        return kept(Table(rows=self.source.fetch(), name=self.name)).rows


def in_database(source: Any, conn_id: str, where: Sequence[Sequence[Any]]) -> InDatabase:
    """Find a table or query through an Airflow connection, which Airflow's log then masks."""
    from airflow.sdk import BaseHook

    from airflow_mltest.integrations.sql_table import sql_rows

    if not isinstance(source, str):
        msg = f"`conn_id` is set, so `data` names a table or a query, as a text; it is {source}."
        raise ConfigurationError(msg)
    return InDatabase(source=sql_rows(source, BaseHook.get_connection(conn_id), where))


def opened(source: Any, where: Sequence[Sequence[Any]], *, whole: bool) -> InMemory | InSpark | InFiles:
    """
    Open files, or ask a callable.

    Args:
        source: A path, several, or the callable.
        where: Conditions that rows have to meet.
        whole: All rows are needed at once in any case.
    """
    from airflow_mltest.integrations.pandas_table import call, framed, kept, name_of, open_files, read_opened

    if callable(source):
        frame, name = call(source), name_of(source)
        if type(frame).__module__.startswith("pyspark."):
            return _in_spark(frame, name, where)
        return InMemory(table=kept(framed(frame, name), where))
    from airflow_mltest.integrations.table_batches import KeptRows
    from airflow_mltest.integrations.table_files import table_files

    files = table_files(source)
    stored = open_files(files)
    if stored.bytes_in_memory > LARGE_BYTES and not whole:
        return InFiles(source=KeptRows(files=stored, where=where), name=files.name, digest=files.digest())
    return InMemory(table=read_opened(files, stored, where))


def _in_spark(frame: Any, name: str, where: Sequence[Sequence[Any]]) -> InSpark:
    if where:
        msg = "`where` is for files and databases: let the callable filter what Spark holds."
        raise ConfigurationError(msg)
    if frame.isEmpty():
        msg = f"{name} has no rows: a test of nothing would pass for no reason."
        raise ConfigurationError(msg)
    return InSpark(frame=frame, name=name)
