"""Report, gate, promotion and rollback on a real registry."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

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


@pytest.fixture
def decision(run_task, keep, about):
    """Have the gate approve a version."""

    def approve(version="1", **own):
        keep("unit")
        keep("model", kind="model", metrics={"auc": 0.9}, subject=about(version))
        return run_task(gate(version=version, **own)).xcoms["return_value"]

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
        ({"target": "churn@shadow"}, "judged for churn@shadow, not for churn@champion"),
        ({"expires_at": "2026-01-01T00:00:00+00:00"}, "counted until"),
        ({"evidence": {}}, "names no evidence"),
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


def test_rollback_several_steps_back(run_task, decision, churn_store):
    for version in ("1", "2", "3"):
        run_task(promote(decision(version), version=version))
    ran, too_far = run_task(rollback(to="-2")), run_task(rollback(to="-2"))

    assert ran.xcoms["return_value"] == {"model": "churn", "alias": "champion", "version": "1", "replaced": "3"}
    assert "nothing before it is recorded" in str(too_far.error)


def test_rollback_that_is_retried_goes_no_further(run_task, decision, churn_store, bare_context):
    for version in ("1", "2", "3"):
        run_task(promote(decision(version), version=version))
    remembered = {}
    bare_context["task_state_store"] = SimpleNamespace(set=remembered.__setitem__, get=remembered.get)
    task, given = rollback()(), []
    for number in (1, 2, 3):
        bare_context["ti"].try_number = number
        given.append(task.execute(bare_context))

    assert json.loads(json.dumps(remembered)) == remembered
    assert given == [{"model": "churn", "alias": "champion", "version": "2", "replaced": "3"}] * 3


@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda report: report.write_text(report.read_text() + " "), "was altered since it was judged"),
        (lambda report: report.unlink(), "is gone"),
    ],
)
def test_promotion_is_refused_when_a_report_is_no_longer_what_was_judged(
    run_task, decision, churn_store, report_root, harm, said
):
    approved = decision("1")
    harm(report_root / "d" / "r" / "unit@-1" / "1.json")
    ran = run_task(promote(approved), retries=1)

    assert ran.state == "failed"
    assert f"the report of unit at {report_root}" in str(ran.error).replace("file://", "")
    assert said in str(ran.error)
    assert churn_store.registry.version_of("churn", "champion") is None


def test_promotion_is_retried_when_a_report_cannot_be_read(run_task, decision, churn_store, report_root):
    approved, report = decision("1"), report_root / "d" / "r" / "unit@-1" / "1.json"
    report.unlink()
    report.mkdir()
    ran = run_task(promote(approved), retries=1)

    assert ran.state == "up_for_retry"
    assert "cannot be read" in str(ran.error)


def answer(*chosen, name="Ada Lovelace"):
    """Answer a request as `ApprovalOperator` passes it on."""
    user = {"id": "ada", "name": name} if name else None
    return {
        "chosen_options": list(chosen),
        "params_input": {},
        "responded_at": datetime.now(UTC).isoformat(),
        "responded_by_user": user,
    }


def test_promotion_writes_who_has_approved_it(run_task, decision, churn_store):
    approved = decision("1")
    ran = run_task(promote(approved, approval=answer("Approve")))

    assert ran.state == "success", ran.error
    assert churn_store.registry.tags("churn", "1")["mltest.champion.approved_by"] == "Ada Lovelace (ada)"


@pytest.mark.parametrize(
    "approval, said",
    [
        (answer("Reject"), "nobody has approved it"),
        (answer("Approve", name=""), "default was taken"),
        (answer("Approve"), "before churn version 1 was judged"),  # an answer to another decision
        ({}, "nobody has approved it"),
        ("{{ None }}", "nobody has approved it"),
        ("{{ '' }}", "nobody has approved it"),
    ],
)
def test_promotion_without_the_approval_that_it_asks_for_is_refused(run_task, decision, churn_store, approval, said):
    ran = run_task(promote(decision("1"), approval=approval), retries=1)

    assert ran.state == "failed"
    assert said in str(ran.error)
    assert churn_store.registry.version_of("churn", "champion") is None


def test_promotion_into_another_model_copies_the_version_there_once(run_task, decision, churn_store):
    registry = churn_store.registry
    approved = decision("2", alias="churn-prod@champion")
    ran, again = (run_task(promote(approved, version="2", copy_to="churn-prod"), try_number=n) for n in (1, 2))

    assert ran.xcoms["return_value"] == {"model": "churn-prod", "alias": "champion", "version": "1", "replaced": None}
    assert again.xcoms["return_value"] == ran.xcoms["return_value"]
    assert registry.versions("churn-prod") == ["1"]
    assert registry.version_of("churn-prod", "champion") == "1"
    assert registry.version_of("churn", "champion") is None
    assert registry.tags("churn", "2")["mltest.champion.copied_to"] == "models:/churn-prod/1"
    assert registry.load("models:/churn-prod@champion").version == "1"


def test_what_was_judged_for_another_model_is_not_promoted_here(run_task, decision, churn_store):
    ran = run_task(promote(decision("2", alias="churn-prod@champion"), version="2"))

    assert "judged for churn-prod@champion, not for churn@champion" in str(ran.error)
