"""The example DAG, run by Airflow, with a person who approves and a trial that is short."""

import json
import runpy
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
from airflow_mltest.testing.dag_run import dag_runner
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.testing.tiny_model import train_tiny_model

TESTS = Path(__file__).parents[1]
_APPROVALS = runpy.run_path(str(TESTS / "approvals.py"))
MODEL = "late-flights"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the example with a tiny model in the real one's place."""
    with (
        new_store(tmp_path / "mlflow") as store,
        dag_runner(tmp_path / "airflow", home=tmp_path, relative_to=TESTS) as r,
    ):
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": store.uri}))
        monkeypatch.setenv("AIRFLOW_VAR_LATE_FLIGHTS_TEST_DATA", str(tmp_path / "test.parquet"))
        monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(tmp_path / "reports"))
        train_tiny_model(MODEL).data.rename(columns={"left": "late"}).to_parquet(tmp_path / "test.parquet")
        dag = runpy.run_path(str(TESTS.parent / "dags" / "guarded_release.py"))["dag"]
        dag.get_task("release.hold").duration = timedelta(seconds=1)
        with _APPROVALS["a_person"]("guarded_release", _APPROVALS["answer"]("Approve")):
            yield r(dag, timeout_s=120), MlflowRegistry(store.uri)


def test_version_that_is_approved_and_holds_on_trial_is_champion_and_the_report_has_every_check(run):
    ran, registry = run

    assert ran.state == "success", ran.errors
    expected = dict.fromkeys(ran.states, "success") | {"release.roll_back": "skipped"}
    assert ran.states == expected
    assert registry.version_of(MODEL, "champion") == "1"
    assert registry.version_of(MODEL, "canary") is None
    assert registry.tags(MODEL, "1")["mltest.champion.approved_by"] == "ada (ada)"
    tried = [task for task in ran.pushed["summary"] if task.endswith(".smoke")]
    assert len(tried) == 3
