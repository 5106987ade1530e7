import runpy
from pathlib import Path

from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.reports.grid import Choice, grid
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.store import Store

said = runpy.run_path(str(Path(__file__).parent / "indexed.py"))["said"]


def shown(root, dags=("d",), **choice):
    return grid(Index(root), dags, Choice(**choice))


def names(found):
    return [(row.dag_id, row.task_id) for row in found.rows]


def test_suites_that_have_not_passed_come_first_with_their_last_runs_oldest_first(tmp_path):
    store = Store(tmp_path)
    for number in range(25):
        store.keep(said(number, "passed", task="a"))
        store.keep(said(number, "failed", task="b"))
    found = shown(tmp_path)

    assert names(found) == [("d", "b"), ("d", "a")]
    assert [run.run_id for run in found.rows[0].shown] == [f"r{number}" for number in range(5, 25)]


def test_only_dags_that_are_given_are_shown_and_can_be_chosen(tmp_path):
    for dag in ("d", "hidden"):
        Store(tmp_path).keep(said(dag=dag))

    assert names(shown(tmp_path)) == [("d", "a")]
    assert shown(tmp_path).dags == ["d"]
    assert names(shown(tmp_path, dag="hidden")) == []


def test_choice_is_by_dag_kind_outcome_of_the_newest_run_and_model(tmp_path):
    store = Store(tmp_path)
    store.keep(said(0, "failed", task="a", subject={"model": "churn", "version": "1"}))
    store.keep(said(1, "passed", task="a", subject={"model": "churn", "version": "2"}))
    store.keep(said(1, "failed", task="b", dag="e"))
    dags = ("d", "e")

    assert names(shown(tmp_path, dags, dag="e")) == [("e", "b")]
    assert names(shown(tmp_path, dags, outcome="failed")) == [("e", "b")]
    assert names(shown(tmp_path, dags, model="churn")) == [("d", "a")]
    assert names(shown(tmp_path, dags, kind="data")) == []
    assert len(names(shown(tmp_path, dags, kind="code"))) == 2
    assert shown(tmp_path, dags, outcome="failed").known_models == ["churn"]


def test_flaky_test_and_what_failures_say_are_told_with_their_suite(tmp_path):
    store = Store(tmp_path)
    for number, outcome in enumerate(("failed", "passed", "failed")):
        case = Case(name="c", outcome=Outcome(outcome), detail=f"took {number} s" if outcome == "failed" else "")
        store.keep(said(number, cases=(case,), subject={"commit": "x"}))
    found = shown(tmp_path)

    assert [(row.task_id, one.test, one.flakes) for row, one in found.flaky] == [("a", "c", 2)]
    assert [(one.message, len(one.failures)) for one in found.clusters] == [("took # s", 2)]
    assert [failure.run_id for failure in found.clusters[0].failures] == ["r2", "r0"]


def test_test_that_has_become_slower_is_told(tmp_path):
    store = Store(tmp_path)
    for number in range(30):
        case = Case(name="c", outcome=Outcome.PASSED, duration_s=9.0 if number >= 25 else 1.0)
        store.keep(said(number, cases=(case,)))

    assert [(one.test, one.before_s, one.now_s) for _, one in shown(tmp_path).slower] == [("c", 1.0, 9.0)]


def test_single_suite_shows_its_unsteady_tests_run_by_run(tmp_path):
    store = Store(tmp_path)
    store.keep(said(0, "passed", "failed"))
    store.keep(said(1, "passed"))
    store.keep(said(2, "passed", "passed"))
    store.keep(said(2, "failed", task="other"))
    found = shown(tmp_path, task="a")

    assert names(found) == [("d", "a")]
    assert found.unsteady == [("c1", ["failed", "", "passed"])]


def test_of_many_suites_few_runs_are_read_and_it_says_how_many(tmp_path):
    store = Store(tmp_path)
    for task in range(50):
        for number in range(6):
            store.keep(said(number, "failed", task=f"t{task}"))
    found = shown(tmp_path)

    assert (len(found.rows), found.read) == (50, 5)
    assert len(found.clusters[0].failures) == 40 * 5


def test_entry_that_cannot_be_read_costs_its_details_and_not_its_row(tmp_path):
    Store(tmp_path).keep(said(0, "failed"))
    [entry] = Index(tmp_path).entries("d", "a")
    entry.path.write_bytes(b"no entry")
    found = shown(tmp_path)

    assert (names(found), found.rows[0].kind, found.rows[0].models) == ([("d", "a")], "", [])
