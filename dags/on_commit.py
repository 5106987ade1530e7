"""
Test every commit on `main` as it comes: what it can reach, spread over workers.

The repository is watched by the triggerer, with one request a minute for all DAGs that watch it;
what was pushed while Airflow was down is tested when it is back. A run tests the newest commit that
there is when it plans: of events that come one shortly after the other, Airflow gives it the first.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_mltest.groups import pytest_group
from airflow_mltest.hooks.git import Checkout
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.triggers.git_commit import GitCommitTrigger

# The id of an Airflow connection of type git; a URL or a path would do as well.
REPOSITORY = "code"
commits = Asset(
    "code_main",
    watchers=[AssetWatcher(name="code_main", trigger=GitCommitTrigger(REPOSITORY, "main", poll_interval_s=60))],
)

with DAG("on_commit", schedule=[commits], catchup=False, doc_md=__doc__, tags=["mltest"]) as dag:
    tests = pytest_group("tests", Checkout(repository=REPOSITORY, commit="main"), shards=4, changed_since="last-passed")
    report = ReportOperator(task_id="report", name="commit", required=("tests",))

    tests >> report
