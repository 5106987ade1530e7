import pytest

from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.testing.dag_run import dag_runner

ROWS = {"age": [20, 35, 41]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One database for the module."""
    folder = tmp_path_factory.mktemp("assets")
    with dag_runner(folder / "airflow", home=folder, relative_to=folder) as run:
        yield run


def rows():
    import pandas as pd

    return pd.DataFrame(ROWS)


def events(name):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(AssetEvent)).all()
        return [event.extra for event in found if event.asset.name == name]


def dag_of(name, *, most=100, checks=()):
    from airflow.sdk import DAG, Asset

    from airflow_mltest.operators.data import DataTestOperator

    between = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "max_value": most}}
    with DAG(name, schedule=None) as dag:
        DataTestOperator(
            task_id="data", data=rows, expectations=[between], checks=checks, outlets=[Asset(name, f"mltest://{name}")]
        )
    return dag


class Undecided:
    def run(self, subject):
        return Case(name="undecided", outcome=Outcome.INCONCLUSIVE, detail="3 rows do not tell; 40 would")


def test_data_that_passes_is_announced_with_the_summary(run):
    ran = run(dag_of("good"))

    (extra,) = events("good")
    assert ran.state == "success"
    assert extra == ran.xcoms["data"]
    assert (extra["outcome"], extra["counts"]["passed"]) == ("passed", 1)


def test_data_that_fails_is_not_announced(run):
    ran = run(dag_of("bad", most=40))

    assert ran.state == "failed"
    assert events("bad") == []


def test_data_of_which_too_little_is_known_is_not_announced(run):
    ran = run(dag_of("undecided", checks=[Undecided()]))

    assert ran.state == "failed"
    assert events("undecided") == []
    assert "inconclusive, so no asset is announced" in str(ran.errors["data"])
