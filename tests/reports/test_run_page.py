from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.outcome import Case, Origin, Outcome
from airflow_mltest.reports.airflows import Airflows, Progress
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.opened import Look
from airflow_mltest.reports.run_page import render_run
from airflow_mltest.reports.store import Store
from airflow_mltest.reports.task_page import render_task

NOTHING = Airflows()
FINDING = Finding(criterion="Beats('auc')", holds=False, seen="0.7", wanted="> 0.8")


class Text(HTMLParser):
    """What a page says."""

    def __init__(self, page):
        super().__init__()
        self.said = []
        self.feed(page.partition("</style>")[2])

    def handle_data(self, data):
        self.said.append(data)


def text(page):
    return " ".join(" ".join(Text(page).said).split())


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def run(store, known=NOTHING):
    return render_run(store, "d", "r", known)


def task(store, look=None, known=NOTHING, **more):
    return render_task(store, Origin(dag_id="d", run_id="r", **({"task_id": "s"} | more)), known, look)


def long(count=6_000):
    return [
        Case(
            name=f"case {number}",
            outcome=Outcome.FAILED if number % 10 == 0 else Outcome.PASSED,
            detail="first line\nsecond line" if number % 10 == 0 else "",
            duration_s=float(number),
            output="printed" if number % 10 == 0 else "",
        )
        for number in range(count)
    ]


def test_short_suite_is_whole_on_the_page_of_its_run(store, suite, case):
    store.keep(suite("s", "passed", case("bad", "failed", detail="why", output="printed")))
    said = text(run(store))

    assert said.index("Tests failed") < said.index("bad") < said.index("why") < said.index("printed")


def test_first_view_of_a_long_suite_opens_no_report(store, suite):
    store.keep(suite("s", *long()))
    (store.folder("d", "r") / "s@-1" / "1.json").unlink()
    of_run, of_task = text(run(store)), text(task(store))

    for said in (of_run, of_task):
        assert "5 400 passed" in said
        assert "600 failed" in said
        assert "case 0 first line" in said
        assert "unreadable" not in said
    assert "case 5999 1 h 39 min" in of_task


def test_long_suite_shows_its_cases_a_hundred_at_a_time_when_asked(store, suite):
    store.keep(suite("s", *long()))
    page = task(store, Look(outcome="failed", page=6))

    assert "600 cases, page 6 of 6" in text(page)
    assert "case 5990" in text(page)
    assert "printed" in text(page)
    assert "page=5" in page
    assert "page=7" not in page


def test_one_long_suite_does_not_hide_what_the_short_ones_say(store, suite, case):
    store.keep(suite("long", *long()))
    store.keep(suite("short", case("bad", "failed", output="printed by the short one")))

    assert "printed by the short one" in text(run(store))


def test_new_failure_is_told_apart_from_one_that_is_older(store, suite, case):
    for number, outcome in enumerate(("passed", "failed")):
        origin = Origin(dag_id="d", run_id=("before", "r")[number], task_id="s")
        made = suite("s", case("turned", outcome), case("older", "failed"))
        store.keep(replace(made, origin=origin, started_at=made.started_at + timedelta(hours=number)))
    said = text(run(store))

    assert "New failure: turned" in said
    assert "Still fails: older" in said


def test_shards_are_one_suite_and_those_that_another_stands_for_are_left_out(store, suite):
    store.keep(suite("shard", "passed", map_index=0))
    store.keep(suite("shard", "failed", map_index=1))
    assert "task_id=shard" in run(store)

    store.keep(suite("merged", "passed", "failed", stands_for="shard"))
    said = text(run(store))
    assert "task_id=shard" not in run(store)
    assert "1 passed" in said
    assert "1 failed" in said


def test_one_mapped_instance_is_shown_alone(store, suite, case):
    for place in range(2):
        store.keep(suite("s", case(f"case of {place}", "failed"), map_index=place))

    assert "case of 1" not in text(task(store, map_index=0))
    assert "case of 1" in text(task(store))
    assert "tasks/s/mapped/0" in task(store, map_index=0)


def test_decision_of_a_gate_is_shown_with_its_evidence(store, suite):
    decision = Decision(
        model="churn", version="3", digest="sha256:m", champion="2", approved=False, findings=(FINDING,),
        evidence={"model": {"address": "s3://b/model.json", "digest": "sha256:e"}}, decided_at="2026-11-25T12:00:00Z",
    )  # fmt: skip
    store.keep(suite("s", "failed", kind="gate"))
    known = Airflows(decisions={"s": decision})
    for said in (text(run(store, known)), text(task(store, known=known))):
        for part in ("churn version 3 is refused", "Beats('auc')", "> 0.8", "s3://b/model.json", "sha256:e"):
            assert part in said


def test_running_suite_is_no_broken_one_yet(store, suite):
    store.keep(suite("s", "passed", incomplete="still running, or killed before it could say how it ended"))
    running = Airflows(running=(Progress(task_id="s", done=1, total=9),))

    for said in (text(run(store, running)), text(task(store, known=running))):
        assert "1 of 9 cases" in said
        assert "Did not reach the end" not in said
        assert "Not everything could be judged" not in said
    assert "Did not reach the end" in text(run(store))


def test_suite_that_has_just_begun_is_shown_although_nothing_is_kept_of_it_yet(store):
    running = Airflows(running=(Progress(task_id="s"),))

    for page in (run(store, running), task(store, known=running)):
        assert "Still running" in text(page)
        assert "0 of ? cases" in text(page)
        assert 'class="verdict skipped"' in page


def test_run_whose_index_is_lost_or_damaged_is_read_from_its_reports(store, suite, tmp_path):
    store.keep(suite("s", "failed"))
    store.keep(suite("t", "passed"))
    [entry] = Index(tmp_path).entries("d", "s")
    entry.path.write_bytes(b"no entry")
    of_run, of_task = text(run(store)), text(task(store))

    assert "Tests failed" in of_run
    assert "1 passed" in of_run
    assert "1 failed" in of_run
    assert "Tests failed" in of_task
    assert "What has not passed" in of_task


def test_suite_whose_report_is_gone_is_broken_and_not_left_out(store, suite):
    store.keep(suite("s", "passed"))
    (store.folder("d", "r") / "s@-1" / "1.json").unlink()

    for said in (text(run(store)), text(task(store))):
        assert "unreadable" in said
        assert "Not everything could be judged" in said


def test_names_in_links_are_quoted_whole(store, suite, case):
    store.keep(suite("a/b&c=d #?", case("bad", "failed")))
    page = run(store)

    assert "tasks/a%2Fb%26c%3Dd%20%23%3F" in page
    assert "task_id=a%2Fb%26c%3Dd+%23%3F" in page
