"""What Airflow's database tells of a run, after tasks have really run."""

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.operators.live import Live
from airflow_mltest.plugin.known import airflows
from airflow_mltest.reports.airflows import Airflows, Progress
from airflow_mltest.testing.dag_run import dag_runner

FINDING = Finding(criterion="SuitePassed('unit')", holds=True, seen="passed", wanted="passed")
DECISION = Decision(
    model="churn", version="3", digest="sha256:1", champion="2", approved=True, findings=(FINDING,), decided_at="2026"
)


class Suite(BaseOperator):
    """Tells of its progress as every testing task does."""

    def execute(self, context):
        recording = Recording("unit", "code")
        recording.expect(5)
        recording.add(Case(name="a", outcome=Outcome.PASSED))
        Live(self.log, None, context["task_state_store"]).progress(recording, "row 7")


class GateOperator(BaseOperator):
    """Returns what a gate returns: a decision, or a refusal of one that broke."""

    def __init__(self, returned, **more):
        super().__init__(**more)
        self.returned = returned

    def execute(self, context):
        return self.returned


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known")
    with dag_runner(folder / "airflow", home=folder, relative_to=folder) as run_dag:
        with DAG("d", schedule=None) as dag:
            Suite(task_id="unit")
            GateOperator(task_id="gate", returned=DECISION.to_dict())
            GateOperator(task_id="broken_gate", returned={"approved": False, "reasons": ["why"]})
        yield run_dag(dag)


def state_is(state, ran):
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(TaskInstance).where(TaskInstance.run_id == ran.run_id).values(state=state))


def test_decision_of_a_gate_is_found_and_that_of_a_broken_one_is_none(ran):
    assert ran.state == "success"
    assert airflows("d", ran.run_id).decisions == {"gate": DECISION}


def test_progress_is_told_of_a_suite_that_runs_and_not_of_one_that_has_ended(ran):
    assert airflows("d", ran.run_id).running == ()

    state_is("running", ran)
    assert airflows("d", ran.run_id).running == (Progress(task_id="unit", done=1, total=5, doing="row 7"),)
    state_is("success", ran)


def test_progress_that_is_kept_elsewhere_is_not_told_but_that_the_suite_runs_is(ran):
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(TaskStateStoreModel).values(value='{"__airflow_state_ref__": "s3://b/k"}'))
    state_is("running", ran)

    assert airflows("d", ran.run_id).running == (Progress(task_id="unit"),)


def test_who_has_approved_is_told_and_what_is_not_answered_yet_is_not(ran):
    from airflow.models import TaskInstance
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    with create_session() as session:
        for task_id, answer in (
            ("unit", {"responded_at": at, "responded_by": {"id": "1", "name": "Ada"}, "chosen_options": ["Approve"]}),
            ("gate", {"responded_at": at + timedelta(hours=1), "chosen_options": ["Reject"]}),
            ("broken_gate", {}),
        ):
            place = (TaskInstance.run_id == ran.run_id, TaskInstance.task_id == task_id)
            ti_id = session.scalar(select(TaskInstance.id).where(*place))
            session.add(HITLDetail(ti_id=ti_id, options=["Approve", "Reject"], subject="Release 3?", **answer))
    found = airflows("d", ran.run_id).answers

    assert [(one.task_id, one.question, one.chosen, one.by) for one in found] == [
        ("unit", "Release 3?", "Approve", "Ada"),
        ("gate", "Release 3?", "Reject", ""),
    ]
    assert found[0].at == at


def test_of_another_run_nothing_is_known(ran):
    assert airflows("d", "another") == airflows("another", ran.run_id) == Airflows()
