"""
A registered version on its way to production: tests, a gate, a person, a trial, and a check where it serves.

A version that fails its trial never becomes champion; one that fails after its promotion is rolled
back by itself. The model is the demo's, and registered already: `model_release` shows its training.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_mltest.checks import FiniteOutputs, Latency, Metric, NotWorseThan, RoundTrip, Signature
from airflow_mltest.core.criteria import MetricHolds, SuitePassed
from airflow_mltest.groups import release_group
from airflow_mltest.operators.model import ModelTestOperator
from airflow_mltest.operators.report import ReportOperator

MODEL = "late-flights"
VERSION = "{{ params.version }}"
DATA = "{{ var.value.late_flights_test_data }}"


def smoke(uri: str) -> ModelTestOperator:
    """Ask what production gets for *uri*, such as `models:/late-flights@champion`."""
    checks = [Signature(), FiniteOutputs(), Latency(p95_ms=500)]
    return ModelTestOperator(task_id="smoke", model=uri, data=DATA, target="late", checks=checks)


with DAG(
    "guarded_release",
    schedule=None,
    catchup=False,
    # One trial at a time: the second would be refused.
    max_active_runs=1,
    default_args={"retries": 2},
    params={"version": Param("1", type="string", description="The version that wants to be promoted.")},
    doc_md=__doc__,
    tags=["mltest"],
) as dag:
    model_tests = ModelTestOperator(
        task_id="model_tests",
        model=f"models:/{MODEL}/{VERSION}",
        baseline=f"models:/{MODEL}@champion",
        data=DATA,
        target="late",
        checks=[RoundTrip(), Metric(name="roc_auc", minimum=0.62), NotWorseThan(metric="roc_auc", margin=0.01)],
    )
    release = release_group(
        "release",
        MODEL,
        VERSION,
        tests=[model_tests],
        criteria=[SuitePassed("model_tests"), MetricHolds("model_tests", "roc_auc", minimum=0.62)],
        max_age=timedelta(hours=12),
        approval=True,
        approval_timeout=timedelta(hours=8),
        canary=timedelta(hours=1),
        check=smoke,
    )
    report = ReportOperator(task_id="report", name="release", required=("model_tests",))

    release >> report


if __name__ == "__main__":
    dag.test()
