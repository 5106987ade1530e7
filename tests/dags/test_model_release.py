"""The example DAG, run for real by Airflow: a release, a refusal, and the next release."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
from airflow_mltest.reports.store import Store

DAGS = Path(__file__).parents[2] / "dags"
TASKS = ["unit_tests", "features", "data_tests", "split_tests", "train", "model_tests", "report", "gate", "promote"]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Run the DAG with a choice of labels; returns the run's states and suites."""
    folder = tmp_path_factory.mktemp("release")
    environment = pytest.MonkeyPatch()
    uri = f"sqlite:///{folder}/mlflow.db"
    environment.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(folder / "reports"))
    environment.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": uri}))
    environment.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)

    def run(labels):
        ran = dag_of("model_release").test(run_conf={"labels": labels, "work": str(folder / "work")})
        states = {ti.task_id: str(ti.state) for ti in ran.get_task_instances()}
        suites = {kept.suite.name: kept.suite for kept in Store(folder / "reports").kept("model_release", ran.run_id)}
        return states, suites, folder / "reports"

    run.registry = MlflowRegistry(uri)
    yield run
    environment.undo()


def dag_of(name):
    spec = importlib.util.spec_from_file_location(name, DAGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


def test_release_is_promoted_a_worse_one_refused_and_the_next_one_promoted_again(release):
    states, suites, reports = release("true")
    assert states == dict.fromkeys(TASKS, "success")
    assert {name: suite.passed for name, suite in suites.items()} == dict.fromkeys(
        ["unit_tests", "data_tests", "split_tests", "model_tests", "gate"], True
    )
    skipped = next(case for case in suites["model_tests"].cases if case.outcome is Outcome.SKIPPED)
    assert "first release" in skipped.detail
    assert release.registry.version_of("late-flights", "champion") == "1"
    assert len(list(reports.rglob("report.html"))) == 1

    states, suites, reports = release("shuffled")
    assert [states[task] for task in TASKS[5:]] == ["failed", "failed", "failed", "upstream_failed"]
    assert [case.name for case in suites["gate"].failures] == ["suite model_tests", "model_tests: roc_auc"]
    failed = {case.name for case in suites["model_tests"].failures}
    assert {"roc_auc", "not_worse_than_baseline(roc_auc)"} <= failed
    assert release.registry.version_of("late-flights", "champion") == "1"
    assert release.registry.tags("late-flights", "2")["mltest.gate"] == "refused"
    assert len(list(reports.rglob("report.html"))) == 2

    states, suites, _ = release("true")
    assert states == dict.fromkeys(TASKS, "success")
    compared = next(case for case in suites["model_tests"].cases if case.name.startswith("not_worse"))
    assert compared.outcome is Outcome.PASSED
    assert release.registry.version_of("late-flights", "champion") == "3"
    assert release.registry.tags("late-flights", "3")["mltest.champion.replaced"] == "1"

    assert str(dag_of("model_rollback").test().state) == "success"
    assert release.registry.version_of("late-flights", "champion") == "1"
