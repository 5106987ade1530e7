"""DAGs that end in each way that a CI job may meet."""

import time

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.notifications.commit_status import CommitStatusNotifier
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.operators.suite import SuiteOperator


class Says(SuiteOperator):
    """
    A suite whose answers are given.

    Args:
        cases: Name and outcome of each.
        breaks: Why the run does not reach its end, if it does not.
    """

    kind = "code"

    def __init__(self, *, cases=(), breaks="", **kwargs):
        super().__init__(**kwargs)
        self.cases, self.breaks = cases, breaks

    def record(self, recording, context):
        recording.about(commit=context["params"]["commit"])
        for name, outcome in self.cases:
            detail = "" if outcome == "passed" else f"::error::what {name} says\nsecond line"
            recording.add(Case(name=name, outcome=Outcome(outcome), detail=detail))
        if self.breaks:
            raise BrokenRunError(self.breaks)


def status(state):
    return CommitStatusNotifier(git_conn_id="forge", forge="gitea", commit="{{ params.commit }}", state=state)


def dag_of(dag_id, **more):
    return DAG(dag_id, schedule=None, params={"commit": "none"}, **more)


with dag_of("passes"):
    Says(task_id="unit", cases=[("a", "passed"), ("b", "passed"), ("c", "skipped")]) >> ReportOperator(task_id="report")

with dag_of("fails", on_failure_callback=status("failure")):
    cases = [("tests/test_a.py::test_one", "failed"), ("two", "passed"), ("three", "broken")]
    (
        Says(task_id="unit", cases=cases, on_execute_callback=status("pending"))
        >> Says(task_id="after", cases=[("d", "passed")], trigger_rule="all_done")
        >> ReportOperator(task_id="report")
    )

with dag_of("breaks"):
    Says(task_id="unit", cases=[("a", "passed")], breaks="the disk is gone")

# Airflow judges a run by its last tasks: that is no reason to be green.
with dag_of("hides"):

    @task(trigger_rule="all_done")
    def clean_up():
        pass

    Says(task_id="unit", cases=[("a", "failed")]) >> clean_up()

with dag_of("says_nothing"):

    @task
    def nothing():
        pass

    nothing()

with dag_of("takes_long"):

    @task
    def sleep():
        time.sleep(300)

    Says(task_id="unit", cases=[("a", "passed")]) >> sleep()

with DAG("on_push", schedule=PartitionedAssetTimetable(assets=Asset("code")), params={"commit": "none"}):
    Says(task_id="unit", cases=[("a", "passed")])

with dag_of("paused", is_paused_upon_creation=True):
    Says(task_id="unit", cases=[("a", "passed")])
