"""Sharded suites: one in two halves, each on its machine class, and one that any worker may take."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_mltest.groups import pytest_group
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.placement import Environment, on

FOLDER = Path(os.environ["MLTEST_STACK"])
ANYWHERE = {"queue": "either", "retries": 4, "retry_delay": timedelta(seconds=1)}

with DAG("sharded", schedule=None, default_args=ANYWHERE):
    halves = [
        pytest_group(
            name,
            str(FOLDER / "suite"),
            args=[f"tests/{name}"],
            shards=3,
            on=on(Environment(queue=f"cpu_{name}", env={"MACHINE": name})),
        )
        for name in ("small", "large")
    ]
    halves >> ReportOperator(task_id="report", required=["small", "large"])

with DAG("disturbed", schedule=None, default_args=ANYWHERE, params={"signals": ""}):
    steps = pytest_group("steps", str(FOLDER / "steps"), shards=1, env={"SIGNALS": "{{ params.signals }}"})
    steps >> ReportOperator(task_id="report", required=["steps"])
