"""Taking a promotion back, on a real registry."""

import runpy
from pathlib import Path

import pytest

_RELEASES = runpy.run_path(str(Path(__file__).parents[1] / "releases.py"))
SECOND = {"model": "churn", "alias": "champion", "version": "2", "replaced": "1"}


@pytest.fixture
def undo(churn_store, run_task):
    """Run the task after version 2 has taken the place of version 1, with the checks in these states."""
    _RELEASES["release"](churn_store.registry, "1", "2")

    def undo(states, *, summary=None, **more):
        from airflow_mltest.operators.undo import UndoOperator

        return run_task(
            lambda **kwargs: UndoOperator(task_id="roll_back", promotion=SECOND, checks=["first", "check"], **kwargs),
            states=states,
            upstream={"check": summary},
            **more,
        )

    undo.at = lambda: churn_store.registry.version_of("churn", "champion")
    return undo


def test_alias_stays_when_all_checks_have_succeeded(undo):
    assert undo({}).state == "skipped"
    assert undo.at() == "2"


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped", "removed"])
def test_alias_goes_back_when_a_check_has_not_succeeded_whatever_else_it_has(undo, state):
    ran = undo({"check": state})

    assert ran.state == "success", ran.error
    assert ran.xcoms["return_value"]["said"] == (
        f"churn@champion was rolled back from 2 to 1 because check: its task is {state}"
    )
    assert undo.at() == "1"


def test_retry_goes_back_no_further_and_says_the_same(undo):
    states = {"check": "failed"}
    ran, again = undo(states), undo(states, try_number=2, retries=1)

    assert again.state == "success", again.error
    assert again.xcoms == ran.xcoms
    assert undo.at() == "1"


def test_one_of_many_mapped_checks_is_enough_and_its_first_failure_is_told_on_one_line(undo):
    failed = {"failures": [{"name": "smoke", "detail": "no\nanswer " + "x" * 1000}]}
    ran = undo({"check_1": "failed"}, summary=failed)

    said = ran.xcoms["return_value"]["said"]
    assert "because check[1]: smoke: no answer xxx" in said
    assert len(said) < 400
    assert said.endswith("…")
