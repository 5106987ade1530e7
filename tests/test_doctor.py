"""The doctor, over DAG files and a report store of its own; `tests/deploy` asks it of a whole deployment."""

import json
import os
import subprocess
import sys

import pytest

DAG_FILE = """
from airflow.sdk import DAG, Asset, AssetWatcher
from airflow_mltest.checks import Metric
from airflow_mltest.hooks.git import Checkout
from airflow_mltest.operators.data import DataTestOperator
from airflow_mltest.operators.model import ModelTestOperator
from airflow_mltest.operators.pytest import PytestOperator
from airflow_mltest.triggers.git_commit import GitCommitTrigger

commits = Asset("c", watchers=[AssetWatcher(name="c", trigger=GitCommitTrigger("git_watched", "main"))])
with DAG("named", schedule=(commits & Asset("other"))):
    DataTestOperator(task_id="table", data="rows", conn_id="warehouse", expectations=[])
    DataTestOperator(task_id="lake", data="s3://aws_lake@bucket/x.parquet", expectations=[])
    DataTestOperator(task_id="later", data="rows", conn_id="{{ params.where }}", expectations=[])
    ModelTestOperator(task_id="model", model="models:/m/1", data="x", target="y", checks=[Metric(name="f1", minimum=0)])
    PytestOperator.partial(task_id="tests", project=Checkout(repository="git_mapped", commit="main")).expand(args=[[]])
    PytestOperator(task_id="url", project=Checkout(repository="https://host/code.git", commit="main"))
"""


@pytest.fixture
def doctor(tmp_path):
    """Ask the doctor in a process of its own, since Airflow reads its settings once; gives its code and its words."""
    (tmp_path / "dags").mkdir()

    def doctor(dag_file="", **settings):
        (tmp_path / "dags" / "dags.py").write_text(dag_file)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MLTEST"))}
        env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "false", **settings}
        argv = [sys.executable, "-c", "import sys; from airflow_mltest.cli import main; sys.exit(main(['doctor']))"]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, cwd=tmp_path, check=False)
        return done.returncode, done.stdout + done.stderr

    return doctor


def test_every_connection_that_is_named_is_looked_for(doctor):
    code, said = doctor(DAG_FILE, AIRFLOW_CONN_WAREHOUSE=json.dumps({"conn_type": "postgres"}))

    assert code == 0, said
    lines = {line.split(":")[0].split()[-1]: line for line in said.splitlines() if "connection " in line}
    assert set(lines) == {"warehouse", "aws_lake", "git_watched", "git_mapped", "mlflow_default"}
    assert lines["warehouse"].startswith("PASSED")
    assert all(line.startswith("INCONCLUSIVE") for name, line in lines.items() if name != "warehouse")
    assert "named.model will ask for it" in lines["mlflow_default"]
    assert "watcher c of named" in lines["git_watched"]


def test_executor_that_there_is_not_is_told(doctor):
    code, said = doctor(AIRFLOW__CORE__EXECUTOR="some.where.NoExecutor")

    assert code == 1
    assert "FAILED       executors: [core] executor = some.where.NoExecutor: " in said


def test_executor_that_only_a_task_names_is_told_with_its_file(doctor):
    code, said = doctor(
        "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\n"
        "with DAG('d'):\n    EmptyOperator(task_id='t', executor='CeleryExecutor')\n"
    )

    assert code == 1
    assert "dags.py: it cannot be parsed here: " in said
    assert "Task 't' specifies executor 'CeleryExecutor', which is not available" in said


def test_broker_that_does_not_answer_is_told(doctor):
    code, said = doctor(
        DAG_FILE, AIRFLOW__CORE__EXECUTOR="CeleryExecutor", AIRFLOW__CELERY__BROKER_URL="redis://127.0.0.1:1/0"
    )

    assert code == 1
    assert "BROKEN       queues: [celery] broker_url does not answer: " in said


def test_report_root_that_cannot_be_written_is_told(doctor, tmp_path):
    (tmp_path / "file").touch()
    code, said = doctor(AIRFLOW__MLTEST__REPORT_ROOT=str(tmp_path / "file"))

    assert code == 1
    assert "FAILED       report root written: on " in said


def test_report_root_is_left_as_it_was(doctor, tmp_path):
    code, said = doctor(AIRFLOW__MLTEST__REPORT_ROOT=str(tmp_path / "reports"))

    assert code == 0
    assert "PASSED       report root written: on " in said
    assert not [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]


def test_api_server_that_does_not_answer_is_told(doctor):
    code, said = doctor(
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://127.0.0.1:1/execution/",
        MLTEST_AIRFLOW_USER="admin",
        MLTEST_AIRFLOW_PASSWORD="x",
    )

    assert code == 2
    assert "mltest: Airflow at http://127.0.0.1:1 does not answer" in said
