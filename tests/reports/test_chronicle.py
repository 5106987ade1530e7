import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.reports.chronicle import chronicle
from airflow_mltest.reports.index import Index

_indexed = runpy.run_path(str(Path(__file__).with_name("indexed.py")))
root, said = _indexed["root"], _indexed["said"]


def told(root, *suites, most=50):
    for suite in suites:
        Index(root).add(suite, "")
    return list(chronicle(Index(root), "d", "a", most=most))


def at(number, commit, *outcomes, **more):
    return said(number, *outcomes, subject={"commit": commit * 20}, **more)


def test_each_run_is_a_line_and_what_has_turned_follows(root):
    suites = [
        at(0, "1", "passed", "passed", "failed", "passed"),
        at(1, "2", "failed", "passed", "failed", "passed"),
        at(2, "2", "passed", "passed", "passed", "failed", duration_s=61.04),
    ]
    suites[2] = replace(suites[2], cases=(*suites[2].cases[:3], replace(suites[2].cases[3], detail="too slow\nmore")))

    assert told(root, *suites) == [
        "2026-11-24 14:00:00 FAILED       3 passed, 1 failed, 61.0 s  commit 222222222222  r2",
        "2026-11-24 13:00:00 FAILED       2 passed, 2 failed, 0.0 s  commit 222222222222  r1",
        "2026-11-24 12:00:00 FAILED       3 passed, 1 failed, 0.0 s  commit 111111111111  r0",
        "NEW FAILURE  c3 (passed at 222222222222): too slow",
        "FIXED        c0: failed since 2026-11-24 13:00:00 at 222222222222, in 1 run",
        "FIXED        c2: failed since 2026-11-24 12:00:00 at 111111111111 or before, in 2 runs",
        "FLAKY        c2: 1 of 2 runs",
        "FLAKY        c0: 1 of 3 runs",
        "FLAKY        c3: 1 of 3 runs",
    ]


def test_what_still_fails_is_told_since_when(tmp_path):
    lines = told(tmp_path, at(0, "1", "passed"), at(1, "2", "failed"), at(2, "3", "broken"))

    assert lines[3:] == ["STILL FAILS  c0: failed since 2026-11-24 13:00:00 at 222222222222, in 2 runs: "]


def test_run_that_has_not_ended_says_so(tmp_path):
    (line, *_) = told(tmp_path, said(0, "passed", incomplete="killed"))

    assert line == "2026-11-24 12:00:00 BROKEN       incomplete, 0.0 s  r0"


def test_tests_and_suites_that_have_become_slower_are_told(tmp_path):
    def run(number):
        took_s = 3.0 if number >= 20 else 1.0
        return said(number, cases=(Case(name="c", outcome=Outcome.PASSED, duration_s=took_s),), duration_s=took_s + 1)

    lines = told(tmp_path, *map(run, range(25)))

    assert lines[25:] == [
        "SLOWER       all together: 4.00 s, and 2.00 s before",
        "SLOWER       c: 3.00 s, and 1.00 s before",
    ]


def test_metrics_are_told_over_the_versions_of_the_model_that_was_tested_last(tmp_path):
    def run(number, model, version, value):
        case = Case(name="m", outcome=Outcome.PASSED, measurements=(Measurement(name="auc", value=value),))
        return said(number, cases=(case,), subject={"model": model, "version": version, "model_digest": "sha256:1"})

    lines = told(tmp_path, run(0, "churn", "9", 0.75), run(1, "fraud", "1", 0.5), run(2, "churn", "10", 0.8125))

    assert lines[0].endswith("1 passed, 0.0 s  model churn  version 10  r2")
    assert lines[3:] == ["METRIC       auc of churn by version: 9: 0.75, 10: 0.8125"]


def test_failure_of_a_model_is_told_with_the_version_that_began_to_fail(tmp_path):
    def run(number, outcome):
        return said(number, outcome, subject={"model": "churn", "version": str(number), "model_digest": "sha256:1"})

    lines = told(tmp_path, run(0, "passed"), run(1, "failed"), run(2, "failed"))

    assert lines[3:] == ["STILL FAILS  c0: failed since 2026-11-24 13:00:00 at model churn, version 1, in 2 runs: "]


def test_runs_whose_entries_are_torn_are_told_by_their_names(tmp_path):
    for number in range(2):
        Index(tmp_path).add(said(number), "").write_bytes(b"")

    assert [line.rpartition("  ")[2] for line in told(tmp_path)] == ["r1", "r0"]


@pytest.mark.parametrize(
    "dag, task, meant", [("d", "aa", "did you mean 'a'"), ("dd", "a", "did you mean 'd'"), ("x", "y", "")]
)
def test_task_that_the_index_does_not_know_is_told_with_the_nearest(tmp_path, dag, task, meant):
    Index(tmp_path).add(said(0), "")

    with pytest.raises(ConfigurationError, match=rf"{task}.*{dag}.*{meant}.*mltest report reindex"):
        list(chronicle(Index(tmp_path), dag, task, most=5))


def test_no_runs_are_no_history(tmp_path):
    with pytest.raises(ConfigurationError, match="1 or more"):
        told(tmp_path, said(0), most=0)
