"""Great Expectations: a table or query of a database, asked where it lies; no row but examples comes here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.gx_validator import answers, open_context, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.gx_case import Rules


class InDatabase(Protocol):
    """Rows in a database."""

    @property
    def url(self) -> str:
        """SQLAlchemy's: a secret."""

    @property
    def dialect(self) -> str:
        """Which database speaks."""

    @property
    def name(self) -> str:
        """What to call the rows."""

    @property
    def query(self) -> str:
        """A SELECT; empty for a table."""

    @property
    def table(self) -> str:
        """The table."""

    @property
    def schema(self) -> str | None:
        """What the table lies in."""

    def select(self) -> str:
        """Give the query, also of a table."""

    def broken(self, error: BaseException) -> BrokenRunError:
        """Say what went wrong, without what is secret."""

    def without_secrets(self, words: str) -> str:
        """Blot out what is secret."""


def validate_sql(rows: InDatabase, expectations: Sequence[Any], recording: Recording, rules: Rules) -> None:
    """
    Ask all *expectations* of *rows* in their database, and record the answers in the order of the questions.

    Raises:
        BrokenRunError: The database does not answer, also half way: a retry may help.
        ConfigurationError: There are no rows.
    """
    try:
        batch = _batch(rows)
        columns, empty = _look(batch, rows)
    except Exception as error:  # noqa: BLE001  a driver's own; without its cause, which may quote the URL
        raise rows.broken(error) from None
    if empty:
        msg = f"{rows.name} has no rows: a test of nothing would pass for no reason."
        raise ConfigurationError(msg)
    lost = _listen(batch)
    found = answers(batch, expectations)
    if lost:
        raise rows.broken(lost[0])
    found = [replace(answer, raised=rows.without_secrets(answer.raised)) for answer in found]
    record(expectations, found, recording, rules, columns)


def _batch(rows: InDatabase) -> Any:
    sources = open_context(MLTEST_DATABASE=rows.url).data_sources
    add = {"sqlite": sources.add_sqlite, "postgresql": sources.add_postgres}.get(rows.dialect, sources.add_sql)
    database = add("database", connection_string="${MLTEST_DATABASE}")
    if rows.query:
        asset = database.add_query_asset("rows", query=rows.query)
    else:
        asset = database.add_table_asset("rows", table_name=rows.table, schema_name=rows.schema)
    return asset.add_batch_definition_whole_table("all").get_batch()


def _look(batch: Any, rows: InDatabase) -> tuple[list[str], bool]:
    """Give the columns, and whether there is no row."""
    from sqlalchemy import literal_column, select, text

    first: Any = select(literal_column("*")).select_from(text(f"({rows.select()}) AS rows_of_data")).limit(1)
    with batch.data.execution_engine.engine.connect() as connection:
        found = connection.execute(first)
        return list(found.keys()), found.first() is None


def _listen(batch: Any) -> list[BaseException]:
    """Collect what is said when a connection is lost: an expectation only says that it raised."""
    from sqlalchemy import event

    lost: list[BaseException] = []

    def heard(context: Any) -> None:
        if context.is_disconnect:
            lost.append(context.original_exception)

    event.listen(batch.data.execution_engine.engine, "handle_error", heard)
    return lost
