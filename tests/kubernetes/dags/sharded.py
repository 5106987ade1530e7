"""A suite in two halves, side by side, the shards of each in pods of its machine class."""

import os
from pathlib import Path

from airflow.sdk import DAG

from airflow_mltest.groups import pytest_group
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.placement import Environment, on

FOLDER = Path(os.environ["MLTEST_STACK"])
SMALL, LARGE = (Environment.from_file(FOLDER / "environments.yaml", name) for name in ("small", "large"))

with DAG("sharded", schedule=None, default_args=on(SMALL)):
    halves = [
        pytest_group(name, str(FOLDER / "suite"), args=[f"tests/{name}"], shards=2, on=on(environment))
        for name, environment in (("small", SMALL), ("large", LARGE))
    ]
    halves >> ReportOperator(task_id="report", required=["small", "large"])
