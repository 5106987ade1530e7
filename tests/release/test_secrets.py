"""A gate and a promotion through Airflow, and nothing of the password in whatever they leave behind."""

import base64
import sqlite3

import pandas as pd
import pytest

from airflow_mltest.testing.dag_run import dag_runner


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with dag_runner(folder / "airflow", home=folder, relative_to=folder) as run:
        run.folder = folder
        yield run


def release(model, *, version):
    from airflow.sdk import DAG

    from airflow_mltest.checks import RowCount
    from airflow_mltest.core.criteria import SuitePassed
    from airflow_mltest.operators.data import DataTestOperator
    from airflow_mltest.operators.gate import GateOperator
    from airflow_mltest.operators.promote import PromoteOperator, RollbackOperator

    with DAG(f"secrets-{model}", schedule=None) as dag:
        data = DataTestOperator(task_id="data", data=lambda: pd.DataFrame({"a": [1]}), checks=[RowCount(minimum=1)])
        gate = GateOperator(task_id="gate", model=model, version=version, criteria=[SuitePassed("data")])
        promote = PromoteOperator(task_id="promote", model=model, version=version, decision=gate.output)
        back = RollbackOperator(task_id="back", model=model, to="999", trigger_rule="all_done")
        data >> gate >> promote >> back
    return dag


def everything_below(folder):
    """Give all files below a folder as text, databases by what they hold."""
    for path in folder.rglob("*"):
        if path.suffix == ".db":
            with sqlite3.connect(path) as connection:
                yield "\n".join(connection.iterdump())
        elif path.is_file():
            yield path.read_text(errors="replace")


@pytest.mark.parametrize("fault", [None, "500_after"])
def test_password_is_in_no_log_xcom_report_or_rendered_field(
    server, proxy, registry, model, run, monkeypatch, capfd, caplog, fault
):
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(run.folder / "reports"))
    caplog.set_level("DEBUG")
    if fault:
        proxy.fail(3, fault, times=100)
    mlflow = {"conn_type": "mlflow", "host": proxy.uri, "login": server.user, "password": server.password}

    ran = run(release(model, version="2"), connections={"mlflow_default": mlflow})

    gate, promoted = ("failed", "upstream_failed") if fault else ("success", "success")
    assert ran.states == {"data": "success", "gate": gate, "promote": promoted, "back": "failed"}
    assert registry.version_of(model, "champion") == (None if fault else "2")
    said = capfd.readouterr()
    left = [said.out, said.err, caplog.text, str(ran), *everything_below(run.folder)]
    assert all(any(sign in text for text in left) for sign in (model, "rendered_task_instance_fields"))
    basic = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    for secret in (server.password, basic):
        assert not any(secret in text for text in left)
