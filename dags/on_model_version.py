"""
Test every version of a model as it is registered, each in a run of its own.

The registry is watched by the triggerer, with one request a minute for all DAGs that watch it. One
run of `announce_versions` may have been started by several versions; `on_model_version` then runs
once for each. MLflow's webhook does the same at once, where the deployment has one.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetWatcher, PartitionedAssetTimetable

from airflow_mltest.checks import Deterministic, FiniteOutputs, Metric, RoundTrip, Signature
from airflow_mltest.operators.announce import AnnounceVersionsOperator
from airflow_mltest.operators.model import ModelTestOperator
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.triggers.model_version import ModelVersionTrigger

MODEL = "late-flights"

registered = Asset(
    "late_flights_registered",
    watchers=[AssetWatcher(name="late_flights", trigger=ModelVersionTrigger(MODEL, poll_interval_s=60))],
)
# By this URI the webhook finds it.
versions = Asset("late_flights_versions", uri=f"mltest://models/{MODEL}")

with DAG("announce_versions", schedule=[registered], catchup=False, max_active_runs=1, tags=["mltest"]):
    AnnounceVersionsOperator(task_id="announce", model=MODEL, outlets=[versions])

with DAG(
    "on_model_version",
    schedule=PartitionedAssetTimetable(assets=versions),
    catchup=False,
    doc_md=__doc__,
    tags=["mltest"],
) as dag:
    model_tests = ModelTestOperator(
        task_id="model_tests",
        # Started by hand there is no partition, and the newest version is tested.
        model=f"{{{{ partition_key or 'models:/{MODEL}/latest' }}}}",
        data="{{ var.value.late_flights_test_data }}",
        target="late",
        checks=[Signature(), FiniteOutputs(), Deterministic(), RoundTrip(), Metric(name="roc_auc", minimum=0.62)],
    )
    report = ReportOperator(task_id="report", name="version", required=("model_tests",))

    model_tests >> report
