"""
A model release, from raw data to the alias that production serves, every step tested.

The project under test is the demo's (`late_flights` predicts whether a flight arrives more than
15 minutes late); the rest is what a release DAG of your own would say.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

import airflow_mltest.demo
from airflow_mltest.checks import (
    Adversarial,
    Calibration,
    Constraints,
    Deterministic,
    Drift,
    FiniteOutputs,
    LabelShift,
    Latency,
    LatencyRatio,
    Leakage,
    Metric,
    Noise,
    NotWorseThan,
    Privacy,
    RoundTrip,
    RowCount,
    Signature,
    Slices,
)
from airflow_mltest.core.criteria import MetricHolds, SuitePassed
from airflow_mltest.operators.data import DataTestOperator
from airflow_mltest.operators.gate import GateOperator
from airflow_mltest.operators.model import ModelTestOperator
from airflow_mltest.operators.promote import PromoteOperator
from airflow_mltest.operators.pytest import PytestOperator
from airflow_mltest.operators.report import ReportOperator

DEMO = Path(airflow_mltest.demo.__file__).parent
PROJECT = DEMO / "project"
MODEL = "late-flights"
VERSION = "{{ (ti.xcom_pull('train') or {}).get('version', '') }}"
# What no forecast and no schedule can change shortly before a flight departs.
FIXED = ("carrier", "origin", "dest", "distance", "plane_age", "seats", "weekday")
STEPS = ("unit_tests", "data_tests", "split_tests", "model_tests")
# The others change with the weather and the calendar.
STEADY = ("carrier", "origin", "dest", "weekday", "departure_minute", "distance", "plane_age", "seats")


def step(command: str, task_id: str) -> BashOperator:
    """One command of the project, whose last line of output is its result."""
    return BashOperator(
        task_id=task_id,
        bash_command=f"python -m late_flights {command}",
        cwd=str(PROJECT),
        env={"PYTHONPATH": str(PROJECT / "src"), "MLFLOW_TRACKING_URI": "{{ conn.mlflow_default.host }}"},
        append_env=True,
        output_processor=json.loads,
    )


with DAG(
    "model_release",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params={
        "data": Param(str(DEMO / "data"), type="string", description="Folder with flights, weather and planes."),
        "work": Param("/tmp/late-flights", type="string", description="Folder for the features of each run."),  # noqa: S108
        "labels": Param("true", enum=["true", "shuffled"], description="What the model learns: the truth, or noise."),
    },
    doc_md=__doc__,
    tags=["mltest"],
) as dag:
    unit_tests = PytestOperator(task_id="unit_tests", project=str(PROJECT), args=["tests/unit"], case_timeout_s=60)
    features = step("features --data '{{ params.data }}' --out '{{ params.work }}/{{ run_id }}'", "features")
    data_tests = DataTestOperator(
        task_id="data_tests",
        data="{{ ti.xcom_pull('features')['train'] }}",
        expectations=str(PROJECT / "expectations" / "features.json"),
    )
    split_tests = DataTestOperator(
        task_id="split_tests",
        data="{{ ti.xcom_pull('features')['test'] }}",
        reference="{{ ti.xcom_pull('features')['train'] }}",
        checks=[
            RowCount(minimum=0.2, of_reference=True),
            Leakage(keys=("flight_id",), time="scheduled", target="late"),
            Drift(columns=STEADY),
            LabelShift(target="late"),
            Privacy(),
        ],
    )
    train = step(
        f"train --features '{{{{ params.work }}}}/{{{{ run_id }}}}' --model {MODEL} --labels {{{{ params.labels }}}}",
        "train",
    )
    model_tests = ModelTestOperator(
        task_id="model_tests",
        model=f"models:/{MODEL}/{VERSION}",
        baseline=f"models:/{MODEL}@champion",
        data="{{ ti.xcom_pull('features')['test'] }}",
        target="late",
        checks=[
            Signature(),
            FiniteOutputs(),
            Deterministic(),
            RoundTrip(),
            Metric(name="roc_auc", minimum=0.62),
            Slices(by=("origin", "carrier"), metric="roc_auc", minimum=0.55),
            Slices(by="auto", metric="log_loss", max_gap=0.25),
            Calibration(max_error=0.1),
            NotWorseThan(metric="roc_auc", margin=0.01),
            Noise(metric="roc_auc", max_drop=0.02),
            Adversarial(minimum=0.5, budget=0.1, rows=200, constraints=Constraints(immutable=FIXED)),
            Latency(p95_ms=500),
            LatencyRatio(maximum=1.25),
        ],
    )
    report = ReportOperator(task_id="report", name="release", required=STEPS)
    gate = GateOperator(
        task_id="gate",
        model=MODEL,
        version=VERSION,
        criteria=[*map(SuitePassed, STEPS), MetricHolds("model_tests", "roc_auc", minimum=0.62)],
        max_age=timedelta(hours=6),
    )
    promote = PromoteOperator(task_id="promote", model=MODEL, version=VERSION, alias="champion", decision=gate.output)

    unit_tests >> features >> [data_tests, split_tests] >> train >> model_tests >> report >> gate >> promote


if __name__ == "__main__":
    dag.test()
