"""A release in little, each step on the machine class that it names; the same file on Celery and on Kubernetes."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, task

from airflow_mltest.checks import Metric, RowCount, Signature
from airflow_mltest.core.criteria import MetricHolds, SuitePassed
from airflow_mltest.operators.data import DataTestOperator
from airflow_mltest.operators.environment import EnvironmentTestOperator
from airflow_mltest.operators.gate import GateOperator
from airflow_mltest.operators.model import ModelTestOperator
from airflow_mltest.operators.promote import PromoteOperator
from airflow_mltest.operators.pytest import PytestOperator
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.placement import Environment, on

FOLDER = Path(os.environ["MLTEST_STACK"])
SMALL, LARGE = (Environment.from_file(FOLDER / "environments.yaml", name) for name in ("small", "large"))
MODEL, VERSION = "tiny", "{{ ti.xcom_pull('train')['version'] }}"
DATA = "{{ ti.xcom_pull('train')['data'] }}"
STEPS = ("unit_tests", "data_tests", "worker", "model_tests")

with DAG("release", schedule=None, default_args=on(SMALL)):

    @task(**on(LARGE))
    def train():
        """Register the model that is to be released."""
        import mlflow
        from airflow.sdk import Connection

        from airflow_mltest.testing.tiny_model import train_tiny_model

        mlflow.set_tracking_uri(Connection.get("mlflow_default").host)
        model = train_tiny_model(MODEL)
        path = FOLDER / "customers.parquet"
        model.data.to_parquet(path)
        return {"version": model.version, "data": str(path)}

    unit_tests = PytestOperator(task_id="unit_tests", project=str(FOLDER / "suite"), args=["tests/small/test_0.py"])
    data_tests = DataTestOperator(task_id="data_tests", data=DATA, checks=[RowCount(minimum=100)])
    worker = EnvironmentTestOperator(task_id="worker", environment=LARGE, **on(LARGE))
    model_tests = ModelTestOperator(
        task_id="model_tests",
        model=f"models:/{MODEL}/{VERSION}",
        data=DATA,
        target="left",
        checks=[Signature(), Metric(name="accuracy", minimum=0.7)],
        **on(LARGE),
    )
    report = ReportOperator(task_id="report", required=STEPS)
    gate = GateOperator(
        task_id="gate",
        model=MODEL,
        version=VERSION,
        criteria=[*map(SuitePassed, STEPS), MetricHolds("model_tests", "accuracy", minimum=0.7)],
        max_age=timedelta(hours=1),
    )
    promote = PromoteOperator(task_id="promote", model=MODEL, version=VERSION, decision=gate.output)

    train() >> [unit_tests, data_tests, worker, model_tests] >> report >> gate >> promote
