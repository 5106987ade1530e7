from dataclasses import replace

import pytest

from airflow_mltest.core.outcome import Case, Origin, Outcome
from airflow_mltest.reports.opened import Look, open_suite
from airflow_mltest.reports.store import Store

ORIGIN = Origin(dag_id="d", run_id="r", task_id="s")


@pytest.fixture
def store(tmp_path, suite):
    store = Store(tmp_path)
    cases = [
        Case(name=f"Test_{number}", outcome=Outcome.FAILED if number % 2 else Outcome.PASSED, output="why")
        for number in range(250)
    ]
    store.keep(suite("s", *cases))
    return store


def test_whole_suite_is_what_was_kept(store, suite):
    opened = open_suite(store, ORIGIN, "model")

    assert (len(opened.suite.cases), opened.found) == (250, 250)
    assert opened.suite.cases[1].output == "why"


@pytest.mark.parametrize(
    "look, first, count, found, pages",
    [
        (Look(), "Test_0", 100, 250, 3),
        (Look(page=3), "Test_200", 50, 250, 3),
        (Look(page=4), None, 0, 250, 3),
        (Look(outcome="failed", page=2), "Test_201", 25, 125, 2),
        (Look(text="test_24"), "Test_24", 11, 11, 1),
        (Look(text="test_24", outcome="passed"), "Test_24", 6, 6, 1),
        (Look(text="no such"), None, 0, 0, 1),
    ],
)
def test_cases_that_are_looked_at_come_a_hundred_at_a_time(store, look, first, count, found, pages):
    opened = open_suite(store, ORIGIN, "model", look)
    names = [case.name for case in opened.suite.cases]

    assert (next(iter(names), None), len(names), opened.found, opened.pages) == (first, count, found, pages)


def test_suite_that_is_gone_or_damaged_is_broken_and_says_why(store, tmp_path):
    gone = open_suite(store, replace(ORIGIN, run_id="another"), "data")
    (store.folder("d", "r") / "s@-1" / "1.json").write_text("[]")
    damaged = open_suite(store, ORIGIN, "model", Look())

    assert [one.suite.outcome for one in (gone, damaged)] == ["broken", "broken"]
    assert "No such file" in gone.suite.incomplete
    assert (gone.suite.kind, damaged.suite.incomplete[:10]) == ("data", "unreadable")
