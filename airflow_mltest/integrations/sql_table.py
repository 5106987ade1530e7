"""SQLAlchemy: a table or query of a database, by the fields of an Airflow connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

_DIALECTS = {"postgres": "postgresql", "mssql": "mssql+pymssql"}
_OPERATORS = {"==": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
_OPERATORS |= {"in": "in_", "not in": "not_in"}
_QUERY = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


class Connection(Protocol):
    """What an Airflow connection knows."""

    conn_type: str | None
    host: str | None
    login: str | None
    password: str | None
    schema: str | None
    port: int | None

    @property
    def extra_dejson(self) -> Mapping[str, Any]:
        """What else it knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlRows:
    """
    Rows in a database, where they stay.

    Args:
        name: What to call them in reports.
        url: SQLAlchemy's, with the password quoted: a secret.
        query: A SELECT without a semicolon; empty for a whole table.
        table: Its name; of a query, empty.
        schema: What the table lies in, if anything.
        secrets: What no message may hold.
    """

    name: str
    url: str = field(repr=False)
    query: str
    table: str = ""
    schema: str | None = None
    secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def dialect(self) -> str:
        """Which database speaks: `postgresql`, `sqlite`."""
        return re.split(r"[+:]", self.url, maxsplit=1)[0]

    def fetch(self) -> pd.DataFrame:
        """
        Bring all rows here, for questions that no database answers.

        Raises:
            BrokenRunError: The database does not answer.
        """
        import pandas as pd
        from sqlalchemy import create_engine, text

        engine = create_engine(self.url)
        try:
            with engine.connect() as connection:
                return pd.read_sql_query(text(self.select()), connection)
        except Exception as error:  # noqa: BLE001  a driver's own; without its cause, which may quote the URL
            raise self.broken(error) from None
        finally:
            engine.dispose()

    def select(self) -> str:
        """Give the query, also of a whole table."""
        if self.query:
            return self.query
        from sqlalchemy import column, make_url, select, table

        whole: Any = select(column("*", is_literal=True)).select_from(table(self.table, schema=self.schema))
        return str(whole.compile(dialect=make_url(self.url).get_dialect()()))

    def broken(self, error: BaseException) -> BrokenRunError:
        """Say what went wrong in the database, without what is secret; drivers quote what they were given."""
        cause = getattr(error, "orig", None) or error
        words = self.without_secrets(str(cause)).partition("[SQL:")[0].strip()
        return BrokenRunError(f"{self.name!r} cannot be read: {type(cause).__name__}: {words}")

    def without_secrets(self, words: str) -> str:
        """Blot out the password, plain or quoted."""
        for secret in self.secrets:
            words = words.replace(secret, "***")
        return words


def sql_rows(source: str, connection: Connection, where: Sequence[Sequence[Any]] = ()) -> SqlRows:
    """
    Find what *source* names: `table`, `schema.table`, or a query that begins with SELECT or WITH.

    Raises:
        ConfigurationError: It is no such thing, or a condition of *where* cannot be applied.
    """
    with extra("data", provides="sqlalchemy"):
        from sqlalchemy import make_url
    url = _url(connection)
    secrets = tuple(_secrets(connection.password))
    if _QUERY.match(source):
        query, table, schema = source.strip().rstrip(";").rstrip(), "", None
        if not query.lower().startswith("select"):
            # Great Expectations wants that word first.
            query = f"SELECT * FROM ({query}) AS rows_of_data"  # noqa: S608  the author of the DAG wrote the query
    elif re.fullmatch(r"[^\s;'\"()]+", source):
        query, (schema, _, table) = "", source.rpartition(".")
    else:
        msg = f"{source!r} is neither the name of a table nor a query: begin a query with SELECT or WITH."
        raise ConfigurationError(msg)
    rows = SqlRows(name=source.strip(), url=url, query=query, table=table, schema=schema or None, secrets=secrets)
    if not where:
        return rows
    narrowed = _narrowed(rows.select(), where, make_url(url).get_dialect()())
    return replace(rows, query=narrowed, table="", schema=None)


def _url(connection: Connection) -> str:
    from sqlalchemy import URL

    more = dict(connection.extra_dejson)
    kind = connection.conn_type or ""
    dialect = more.pop("sqlalchemy_scheme", None) or _DIALECTS.get(kind, kind)
    if dialect == "sqlite":
        return f"sqlite:///{connection.host or connection.schema or ''}"
    host = connection.host or None
    if host and host.startswith("/"):
        more["host"], host = host, None  # a socket's folder
    url = URL.create(
        dialect,
        username=connection.login or None,
        password=connection.password or None,
        host=host,
        port=connection.port,
        database=connection.schema or None,
        query={key: str(value) for key, value in more.items() if isinstance(value, (str, int))},
    )
    return url.render_as_string(hide_password=False)


def _secrets(password: str | None) -> Iterator[str]:
    from urllib.parse import quote, quote_plus

    if password:
        yield from sorted({password, quote(password), quote(password, safe=""), quote_plus(password)}, key=len)[::-1]


def _narrowed(query: str, where: Sequence[Sequence[Any]], dialect: Any) -> str:
    """Let the database apply the conditions, with values that it quotes itself."""
    from sqlalchemy import column, literal_column, select, text

    found: Any = select(literal_column("*")).select_from(text(f"({query}) AS rows_of_data"))
    for condition in where:
        try:
            name, compare, value = condition
            found = found.where(getattr(column(name), _OPERATORS[compare])(value))
            compiled = found.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        except Exception as error:
            msg = (
                f"`where` condition {condition!r} cannot be applied in a database: each is (column, operator, value) "
                f"with an operator of {', '.join(_OPERATORS)}: {error}"
            )
            raise ConfigurationError(msg) from error
    return str(compiled)
