"""The gate on a real registry, with what Airflow says of the tasks before it."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_mltest.core.criteria import MetricAgainstChampion, MetricHolds, SuitePassed
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite
from airflow_mltest.testing.dag_run import dag_runner

ENDS = "BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
CRITERIA = [SuitePassed("unit"), SuitePassed("model"), MetricHolds("model", "auc", minimum=0.8)]


@pytest.fixture
def keep(report_root):
    """Keep a suite in the store as a task of this run would have; gives its file."""
    from airflow_mltest.reports.store import Store

    def keep(name, outcome=Outcome.PASSED, *, kind="code", metrics=(), map_index=-1, try_number=1, task=None, **more):
        measured = tuple(Measurement(name=metric, value=value) for metric, value in dict(metrics).items())
        case = Case(name="case", outcome=outcome, detail="because", measurements=measured)
        origin = Origin(dag_id="d", run_id="r", task_id=task or name, map_index=map_index, try_number=try_number)
        kept = Store(report_root).put(Suite(name=name, kind=kind, cases=(case,), origin=origin, **more))
        return Path(kept.address)

    return keep


@pytest.fixture
def passing(keep, churn_store):
    """Keep what CRITERIA ask for, about a version of `churn`; gives the files."""

    def passing(version="1", *, auc=0.9, **subject):
        digest = churn_store.registry.digest("churn", version)
        about = {"model": "churn", "version": version, "model_digest": digest, "data_digest": "sha256:d", **subject}
        return keep("unit"), keep("model", kind="model", metrics={"auc": auc}, subject=about)

    return passing


def gate(**own):
    def make(**kwargs):
        from airflow_mltest.operators.gate import GateOperator

        chosen = {"task_id": "gate", "model": "churn", "version": "1", "criteria": CRITERIA, **own}
        return GateOperator(**chosen, **kwargs)

    return make


def refusal(ran):
    """Give why the gate refused, and be sure that it did."""
    assert ran.state == "failed"
    assert ran.xcoms["return_value"]["approved"] is False
    return str(ran.error)


def test_gate_approves_writes_its_evidence_and_returns_the_decision(run_task, passing, churn_store, kept):
    passing()
    ran = run_task(gate(max_age=timedelta(hours=1)))

    assert ran.state == "success", ran.error
    decision = ran.xcoms["return_value"]
    assert decision["approved"] is True
    assert (decision["model"], decision["version"], decision["champion"]) == ("churn", "1", None)
    assert decision["target"] == "churn@champion"
    assert decision["subject"] == {"data_digest": "sha256:d"}
    tags = churn_store.registry.tags("churn", "1")
    assert tags["mltest.gate"] == "approved"
    assert tags["mltest.gate.expires_at"] == decision["expires_at"] > decision["decided_at"]
    assert json.loads(tags["mltest.gate.evidence"]) == decision["evidence"]
    assert decision["evidence"].keys() == {"unit", "model"}
    assert kept()["gate"].counts["passed"] == 3


@pytest.mark.parametrize(
    "model, said",
    [
        ({"outcome": Outcome.FAILED}, "suite model: failed"),
        ({"outcome": Outcome.INCONCLUSIVE}, "suite model: inconclusive"),
        ({"metrics": {"auc": 0.7}}, "model: auc: 0.7 (wanted at least 0.8)"),
        ({"metrics": {"auc": float("nan")}}, "model: auc: not measured"),
        ({"metrics": {}}, "model: auc: not measured"),
        ({"version": "2"}, "it tested version 2, not 1"),
        ({"incomplete": "killed"}, "incomplete: killed"),
        (None, "suite model: missing"),
    ],
)
def test_gate_refuses_and_names_the_criterion(run_task, keep, passing, churn_store, model, said):
    _, path = passing()
    path.unlink()
    if model is not None:
        model = {"metrics": {"auc": 0.9}, "version": "1", **model}
        digest = churn_store.registry.digest("churn", "1")
        keep(
            "model",
            kind="model",
            subject={"model": "churn", "version": model.pop("version"), "model_digest": digest},
            **model,
        )
    ran = run_task(gate(), retries=1)

    reason = refusal(ran)
    assert "churn version 1 is refused" in reason
    assert said in reason
    assert churn_store.registry.tags("churn", "1")["mltest.gate"] == "refused"


@pytest.mark.parametrize(
    "number, said",
    [
        ("null", "model: auc: not measured"),
        ("NaN", "model: auc: not measured"),
        ("Infinity", "model: auc: not measured"),
        ("true", "the field 'value' is True, and no Real"),
        ('"0.9"', "the field 'value' is '0.9', and no Real"),
        ("[0.9]", "the field 'value' is [0.9], and no Real"),
    ],
)
def test_report_whose_number_is_none_closes_the_gate(run_task, passing, number, said):
    _, path = passing(auc=0.9)
    text = path.read_text()
    path.write_text(text.replace('"value": 0.9', f'"value": {number}'))

    assert path.read_text() != text
    assert said in refusal(run_task(gate()))


def test_gate_skips_what_follows_where_that_is_wanted(run_task, keep, churn_store):
    keep("unit", Outcome.FAILED)

    assert run_task(gate(on_reject="skip")).state == "skipped"


def test_gate_refuses_stale_evidence(run_task, passing):
    passing()

    assert "stale" in refusal(run_task(gate(max_age=timedelta(seconds=-1))))


def test_gate_without_a_version_says_what_is_missing(run_task, churn_store):
    assert "there is no version" in refusal(run_task(gate(version="{{ '' }}")))


def test_gate_object_that_runs_twice_does_not_answer_with_the_decision_before(passing, churn_store, bare_context):
    passing()
    bare_context["ti"].xcom_pull = lambda **_: None
    bare_context["ti"].get_task_states = lambda **_: {}
    task = gate()()
    with pytest.raises(Exception, match="is refused"):
        task.execute(bare_context)
    assert "findings" in bare_context["ti"].xcoms["return_value"]

    task.version = ""
    with pytest.raises(Exception, match="there is no version"):
        task.execute(bare_context)
    assert "findings" not in bare_context["ti"].xcoms["return_value"]


# Evidence that is not what its task has said.


def test_report_that_was_altered_since_its_task_wrote_it_closes_the_gate(run_task, passing):
    _, path = passing(auc=0.9)
    digest = "sha256:" + "0" * 64
    ran = run_task(gate(), upstream={"model": {"digest": digest}})

    assert f"suite model: altered: it has the digest {_digest(path)}, and its task kept {digest}" in refusal(ran)


@pytest.mark.parametrize("summary", [None, {}, {"digest": None}, "sha256:", ["digest"], 7])
def test_report_of_which_its_task_has_not_told_closes_the_gate(run_task, passing, summary):
    passing()

    assert "suite unit: its task has not told Airflow" in refusal(run_task(gate(), upstream={"unit": summary}))


def test_report_that_cannot_be_read_closes_the_gate(run_task, passing):
    _, path = passing()
    path.write_text(path.read_text()[:-20])

    assert "suite model: incomplete: unreadable" in refusal(run_task(gate()))


def test_altered_report_closes_the_gate_also_where_no_criterion_names_it(run_task, keep, passing):
    passing()
    keep("slices")
    ran = run_task(gate(), upstream={"slices": {"digest": "sha256:0"}})

    assert "suite slices: altered" in refusal(ran)


@pytest.mark.parametrize(
    "state",
    ["running", "queued", "scheduled", "up_for_retry", "restarting", "deferred", "failed", "skipped", "removed", None],
)
def test_evidence_of_a_task_that_has_not_succeeded_closes_the_gate(run_task, passing, state):
    passing()

    assert f"suite model: its task is {state or 'waiting'}" in refusal(run_task(gate(), states={"model": state}))


def test_evidence_of_an_earlier_try_than_the_one_that_ran_last_closes_the_gate(run_task, keep, passing):
    passing()
    told = _digest(keep("unit", try_number=2))
    (keep("unit", try_number=2)).unlink()

    assert "suite unit: altered" in refusal(run_task(gate(), upstream={"unit": {"digest": told}}))


def test_tasks_that_airflow_does_not_tell_of_break_the_gate_and_a_retry_may_help(run_task, passing, churn_store):
    passing()
    ran = run_task(gate(), states=403, retries=1)

    assert ran.state == "up_for_retry"
    assert ran.xcoms["return_value"]["approved"] is False
    assert "mltest.gate" not in churn_store.registry.tags("churn", "1")


def test_shards_count_one_by_one_and_each_must_be_what_its_task_has_said(run_task, keep, passing):
    passing()
    paths = [keep("shards", map_index=number) for number in range(2)]
    ran = run_task(gate(), states={"shards_0": "success", "shards_1": "success"})

    assert ran.state == "success", ran.error
    evidence = ran.xcoms["return_value"]["evidence"]
    assert {key: found["digest"] for key, found in evidence.items() if "shards" in key} == {
        f"shards[{number}]": _digest(path) for number, path in enumerate(paths)
    }
    assert all(Path(found["address"].removeprefix("file://")).is_file() for found in evidence.values())
    ran = run_task(gate(), states={"shards_0": "success", "shards_1": "running"})
    assert "suite shards: shards[1]: its task is running" in refusal(ran)


def test_suite_is_worth_as_much_as_the_shards_that_it_stands_for(run_task, keep, passing):
    passing()
    keep("shards", map_index=0)
    keep("tests", stands_for="shards")
    states = {"shards_0": "success"}

    ran = run_task(gate(), states=states)
    assert ran.state == "success", ran.error
    assert ran.xcoms["return_value"]["evidence"].keys() == {"unit", "model", "tests"}
    ran = run_task(gate(), states=states, upstream={"shards": {"digest": "sha256:0"}})
    assert "suite tests: shards[0]: altered" in refusal(ran)


# What the evidence is about.


def test_subject_is_templated_and_every_suite_that_names_it_must_agree(run_task, keep, passing):
    passing(commit="r")
    keep("lint", subject={"commit": "r"})

    ran = run_task(gate(subject={"commit": "{{ run_id }}"}))
    assert ran.state == "success", ran.error
    assert ran.xcoms["return_value"]["subject"]["commit"] == "r"
    ran = run_task(gate(subject={"commit": "{{ dag.dag_id }}"}))
    assert "suite model: it tested commit r, not d (wanted passed)" in refusal(ran)
    assert "suite lint: it tested commit r, not d" in refusal(ran)


@pytest.mark.parametrize(
    "subject, said",
    [
        ({"commit": None}, "commit: unknown (wanted None)"),
        ({"commit": "{{ '' }}"}, "commit: unknown (wanted a value, and the gate was given none)"),
        ("{{ run_id }}", "the evidence's subject is 'r': give a mapping"),
    ],
)
def test_subject_that_nobody_knows_closes_the_gate(run_task, passing, subject, said):
    passing()

    assert said in refusal(run_task(gate(subject=subject)))


# The registry.


def test_version_is_compared_with_what_the_gate_of_the_champion_wrote(run_task, passing, churn_store):
    criteria = [*CRITERIA, MetricAgainstChampion(suite="model", metric="auc", max_drop=0.02)]
    passing("1", auc=0.9)
    first = run_task(gate(criteria=criteria))
    assert first.xcoms["return_value"]["findings"][3]["seen"] == "0.9; no champion"
    churn_store.registry.point("churn", "champion", "1")

    passing("2", auc=0.885)
    assert run_task(gate(version="2", criteria=criteria)).state == "success"
    passing("2", auc=0.875)
    assert "0.875; version 1 has 0.9" in refusal(run_task(gate(version="2", criteria=criteria)))
    passing("2", auc=0.885, data_digest="sha256:other")
    assert "measured on other data" in refusal(run_task(gate(version="2", criteria=criteria)))
    churn_store.registry.tag("churn", "1", {"mltest.gate.metrics": "{"})
    passing("2", auc=0.885)
    assert "no gate has left figures" in refusal(run_task(gate(version="2", criteria=criteria)))


def test_target_may_be_another_model_and_the_champion_is_the_version_there(run_task, passing, churn_store):
    criteria = [*CRITERIA, MetricAgainstChampion(suite="model", metric="auc", max_drop=0.02)]
    passing("1", auc=0.9)
    first = run_task(gate(criteria=criteria, alias="churn-prod@champion")).xcoms["return_value"]
    assert (first["approved"], first["target"], first["champion"]) == (True, "churn-prod@champion", None)

    _register(churn_store, "churn-prod", "1", {"mltest.gate.metrics": json.dumps(_figures(0.95))})
    churn_store.registry.point("churn-prod", "champion", "1")
    ran = run_task(gate(criteria=criteria, alias="churn-prod@champion"))
    assert "0.9; version 1 has 0.95" in refusal(ran)
    assert ran.xcoms["return_value"]["champion"] == "1"


def test_model_that_is_not_there_closes_the_gate(run_task, passing):
    passing()

    assert "nobody" in refusal(run_task(gate(model="nobody")))


def test_version_without_files_closes_the_gate(run_task, passing, churn_store, tmp_path):
    passing()
    _point_at(churn_store, "1", tmp_path / "nothing")

    assert "version 1" in refusal(run_task(gate())).replace("/", " ").replace("churn 1", "version 1")


def test_registry_that_cannot_be_reached_closes_the_gate_and_a_retry_may_help(run_task, passing, monkeypatch):
    passing()
    connection = {"conn_type": "mlflow", "host": "http://127.0.0.1:9", "extra": {"max_retries": 0}}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    ran = run_task(gate(), retries=1)

    assert ran.state == "up_for_retry"
    assert ran.xcoms["return_value"]["approved"] is False
    assert "127.0.0.1:9" in ran.xcoms["return_value"]["reasons"][0]


def test_decision_that_cannot_be_written_where_the_model_is_is_none(run_task, passing, churn_store):
    passing()
    with sqlite3.connect(churn_store.uri.removeprefix("sqlite:///")) as database:
        database.execute(f"CREATE TRIGGER full BEFORE INSERT ON model_version_tags {ENDS}")
    ran = run_task(gate(), retries=1)

    assert ran.state == "up_for_retry"
    assert ran.xcoms["return_value"]["approved"] is False


# In a real DAG run.


def test_gate_knows_the_tasks_of_a_real_dag_run(tmp_path, churn_store, report_root):
    with dag_runner(tmp_path / "airflow", home=tmp_path, relative_to=tmp_path) as run:
        ran = run(_release(churn_store, report_root))

    assert ran.xcoms["before"]["approved"] is True
    assert ran.xcoms["before"]["evidence"].keys() == {"model", "shards[0]", "shards[1]"}
    assert ran.states["after"] == "failed"
    assert "suite model: altered" in str(ran.errors["after"])


def _release(churn_store, reports):
    """A DAG with a gate, and with another one after somebody has altered a report."""
    from airflow.sdk import DAG, task

    from airflow_mltest.operators.suite import SuiteOperator

    class Measures(SuiteOperator):
        kind = "model"

        def __init__(self, *, auc, **kwargs):
            super().__init__(**kwargs)
            self.auc = auc

        def record(self, recording, context):
            recording.about(model="churn", version="1", model_digest=churn_store.registry.digest("churn", "1"))
            measured = Measurement(name="auc", value=self.auc)
            recording.add(Case(name="auc", outcome=Outcome.PASSED, measurements=(measured,)))

    with DAG("release", schedule=None) as dag:

        @task
        def meddle():
            for path in reports.glob("release/*/model@-1/1.json"):
                path.write_text(path.read_text().replace("0.9", "0.99"))

        criteria = [SuitePassed("model"), SuitePassed("shards"), MetricHolds("model", "auc", minimum=0.8)]
        shards = Measures.partial(task_id="shards").expand(auc=[0.9, 0.95])
        before, after = (gate(criteria=criteria, task_id=task_id)() for task_id in ("before", "after"))
        [Measures(task_id="model", auc=0.9), shards] >> before >> meddle() >> after
    return dag


def _digest(path):
    import hashlib

    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _figures(auc):
    return {"model": {"data_digest": "sha256:d", "metrics": {"auc": auc}}}


def _register(churn_store, name, version, tags):
    """Make a version of another model, of the artifacts of a version of `churn`."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=churn_store.uri, registry_uri=churn_store.uri)
    client.create_registered_model(name)
    client.create_model_version(name, client.get_model_version_download_uri("churn", version), tags=tags)


def _point_at(churn_store, version, folder):
    """Let a version's artifacts lie in another folder, which need not be there."""
    with sqlite3.connect(churn_store.uri.removeprefix("sqlite:///")) as database:
        database.execute(
            "UPDATE model_versions SET source = ?, storage_location = ? WHERE version = ?",
            (str(folder), str(folder), version),
        )
