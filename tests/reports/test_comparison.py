import runpy
from dataclasses import replace
from pathlib import Path

from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.reports.comparison import compare
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.store import Store

said = runpy.run_path(str(Path(__file__).parent / "indexed.py"))["said"]


def test_tests_that_ended_otherwise_are_told_with_both_outcomes(tmp_path):
    store = Store(tmp_path)
    store.keep(said(0, "passed", "failed", "passed"))
    store.keep(said(1, "failed", "failed"))
    [found] = compare(Index(tmp_path), "d", "r0", "r1")

    assert found.changed == [("c0", "passed", "failed"), ("c2", "passed", "")]
    assert (found.more, found.whole) == (0, True)
    assert [run.outcome for run in found.runs] == ["failed", "failed"]


def test_suite_that_only_one_run_has_is_told(tmp_path):
    store = Store(tmp_path)
    store.keep(said(0, task="a"))
    store.keep(said(1, task="b"))

    found = compare(Index(tmp_path), "d", "r0", "r1")

    assert [(one.task_id, *[bool(run) for run in one.runs]) for one in found] == [
        ("a", True, False),
        ("b", False, True),
    ]


def test_metrics_that_were_measured_otherwise_are_told_with_both_values(tmp_path):
    for number, auc in enumerate((0.7, 0.8)):
        measured = (Measurement(name="auc", value=auc), Measurement(name="same", value=1.0))
        Store(tmp_path).keep(said(number, cases=(Case(name="c", outcome=Outcome.PASSED, measurements=measured),)))
    [found] = compare(Index(tmp_path), "d", "r0", "r1")

    assert found.metrics == [("auc", 0.7, 0.8)]
    assert found.changed == []


def test_long_suite_of_which_not_every_case_is_known_says_so(tmp_path):
    cases = tuple(Case(name=f"c{number}", outcome=Outcome.PASSED) for number in range(2_001))
    for number in range(2):
        Store(tmp_path).keep(replace(said(number), cases=cases))
    [found] = compare(Index(tmp_path), "d", "r0", "r1")

    assert not found.whole
