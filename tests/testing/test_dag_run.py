import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.testing.dag_run import dag_runner


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One database for the module, made of the same parts as the fixture."""
    folder = tmp_path_factory.mktemp("runs")
    with dag_runner(folder / "airflow", home=folder, relative_to=folder) as run:
        run.folder = folder
        yield run


@pytest.fixture
def dag():
    """Numbers are halved, one task a number; an odd one cannot be."""
    from airflow.sdk import DAG, task

    with DAG("halves", schedule=None, params={"numbers": []}) as dag:

        @task
        def numbers(params=None):
            return params["numbers"]

        @task
        def halve(number, ti=None):
            ti.xcom_push("seen", {"number": number})
            if number % 2:
                msg = f"{number} is odd"
                raise ValueError(msg)
            return number // 2

        @task
        def total(halves):
            return sum(halves)

        total(halve.expand(number=numbers()))
    return dag


def test_run_tells_each_tasks_state_and_what_it_returned(run, dag):
    ran = run(dag, conf={"numbers": [2, 4, 6]})

    assert (ran.dag_id, ran.state) == ("halves", "success")
    assert ran.states == {"numbers": "success", "halve": ("success",) * 3, "total": "success"}
    assert ran.xcoms == {"numbers": [2, 4, 6], "halve": (1, 2, 3), "total": 6}
    assert ran.pushed["seen"] == {"halve": ({"number": 2}, {"number": 4}, {"number": 6})}
    assert ran.errors == {}


def test_task_that_fails_shows_what_it_raised_and_the_others_go_on(run, dag):
    ran = run(dag, conf={"numbers": [2, 3]})

    assert ran.state == "failed"
    assert ran.states == {"numbers": "success", "halve": ("success", "failed"), "total": "upstream_failed"}
    assert ran.xcoms["halve"] == (1, None)
    assert ran.xcoms["total"] is None
    assert list(ran.errors) == ["halve"]
    fine, raised = ran.errors["halve"]
    assert fine is None
    assert isinstance(raised, ValueError)
    assert str(raised) == "3 is odd"


def test_one_run_does_not_see_the_one_before_it(run, dag):
    first, second = run(dag, conf={"numbers": [2]}), run(dag, conf={"numbers": []})

    assert first.run_id != second.run_id
    assert second.states == {"numbers": "success", "halve": "skipped", "total": "skipped"}
    assert second.xcoms["halve"] is None


def test_tasks_run_in_this_process_where_the_test_may_change_them(run, monkeypatch):
    from airflow.sdk import DAG, task

    seen = []
    monkeypatch.setenv("WHERE", "here")
    with DAG("here", schedule=None) as dag:

        @task
        def look():
            seen.append((os.getpid(), os.environ["WHERE"]))

        look()
    run(dag)

    assert seen == [(os.getpid(), "here")]


def test_retries_come_at_once_and_only_the_last_error_counts(run):
    from airflow.sdk import DAG, task

    tries = []
    with DAG("retried", schedule=None) as dag:

        @task(retries=2, retry_delay=timedelta(hours=1))
        def third_time_lucky():
            tries.append(1)
            if len(tries) < 3:
                raise OSError
            return len(tries)

        third_time_lucky()
    ran = run(dag)

    assert ran.states == {"third_time_lucky": "success"}
    assert ran.xcoms == {"third_time_lucky": 3}
    assert ran.errors == {}
    assert dag.get_task("third_time_lucky").retry_delay == timedelta(hours=1)


FILE = """
from airflow.sdk import DAG, Connection, Variable, get_current_context, task
from beside import NAME

with DAG(NAME, schedule=None):

    @task
    def look():
        connection = Connection.get("lake")
        date = str(get_current_context()["logical_date"].date())
        return [connection.host, connection.login, Variable.get("limits", deserialize_json=True), date]

    look()
"""


def test_dag_file_sees_what_lies_beside_it_and_the_connections_and_variables_of_the_run(run):
    (run.folder / "dags").mkdir()
    (run.folder / "dags" / "beside.py").write_text("NAME = 'filed'")
    (run.folder / "dags" / "filed.py").write_text(FILE)
    paths, variables = list(sys.path), dict(os.environ)

    ran = run(
        "dags/filed.py",
        logical_date=datetime(2026, 1, 2, tzinfo=UTC),
        connections={"lake": {"conn_type": "generic", "host": "lake.example", "login": "me"}},
        variables={"limits": [1, 2]},
    )

    assert (ran.dag_id, ran.state) == ("filed", "success")
    assert ran.xcoms["look"] == ["lake.example", "me", [1, 2], "2026-01-02"]
    assert sys.path == paths
    assert {name: value for name, value in os.environ.items() if "AIRFLOW" in name} == {
        name: value for name, value in variables.items() if "AIRFLOW" in name
    }


def test_file_with_several_dags_needs_to_be_told_which(run):
    text = """
from airflow.sdk import DAG, task

for name in "ab":
    with DAG(name, schedule=None):
        task(lambda: 1, task_id="one")()
"""
    (run.folder / "several.py").write_text(text)

    assert run("several.py", "b").dag_id == "b"
    with pytest.raises(ConfigurationError, match=r"several\.py makes the DAGs \['a', 'b'\]: .* which is 'c'"):
        run("several.py", "c")
    with pytest.raises(ConfigurationError, match="choose one with dag_id="):
        run("several.py")


def test_file_that_is_not_there_or_broken_is_named(run):
    (run.folder / "broken.py").write_text("import no_such_library")

    with pytest.raises(ConfigurationError, match=r"there is no DAG file .*absent\.py"):
        run("absent.py")
    with pytest.raises(ConfigurationError, match=r"broken\.py cannot be imported:(.|\n)*no_such_library"):
        run("broken.py")


def test_run_that_would_wait_for_ever_ends_and_says_where_it_stood(run, dag):
    from airflow.sdk import DAG, task

    with DAG("waits", schedule=None) as waits:

        @task
        def first():
            return 1

        @task.sensor(poke_interval=60)
        def never(one):
            return False

        never(first())
    run(dag)  # the first run in a process takes seconds
    with pytest.raises(TimeoutError, match=r"'waits' did not end within 3 s; its tasks: first \w+, never \w"):
        run(waits, timeout_s=3)


def test_pytest_can_be_ended_and_interrupted_after_a_run_as_before(run, dag):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)]

    run(dag)

    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)] == before


def test_airflow_has_its_database_back_afterwards_whatever_happened(tmp_path, dag):
    from airflow import settings

    def run_and_fail():
        with dag_runner(tmp_path / "airflow", home=tmp_path, relative_to=tmp_path) as run:
            assert run(dag, conf={"numbers": [2]}).state == "success"
            assert str(settings.engine.url) == f"sqlite:///{tmp_path}/airflow/airflow.db"
            raise ZeroDivisionError

    before = str(settings.engine.url)
    with pytest.raises(ZeroDivisionError):
        run_and_fail()

    assert str(settings.engine.url) == before
    opened = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [path for path in opened if path.startswith(str(tmp_path))]


def test_sessions_of_the_tests_own_stay_open(tmp_path):
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    engine = create_engine(f"sqlite:///{tmp_path}/own.db")
    with Session(engine) as session:
        session.execute(text("CREATE TEMPORARY TABLE mine (number INT)"))
        with dag_runner(tmp_path / "airflow", home=tmp_path, relative_to=tmp_path):
            pass

        assert session.execute(text("SELECT count(*) FROM mine")).scalar() == 0
    engine.dispose()


def test_warning_of_a_projects_own_dag_is_the_error_that_the_project_makes_of_it(run):
    import warnings

    from airflow.sdk import DAG, task

    with DAG("warns", schedule=None) as dag:

        @task
        def warn():
            warnings.warn("mine", UserWarning, stacklevel=1)

        warn()
    ran = run(dag)

    assert isinstance(ran.errors["warn"], UserWarning)
