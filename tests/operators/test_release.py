"""Report, gate, promotion and rollback on a real registry."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_mltest.core.criteria import MetricHolds, SuitePassed
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite


@pytest.fixture
def keep(report_root):
    """Keep a suite in the store as a task of this run would have."""
    from airflow_mltest.reports.store import Store

    def keep(name, outcome=Outcome.PASSED, *, kind="code", metrics=(), **more):
        measured = tuple(Measurement(name=metric, value=value) for metric, value in dict(metrics).items())
        case = Case(name="case", outcome=outcome, detail="because", measurements=measured)
        origin = Origin(dag_id="d", run_id="r", task_id=name)
        return Store(Path(report_root)).keep(Suite(name=name, kind=kind, cases=(case,), origin=origin, **more))

    return keep


@pytest.fixture
def about(churn_store):
    """Say what a model suite of a version of `churn` was about."""
    return lambda version: {
        "model": "churn",
        "version": version,
        "model_digest": churn_store.registry.digest("churn", version),
    }


def report(**own):
    def make(**kwargs):
        from airflow_mltest.operators.report import ReportOperator

        return ReportOperator(task_id="report", **own, **kwargs)

    return make


def gate(**own):
    def make(**kwargs):
        from airflow_mltest.operators.gate import GateOperator

        own.setdefault(
            "criteria", [SuitePassed("unit"), SuitePassed("model"), MetricHolds("model", "auc", minimum=0.8)]
        )
        return GateOperator(task_id="gate", model="churn", **{"version": "1", **own}, **kwargs)

    return make


def promote(decision, **own):
    def make(**kwargs):
        from airflow_mltest.operators.promote import PromoteOperator

        own.setdefault("version", "1")
        return PromoteOperator(task_id="promote", model="churn", alias="champion", decision=decision, **own, **kwargs)

    return make


def rollback(**own):
    def make(**kwargs):
        from airflow_mltest.operators.promote import RollbackOperator

        return RollbackOperator(task_id="rollback", model="churn", alias="champion", **own, **kwargs)

    return make


def test_report_writes_three_files_and_passes_when_all_passed(run_task, keep, report_root):
    keep("unit")
    keep("model", kind="model")
    ran = run_task(report(name="release", required=["unit", "model"]))

    assert ran.state == "success", ran.error
    folder = report_root / "d" / "r" / "release"
    assert {path.name for path in folder.iterdir()} == {"report.json", "report.html", "junit.xml"}
    assert ran.xcoms["return_value"]["outcome"] == "passed"
    assert ran.xcoms["return_value"]["addresses"]["report.html"].endswith("d/r/release/report.html")


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED])
def test_report_fails_after_it_has_written_when_a_suite_has_not_passed(run_task, keep, report_root, outcome):
    keep("unit", outcome)
    ran = run_task(report(), retries=1)

    assert ran.state == "failed"
    assert "unit" in str(ran.error)
    assert json.loads((report_root / "d" / "r" / "report" / "report.json").read_text())["suites"][0]["name"] == "unit"
    assert ran.xcoms["return_value"]["outcome"] == outcome.value


def test_report_fails_when_a_required_suite_is_missing(run_task, keep):
    keep("unit")
    ran = run_task(report(required=["unit", "model"]))

    assert ran.state == "failed"
    assert "missing: model" in str(ran.error)


def test_report_of_nothing_fails(run_task):
    assert run_task(report()).state == "failed"


def test_gate_approves_writes_its_evidence_and_returns_the_decision(run_task, keep, about, churn_store, kept):
    keep("unit")
    keep("model", kind="model", metrics={"auc": 0.9}, subject=about("1"))
    ran = run_task(gate())

    assert ran.state == "success", ran.error
    decision = ran.xcoms["return_value"]
    assert decision["approved"] is True
    assert (decision["model"], decision["version"], decision["champion"]) == ("churn", "1", None)
    tags = churn_store.registry.tags("churn", "1")
    assert tags["mltest.gate"] == "approved"
    evidence = json.loads(tags["mltest.gate.evidence"])
    assert evidence["model"]["digest"].startswith("sha256:")
    assert evidence.keys() == {"unit", "model"}
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
def test_gate_refuses_and_names_the_criterion(run_task, keep, about, churn_store, model, said):
    keep("unit")
    if model is not None:
        model = {"metrics": {"auc": 0.9}, "version": "1", **model}
        subject = about("1") | {"version": model.pop("version")}
        keep("model", kind="model", subject=subject, **model)
    ran = run_task(gate(), retries=1)

    assert ran.state == "failed"
    assert "churn version 1 is refused" in str(ran.error)
    assert said in str(ran.error)
    assert ran.xcoms["return_value"]["approved"] is False
    assert churn_store.registry.tags("churn", "1")["mltest.gate"] == "refused"


def test_gate_skips_what_follows_where_that_is_wanted(run_task, keep, churn_store):
    keep("unit", Outcome.FAILED)

    assert run_task(gate(on_reject="skip")).state == "skipped"


def test_gate_refuses_stale_evidence(run_task, keep, about):
    keep("unit")
    keep("model", kind="model", metrics={"auc": 0.9}, subject=about("1"))
    ran = run_task(gate(max_age=timedelta(seconds=-1)))

    assert ran.state == "failed"
    assert "stale" in str(ran.error)


def test_gate_without_a_version_says_what_is_missing(run_task, churn_store):
    ran = run_task(gate(version="{{ '' }}"))

    assert ran.state == "failed"
    assert "there is no version" in str(ran.error)
    assert ran.xcoms["return_value"]["approved"] is False


@pytest.fixture
def decision(run_task, keep, about):
    """Have the gate approve a version."""

    def approve(version="1"):
        keep("unit")
        keep("model", kind="model", metrics={"auc": 0.9}, subject=about(version))
        return run_task(gate(version=version)).xcoms["return_value"]

    return approve


def test_promotion_moves_the_alias_and_says_what_it_replaced(run_task, decision, churn_store):
    first = run_task(promote(decision("1")))
    second = run_task(promote(decision("2"), version="2"))

    assert first.xcoms["return_value"] == {"model": "churn", "alias": "champion", "version": "1", "replaced": None}
    assert second.xcoms["return_value"] == {"model": "churn", "alias": "champion", "version": "2", "replaced": "1"}
    assert churn_store.registry.version_of("churn", "champion") == "2"


def test_promotion_is_the_same_when_it_is_retried(run_task, decision, churn_store):
    approved = decision("1")
    once, again = run_task(promote(approved)), run_task(promote(approved), try_number=2)

    assert once.xcoms["return_value"] == again.xcoms["return_value"]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"approved": False}, "was not approved"),
        ({"digest": "sha256:0"}, "other artifacts"),
        ({"champion": "2"}, "run its tests and the gate again"),
        ({"version": "2"}, "not about churn version 1"),
        ({"findings": []}, "its findings do not"),
        ({"findings": None}, "not a decision"),
    ],
)
def test_promotion_is_refused_when_the_decision_does_not_hold(run_task, decision, churn_store, change, said):
    ran = run_task(promote({**decision("1"), **change}), retries=1)

    assert ran.state == "failed"
    assert said in str(ran.error)
    assert churn_store.registry.version_of("churn", "champion") is None


def test_rollback_gives_the_alias_back_step_by_step(run_task, decision, churn_store):
    for version in ("1", "2", "3"):
        run_task(promote(decision(version), version=version))
    first, second, third = (run_task(rollback()) for _ in range(3))

    assert first.xcoms["return_value"] == {"model": "churn", "alias": "champion", "version": "2", "replaced": "3"}
    assert second.xcoms["return_value"]["version"] == "1"
    assert third.state == "failed"
    assert "nothing before it is recorded" in str(third.error)


def test_rollback_to_a_named_version(run_task, decision, churn_store):
    run_task(promote(decision("3"), version="3"))
    ran, wrong = run_task(rollback(to="1")), run_task(rollback(to="99"))

    assert ran.xcoms["return_value"]["version"] == "1"
    assert "no version 99" in str(wrong.error)
    assert churn_store.registry.version_of("churn", "champion") == "1"


def test_gate_object_that_runs_twice_does_not_answer_with_the_decision_before(keep, about, churn_store, bare_context):
    keep("unit")
    keep("model", kind="model", metrics={"auc": 0.9}, subject=about("1"))
    task = gate()()
    assert task.execute(bare_context)["approved"] is True

    task.version = ""
    with pytest.raises(Exception, match="there is no version"):
        task.execute(bare_context)
    assert bare_context["ti"].xcoms["return_value"]["approved"] is False
