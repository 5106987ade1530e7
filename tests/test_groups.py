"""`release_group` on a real registry, run by Airflow: which task ends how, and where the aliases are then."""

import json
import re
import runpy
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_mltest.core.criteria import SuitePassed
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.testing.dag_run import dag_runner
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.testing.tiny_model import train_tiny_model

_APPROVALS = runpy.run_path(str(Path(__file__).parent / "approvals.py"))
a_person, answer = _APPROVALS["a_person"], _APPROVALS["answer"]
SECOND = timedelta(seconds=1)
OK, FAILED, SKIPPED, UPSTREAM = "success", "failed", "skipped", "upstream_failed"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """One Airflow and one MLflow for all; two models as different as their seeds."""
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry

    folder, environment = tmp_path_factory.mktemp("release"), pytest.MonkeyPatch()
    with new_store(folder / "mlflow") as store, dag_runner(folder / "airflow", home=folder, relative_to=folder) as run:
        environment.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(folder / "reports"))
        environment.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": store.uri}))
        for seed in (0, 1):
            train_tiny_model("tiny", seed=seed)
        yield run, MlflowRegistry(store.uri)
        environment.undo()


@dataclass
class Released:
    """A DAG run, without the group's name, and the registry after it."""

    ran: object
    registry: object
    model: str

    @property
    def states(self):
        """Of the DAG run, and of those tasks that are always there."""
        tasks = ("gate", "promote", "check.serves", "roll_back", "released")
        return [self.ran.state, *(self.states_by_task[task] for task in tasks)]

    @property
    def states_by_task(self):
        return {task.removeprefix("release."): state for task, state in self.ran.states.items()}

    def error(self, task):
        return str(self.ran.errors[f"release.{task}"])

    def returned(self, task):
        return self.ran.xcoms[f"release.{task}"]

    def at(self, alias="champion"):
        return self.registry.version_of(self.model, alias)

    def tags(self, version, alias="champion"):
        prefix = f"mltest.{alias}."
        tags = self.registry.tags(self.model, version).items()
        return {key.removeprefix(prefix): value for key, value in tags if key.startswith(prefix)}


@pytest.fixture
def release(airflow, request):
    """Release versions of a model of the test's own; version 1 is the champion unless there is to be none."""
    run, registry = airflow
    model = re.sub(r"\W+", "_", request.node.name)
    for number in range(3):
        registry.copy("tiny", str(1 + number % 2), model, {"number": str(number)})

    def release(version="2", *, champion="1", evidence=Outcome.PASSED, **keywords):
        from airflow.sdk import DAG

        from airflow_mltest.groups import release_group

        if champion and registry.version_of(model, "champion") is None:
            registry.point(model, "champion", champion)
        with DAG(f"dag_{model}", schedule=None) as dag:
            tests = [says("unit", evidence)]
            release_group("release", model, version, tests=tests, criteria=[SuitePassed("unit")], **keywords)
        return Released(run(dag, timeout_s=60), registry, model)

    release.registry, release.model = registry, model
    return release


def says(task_id, *outcomes, then=lambda: None, **keywords):
    """Make a task whose suite has one case; of several outcomes, each try has its own, and None is no answer."""
    from airflow_mltest.operators.suite import SuiteOperator

    class Says(SuiteOperator):
        kind = "code"

        def record(self, recording, context):
            then()
            outcome = outcomes[min(context["ti"].try_number, len(outcomes)) - 1]
            if outcome is None:
                msg = "nobody answers"
                raise BrokenRunError(msg)
            recording.add(Case(name="smoke", outcome=outcome, detail="because\nit is so"))

    return Says(task_id=task_id, **keywords)


def let_time_pass(_, session):
    """Do nothing until the time is up; the scheduler then does what it does."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    time.sleep(1.2)
    SchedulerJobRunner(Job(), executors=[]).check_awaiting_input_timeouts(session=session)


def test_version_that_passes_is_promoted_and_nothing_is_rolled_back(release):
    done = release()

    assert done.states == [OK, OK, OK, OK, SKIPPED, OK]
    assert done.at() == "2"
    assert done.returned("released") == {"model": done.model, "alias": "champion", "version": "2", "replaced": "1"}


def test_gate_that_refuses_leaves_the_champion_and_the_run_fails(release):
    done = release(evidence=Outcome.FAILED)

    assert done.states == [FAILED, FAILED, UPSTREAM, UPSTREAM, SKIPPED, UPSTREAM]
    assert done.at() == "1"


def test_gate_that_is_told_to_skip_leaves_the_champion_and_skips_the_rest(release):
    done = release(evidence=Outcome.INCONCLUSIVE, on_reject="skip")

    assert done.states == [OK, SKIPPED, SKIPPED, SKIPPED, SKIPPED, SKIPPED]
    assert done.at() == "1"


def test_check_that_fails_brings_the_champion_back_and_the_run_says_why(release):
    asked = []

    def check(uri):
        asked.append(uri)
        says("serves", Outcome.FAILED)

    done = release(check=check)

    assert done.states == [FAILED, OK, OK, FAILED, OK, FAILED]
    assert asked == [f"models:/{done.model}@champion"]
    assert done.error("released") == (
        f"{done.model}@champion was rolled back from 2 to 1 because release.check.serves: smoke: because it is so"
    )
    assert done.at() == "1"
    assert done.tags("2")["rolled_back"] == done.tags("2")["decision"]


def test_first_release_that_fails_its_check_serves_no_longer(release):
    done = release(champion=None, check=lambda _: says("serves", Outcome.FAILED))

    assert done.states == [FAILED, OK, OK, FAILED, OK, FAILED]
    assert "@champion was taken away from 2, before which there was nothing, because" in done.error("released")
    assert done.at() is None
    assert done.tags("2")["rolled_back"] == done.tags("2")["decision"]


def test_alias_that_somebody_else_has_moved_stays_there_when_the_check_fails(release):
    def moved():
        release.registry.point(release.model, "champion", "3")

    done = release(check=lambda _: says("serves", Outcome.FAILED, then=moved))

    assert done.states == [FAILED, OK, OK, FAILED, FAILED, UPSTREAM]
    assert "@champion points at 3, and no longer at 2" in done.error("roll_back")
    assert done.at() == "3"


def test_check_that_is_broken_is_tried_again_and_its_success_counts(release):
    done = release(check=lambda _: says("serves", None, Outcome.PASSED, retries=1))

    assert done.states == [OK, OK, OK, OK, SKIPPED, OK]
    assert done.at() == "2"


def test_check_that_cannot_be_answered_proves_nothing(release):
    done = release(check=lambda _: says("serves", None))

    assert done.states == [FAILED, OK, OK, FAILED, OK, FAILED]
    assert "because release.check.serves: Says 'release.check.serves': nobody answers" in done.error("released")
    assert done.at() == "1"


def test_person_who_approves_has_seen_the_decision_and_is_on_record_with_the_copy_that_is_promoted(release):
    live = f"{release.model}_live"
    release.registry.copy("tiny", "2", live, {})
    release.registry.point(live, "champion", "1")
    ada = {"id": "ada", "name": "Ada"}

    with a_person(f"dag_{release.model}", answer("Approve")) as seen:
        done = release(approval=True, approvers=[ada], copy_to=live)

    assert done.states == [OK, OK, OK, OK, SKIPPED, OK]
    ((subject, body, approvers),) = seen
    assert subject == f"Promote {done.model} version 2 to {live}@champion?"
    assert "| ✅ | suite unit | passed (1 passed) | passed |" in body
    assert "<" not in body
    assert approvers == [ada]
    assert (release.registry.version_of(live, "champion"), done.at()) == ("2", "1")
    assert done.returned("released")["model"] == live
    assert release.registry.tags(live, "2")["mltest.champion.approved_by"] == "ada (ada)"


def test_version_that_a_person_rejects_is_neither_tried_nor_promoted(release):
    with a_person(f"dag_{release.model}", answer("Reject")):
        done = release(approval=True, canary=SECOND)

    expected = dict.fromkeys(done.states_by_task, SKIPPED) | dict.fromkeys(["unit", "gate", "approve"], OK)
    assert (done.ran.state, done.states_by_task) == (OK, expected)
    assert (done.at(), done.at("canary")) == ("1", None)


def test_version_that_nobody_approves_in_time_is_not_promoted(release):
    with a_person(f"dag_{release.model}", let_time_pass):
        done = release(approval=True, approval_timeout=SECOND)

    assert done.states == [OK, OK, SKIPPED, SKIPPED, SKIPPED, SKIPPED]
    assert done.at() == "1"


@pytest.mark.parametrize("why", ["the champion is another", "the evidence is old"])
def test_decision_that_holds_no_longer_when_a_person_approves_leads_to_neither_check_nor_rollback(release, why):
    max_age = timedelta(seconds=10)

    def late(task, session):
        if why == "the evidence is old":
            time.sleep(max_age.total_seconds())
        else:
            release.registry.point(release.model, "champion", "3")
        answer("Approve")(task, session)

    with a_person(f"dag_{release.model}", late):
        done = release(approval=True, max_age=max_age)

    assert done.states == [FAILED, OK, FAILED, UPSTREAM, SKIPPED, UPSTREAM]
    assert done.returned("approve")["chosen_options"] == ["Approve"]
    said = {"the champion is another": "points at 3, but version 2 was compared with 1", "the evidence is old": "until"}
    assert said[why] in done.error("promote")
    assert done.at() == ("1" if why == "the evidence is old" else "3")


def test_version_on_trial_is_promoted_after_its_checks_have_held_and_the_trial_ends(release):
    done = release(canary=SECOND)

    expected = dict.fromkeys(done.states_by_task, OK) | {"roll_back": SKIPPED}
    assert (done.ran.state, done.states_by_task) == (OK, expected)
    assert set(expected) >= {"canary", "canary_check.serves", "hold", "canary_check_again.serves", "end_canary"}
    tried = done.ran.pushed["summary"]["release.canary_check_again.serves"]
    assert (tried["outcome"], tried["subject"]["version"]) == ("passed", "2")
    assert (done.at(), done.at("canary")) == ("2", None)
    assert done.tags("2", "canary")["evidence"] == done.tags("2")["evidence"]


@pytest.mark.parametrize("stage", ["canary_check", "canary_check_again"])
def test_version_that_fails_on_trial_never_becomes_champion(release, stage):
    stages, at = iter(["canary_check", "canary_check_again", "check"]), []

    def look():
        at.append(release.registry.version_of(release.model, "canary"))

    def check(_):
        says("serves", Outcome.FAILED if next(stages) == stage else Outcome.PASSED, then=look)

    done = release(canary=SECOND, check=check)

    assert done.states == [FAILED, OK, UPSTREAM, UPSTREAM, SKIPPED, UPSTREAM]
    assert done.states_by_task[f"{stage}.serves"] == FAILED
    assert done.states_by_task["hold"] == (UPSTREAM if stage == "canary_check" else OK)
    assert done.states_by_task["end_canary"] == OK
    assert at == ["2"] * (1 if stage == "canary_check" else 2)
    assert (done.at(), done.at("canary")) == ("1", None)


def test_version_waits_for_the_trial_of_another(release):
    release.registry.point(release.model, "canary", "3")

    done = release(canary=SECOND, check=lambda _: says("serves", Outcome.PASSED))

    assert done.states == [FAILED, OK, UPSTREAM, UPSTREAM, SKIPPED, UPSTREAM]
    assert "@canary points at 3: version 2 goes on trial when the trial of that one has ended" in done.error("canary")
    assert done.states_by_task["end_canary"] == SKIPPED
    assert (done.at(), done.at("canary")) == ("1", "3")


@pytest.mark.parametrize(
    "keywords, said",
    [
        ({"approvers": [{"id": "ada", "name": "Ada"}]}, "nobody would be asked"),
        ({"approval_timeout": SECOND}, "nobody would be asked"),
        ({"canary": SECOND, "max_age": SECOND}, "all evidence is older than max_age=0:00:01"),
        ({"check": lambda _: None}, "has made no task"),
    ],
)
def test_group_that_could_not_work_is_refused_when_the_dag_is_parsed(keywords, said):
    from airflow.sdk import DAG

    from airflow_mltest.groups import release_group

    with DAG("d", schedule=None), pytest.raises(ConfigurationError, match=said):
        release_group("release", "churn", "2", tests=[], criteria=[], **keywords)


def test_gate_comes_after_the_last_tasks_of_groups_and_the_groups_end_before_what_comes_next():
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, TaskGroup

    from airflow_mltest.groups import release_group

    with DAG("d", schedule=None):
        with TaskGroup("unit") as unit:
            EmptyOperator(task_id="first") >> EmptyOperator(task_id="last")
        tests = [unit, EmptyOperator(task_id="model")]
        release = release_group("release", "churn", "2", tests=tests, criteria=[], canary=SECOND)
        after = EmptyOperator(task_id="after")
        release >> after

    assert release.children["release.gate"].upstream_task_ids == {"unit.last", "model"}
    assert after.upstream_task_ids == {"release.released", "release.end_canary"}


def test_group_serializes_the_same_each_time():
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    from airflow_mltest.groups import release_group

    serialized = []
    for _ in range(2):
        with DAG("d", schedule=None) as dag:
            release_group(
                "release", "churn", "2", tests=[], criteria=[SuitePassed("unit")], approval=True, canary=SECOND
            )
        serialized.append(str(DagSerialization.serialize_dag(dag)["tasks"]))

    assert serialized[0] == serialized[1]
    assert " at 0x" not in serialized[0]
