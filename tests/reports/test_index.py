import gzip
import json
import math
import runpy
import threading
import uuid
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.reports.entry import entry_names, entry_of, run_key
from airflow_mltest.reports.index import Index, past_of
from airflow_mltest.reports.store import Store
from airflow_mltest.reports.summary import summary_content, summary_from_content

_indexed = runpy.run_path(str(Path(__file__).with_name("indexed.py")))
root, said, outcomes, START = (_indexed[name] for name in ("root", "said", "outcomes", "START"))


def test_last_runs_of_a_task_are_told_newest_first_without_opening_a_file(root, monkeypatch):
    store, index = Store(root), Index(root)
    for number in (2, 0, 3, 1):
        store.keep(said(number, "failed" if number == 2 else "passed", "passed", duration_s=1.5))
    store.keep(said(9, task="b"))
    monkeypatch.setattr("airflow_mltest.reports.index.read_whole", None)
    runs = index.runs("d", "a", most=3)

    assert outcomes(runs) == [("r3", "passed"), ("r2", "failed"), ("r1", "passed")]
    assert [run.started_at for run in runs] == [START + timedelta(hours=hours) for hours in (3, 2, 1)]
    assert (runs[1].counts["failed"], runs[1].counts["passed"], runs[1].duration_s) == (1, 1, 1.5)
    assert index.runs("d", "nothing") == index.runs("nothing", "a") == []


def test_dags_and_tasks_that_have_entries_are_listed(root):
    index = Index(root)
    assert (index.dags(), index.tasks("d")) == ([], [])
    for dag, task in (("d", "group.a"), ("d", "b"), ("e.f", "a")):
        index.add(said(dag=dag, task=task), "")

    assert index.dags() == ["d", "e.f"]
    assert index.tasks("d") == ["b", "group.a"]


def test_of_several_tries_the_newest_counts_and_of_mapped_instances_the_worst(root):
    index = Index(root)
    for map_index, try_number, outcome in ((0, 9, "failed"), (0, 10, "passed"), (1, 1, "broken"), (2, 1, "passed")):
        index.add(said(0, outcome, map_index=map_index, try_number=try_number, duration_s=map_index), "")
    (run,) = index.runs("d", "a")

    assert [(entry.map_index, entry.try_number) for entry in run.entries] == [(0, 10), (1, 1), (2, 1)]
    assert (run.outcome, run.duration_s) == ("broken", 2)
    assert (run.counts["passed"], run.counts["broken"]) == (2, 1)
    assert len(list(index.entries("d", "a"))) == 4


def test_suite_that_is_written_again_as_it_grows_has_one_entry(root):
    store, index = Store(root), Index(root)
    names = []
    for count, outcome, incomplete in (
        (1, "passed", "runs"),
        (2, "failed", "runs"),
        (3, "failed", "runs"),
        (4, "failed", ""),
    ):
        store.keep(said(0, *["passed"] * (count - 1), outcome, incomplete=incomplete, duration_s=count))
        (run,) = index.runs("d", "a")
        (entry,) = index.entries("d", "a")
        names.append(entry.path.name)
        assert [summary.counts["passed"] for summary in index.details([run])[0]] == [count - (outcome != "passed")]
        assert bool(run.counts) is not bool(incomplete)
    assert run.outcome == "failed"
    assert len({*names}) == 3


def test_entry_of_what_ended_counts_before_one_that_was_left_of_its_middle(root):
    index = Index(root)
    index.add(said(0, "passed"), "")
    index._files.put(index.folder / "d" / "a", entry_names(said(0, "failed", incomplete="x"), said().origin)[0], b"")

    assert outcomes(index.runs("d", "a")) == [("r0", "passed")]


def test_what_each_task_said_in_one_run_is_found(root):
    index = Index(root)
    for number, task, outcome in ((0, "a", "passed"), (1, "a", "failed"), (1, "b", "passed"), (0, "c", "passed")):
        index.add(said(number, outcome, task=task), "")

    found = index.in_run("d", "r1")
    assert {task: run.outcome.value for task, run in found.items()} == {"a": "failed", "b": "passed"}
    assert index.in_run("d", "r") == {}


def test_entry_holds_what_a_history_needs(root):
    cases = (
        Case(name="slow", outcome=Outcome.PASSED, duration_s=3.0, flaky=True),
        Case(name="bad", outcome=Outcome.FAILED, detail="x" * 1000),
        Case(name="m", outcome=Outcome.PASSED, measurements=(Measurement(name="auc", value=0.75, minimum=0.5),)),
    )
    kept = Store(root).put(said(cases=cases, subject={"commit": "abc"}, stands_for="t", duration_s=math.nan))
    ((summary,),) = Index(root).details(Index(root).runs("d", "a"))

    assert summary.suite == replace(kept.suite, cases=(), duration_s=0.0)
    assert (summary.outcome, summary.counts) == ("failed", kept.suite.counts)
    assert summary.metrics == {"auc": 0.75}
    assert summary.failures == {"bad": "x" * 300}
    assert summary.digest == kept.digest
    assert (summary.past.commit, summary.past.started_at) == ("abc", START)
    assert (summary.past.cases["slow"].duration_s, summary.past.cases["slow"].flaky) == (3.0, True)


def test_subjects_are_one_only_where_all_that_is_known_of_them_is():
    told = [
        summary_from_content(summary_content(said(subject=subject), "")).past.commit
        for subject in (
            {},
            {"commit": "abc"},
            {"model": "m", "version": "1"},
            {"model": "m", "version": "1", "data": "d"},
        )
    ]

    assert told == ["", "abc", "model m, version 1", "data d, model m, version 1"]


def test_entry_of_a_hundred_thousand_cases_is_small_and_keeps_what_did_not_pass():
    cases = [
        Case(name=f"tests/test_{n}.py::test_{n}", outcome=Outcome.PASSED, duration_s=n / 1e6) for n in range(100_000)
    ]
    cases[7] = replace(cases[7], outcome=Outcome.BROKEN)
    cases[8] = replace(cases[8], flaky=True)
    content = summary_content(said(cases=tuple(cases)), "")
    summary = summary_from_content(content)

    assert len(content) < 50_000
    assert summary.counts["passed"] == 99_999
    assert len(summary.past.cases) == 2_000
    assert {cases[7].name, cases[8].name, cases[-1].name} <= summary.past.cases.keys()
    assert cases[100].name not in summary.past.cases


def test_missing_torn_and_foreign_entries_are_passed_over(root):
    index = Index(root)
    paths = [index.add(said(number), "") for number in range(5)]
    runs = index.runs("d", "a")
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) // 2])
    paths[1].write_bytes(b"")
    paths[2].write_bytes(gzip.compress(json.dumps({"schema": "airflow-mltest/entry", "version": 1}).encode()))
    paths[3].unlink()
    (paths[0].parent / "note.txt").write_text("x")
    (paths[0].parent / f"{paths[0].name}.0a.part").write_bytes(b"")
    (paths[0].parent / paths[0].name.replace("passed", "weather")).write_bytes(b"")

    assert [len(told) for told in index.details(runs)] == [1, 0, 0, 0, 0]
    assert outcomes(index.runs("d", "a")) == [(f"r{number}", "passed") for number in (4, 2, 1, 0)]


names = st.one_of(
    st.text(max_size=300), st.sampled_from(["", ".", "..", "a,b", "a/b", "=", "%2C", "x" * 250, "☃" * 90])
)


@given(
    run=names,
    map_index=st.integers(-1, 10**5),
    try_number=st.integers(1, 999),
    seconds=st.floats(),
    hours=st.integers(-14, 14),
)
def test_name_of_an_entry_tells_what_it_was_made_of(run, map_index, try_number, seconds, hours):
    at = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=timezone(timedelta(hours=hours)))
    suite = said(run=run, map_index=map_index, try_number=try_number, started_at=at, duration_s=seconds)
    name, *_ = entry_names(suite, suite.origin)
    entry = entry_of(SimpleNamespace(name=name))

    if not seconds > 1e9:
        assert len(f"{name}.{uuid.uuid4().hex}.part".encode()) <= 255
    assert (entry.map_index, entry.try_number, entry.started_at) == (map_index, try_number, at)
    assert (entry.outcome, entry.counts) == (suite.outcome, suite.counts)
    assert entry.duration_s == pytest.approx(max(seconds, 0) if math.isfinite(seconds) else 0.0, abs=1e-3)
    assert entry.run == run_key(run)
    assert entry.run_id in {"", run.encode("utf-8", "replace").decode()}


@given(st.lists(names, min_size=2, max_size=2, unique=True))
def test_no_two_runs_have_one_key(runs):
    assert run_key(runs[0]) != run_key(runs[1])


@pytest.mark.parametrize("name", ["", "x" * 250, "☃" * 90, "a,b", "=", "../.."])
def test_ids_that_are_too_long_for_names_are_told_by_what_the_entries_hold(tmp_path, name):
    index = Index(tmp_path)
    index.add(said(run=name, dag=name, task=name), "")

    assert (index.dags(), index.tasks(name)) == ([name], [name])
    assert outcomes(index.runs(name, name)) == [(name, "passed")]
    assert list(index.in_run(name, name)) == [name]
    assert all(path.is_relative_to(tmp_path / "=index") for path in tmp_path.rglob("*") if path.is_file())


def test_suite_without_a_task_has_no_place(tmp_path):
    with pytest.raises(ConfigurationError, match="no origin"):
        Index(tmp_path).add(replace(said(), origin=None), "")


def test_many_writers_lose_nothing_and_readers_see_only_whole_entries(root):
    index, stop, torn = Index(root), threading.Event(), []

    def read():
        while not stop.is_set():
            runs = index.runs("d", "a", most=100)
            torn.extend(run for run, told in zip(runs, index.details(runs), strict=True) if not told and run.counts)

    def write(writer):
        for number in range(10):
            for incomplete in ("still running", ""):
                Store(root).keep(said(number, *["passed"] * 50, run=f"{writer}-{number}", incomplete=incomplete))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()

    assert torn == []
    assert len(index.runs("d", "a", most=100)) == len(list(index.entries("d", "a"))) == 60


def test_past_of_mapped_instances_is_one_run_and_a_failure_of_any_is_its_own():
    told = [
        summary_from_content(summary_content(said(number, *ended, subject={"commit": "abc"}), ""))
        for number, ended in ((1, ("passed", "failed")), (0, ("failed", "passed", "passed")))
    ]
    past = past_of(told)

    assert {test: case.outcome.value for test, case in past.cases.items()} == {
        "c0": "failed",
        "c1": "failed",
        "c2": "passed",
    }
    assert (past.commit, past.started_at) == ("abc", START)
    assert past_of([*told, summary_from_content(summary_content(said(subject={"commit": "b"}), ""))]).commit == ""
    assert past_of([]) is None
