import runpy
from dataclasses import replace
from pathlib import Path

from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.reports.models import models
from airflow_mltest.reports.summary import summary_content, summary_from_content

said = runpy.run_path(str(Path(__file__).parent / "indexed.py"))["said"]


def measured(number, version, auc, *, kind="model", task="model", outcome="passed", model="churn"):
    case = Case(
        name="c", outcome=Outcome(outcome), detail="too low", measurements=(Measurement(name="auc", value=auc),)
    )
    suite = said(number, cases=(case,), task=task, subject={"model": model, "version": version})
    return summary_from_content(summary_content(replace(suite, kind=kind), "sha256:1"))


def test_versions_come_newest_first_with_their_figures_and_what_the_newest_gate_decided():
    [model] = models(
        [
            measured(0, "9", 0.7),
            measured(1, "9", 0.75),
            measured(2, "9", 0.0, kind="gate", task="gate", outcome="failed"),
            measured(3, "10", 0.8),
            measured(4, "10", 0.0, kind="gate", task="gate", outcome="failed"),
            measured(5, "10", 0.0, kind="gate", task="gate"),
        ]
    )

    assert [(version.version, version.decided) for version in model.versions] == [("10", "approved"), ("9", "refused")]
    assert [list(version.decision.failures.values()) for version in model.versions] == [[], ["too low"]]
    assert {name: list(values.values()) for name, values in model.figures.items()} == {"auc": [0.75, 0.8]}
    assert [summary.suite.name for summary in model.versions[1].suites] == ["model"]


def test_version_that_no_gate_has_judged_has_no_decision():
    [model] = models([measured(0, "1", 0.7)])

    assert (model.versions[0].decision, model.versions[0].decided) == (None, "")


def test_models_are_told_apart_and_what_is_about_none_is_passed_over():
    found = models(
        [measured(0, "1", 0.7, model="b"), measured(0, "1", 0.7, model="a"), measured(0, "", 0.7, model="c")]
    )

    assert [model.name for model in found] == ["a", "b"]
