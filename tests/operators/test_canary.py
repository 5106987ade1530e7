"""A trial, on a real registry."""

import runpy
from pathlib import Path

import pytest

from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.store import Store

_RELEASES = runpy.run_path(str(Path(__file__).parents[1] / "releases.py"))


@pytest.fixture
def evidence(report_root):
    """Give a report that this run has kept."""
    case, origin = Case(name="case", outcome=Outcome.PASSED), Origin(dag_id="d", run_id="r", task_id="quality")
    kept = Store(Path(report_root)).put(Suite(name="quality", kind="code", cases=(case,), origin=origin))
    return {"quality": {"address": kept.address, "digest": kept.digest}}


@pytest.fixture
def canary(churn_store, run_task, evidence):
    """Put version 1 on trial."""

    def canary(**keywords):
        from airflow_mltest.operators.canary import CanaryOperator

        decision = _RELEASES["decision_on"](churn_store.registry, "1", evidence=evidence).to_dict()
        return run_task(lambda **more: CanaryOperator(task_id="canary", decision=decision, **keywords, **more))

    canary.at = lambda: churn_store.registry.version_of("churn", "canary")
    return canary


def test_version_that_was_approved_goes_on_trial_and_a_retry_leaves_it_there(canary):
    first, again = canary(), canary()

    assert (first.state, again.state) == ("success", "success"), again.error
    assert first.xcoms["return_value"] == again.xcoms["return_value"]
    assert first.xcoms["return_value"] == {"model": "churn", "alias": "canary", "version": "1", "replaced": None}
    assert canary.at() == "1"


def test_version_whose_report_was_altered_does_not_go_on_trial(canary, evidence):
    path = Path(evidence["quality"]["address"])
    path.write_text(path.read_text().replace("passed", "PASSED"))
    ran = canary()

    assert ran.state == "failed"
    assert "the report of quality" in str(ran.error)
    assert canary.at() is None


@pytest.mark.parametrize("answer", [{}, {"chosen_options": ["Reject"]}])
def test_version_that_nobody_has_approved_does_not_go_on_trial(canary, answer):
    ran = canary(approval=answer)

    assert ran.state == "failed"
    assert "nobody has approved it" in str(ran.error)
    assert canary.at() is None
