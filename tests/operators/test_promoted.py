"""What production gets, on a real registry."""

import runpy
from pathlib import Path

import pytest

_RELEASES = runpy.run_path(str(Path(__file__).parents[1] / "releases.py"))
FIRST = {"model": "churn", "alias": "champion", "version": "1", "replaced": None}


@pytest.fixture
def serves(churn_store, run_task, kept):
    """Ask what the alias gives after version 1 was promoted; returns what became of the task, and its suite."""

    def serves():
        from airflow_mltest.operators.promoted import PromotedTestOperator

        decision = _RELEASES["decision_on"](churn_store.registry, "1", champion=None).to_dict()
        ran = run_task(
            lambda **kwargs: PromotedTestOperator(task_id="serves", promotion=FIRST, decision=decision, **kwargs)
        )
        return ran, kept()["serves"]

    return serves


def test_version_that_was_promoted_is_loaded_by_its_alias(churn_store, serves):
    churn_store.registry.point("churn", "champion", "1")
    ran, suite = serves()

    assert ran.state == "success", ran.error
    assert [case.name for case in suite.cases] == ["version", "artifacts"]
    assert suite.subject["version"] == "1"


def test_alias_that_gives_another_version_fails(churn_store, serves):
    churn_store.registry.point("churn", "champion", "2")
    ran, suite = serves()

    assert ran.state == "failed"
    assert [case.name for case in suite.failures] == ["version", "artifacts"]
    assert suite.failures[0].detail == "models:/churn@champion has 2 (wanted 1)"


def test_alias_that_gives_nothing_fails(serves):
    ran, suite = serves()

    assert ran.state == "failed"
    assert "model 'churn' has no alias 'champion'" in suite.incomplete
