import runpy
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.reports import prune as module
from airflow_mltest.reports.archive import Archive
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.prune import prune, prune_days
from airflow_mltest.reports.store import Store

_indexed = runpy.run_path(str(Path(__file__).with_name("indexed.py")))
root, said, outcomes, START = (_indexed[name] for name in ("root", "said", "outcomes", "START"))


def at(hours):
    return START + timedelta(hours=hours)


def files(root):
    """Name all files below the root that are no entries of the index."""
    found = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith("=index"))


def runs(root, dag="d"):
    return sorted(folder.name for folder in (root / dag).iterdir())


def test_runs_whose_newest_suite_is_old_are_removed_with_all_that_belongs_to_them(root):
    store = Store(root)
    for number in range(4):
        store.put(said(number, map_index=0), {"docs.html": "x"})
        store.put(said(number, task="b", try_number=2))
        store.write("d", f"r{number}", "report", {"report.html": "x"})
    found = list(prune(root, before=at(2)))

    assert [(run.folder.name, run.newest, run.files) for run in found] == [("r0", at(0), 4), ("r1", at(1), 4)]
    assert runs(root) == ["r2", "r3"]
    assert len(store.kept("d", "r2")) == 2
    for task in ("a", "b"):
        assert outcomes(Index(root).runs("d", task)) == [("r3", "passed"), ("r2", "passed")]
    assert list(prune(root, before=at(2))) == []


def test_dry_run_tells_the_same_and_removes_nothing(tmp_path):
    for number in range(3):
        Store(tmp_path).put(said(number), {"x": "x"})
    before = sorted(tmp_path.rglob("*"))
    told = list(prune(tmp_path, before=at(2), dry_run=True))

    assert sorted(tmp_path.rglob("*")) == before
    assert list(prune(tmp_path, before=at(2))) == told


def test_run_with_one_younger_suite_stays_whole_whether_the_index_knows_it_or_not(tmp_path):
    Store(tmp_path).keep(said(0, run="long"))
    Store(tmp_path).keep(said(9, run="long", task="b"))
    before = files(tmp_path)

    assert list(prune(tmp_path, before=at(5))) == []
    for entry in Index(tmp_path).entries("d", "b"):
        entry.path.unlink()
    assert list(prune(tmp_path, before=at(5))) == []
    assert files(tmp_path) == before


def test_suite_that_began_at_the_very_moment_stays(tmp_path):
    Store(tmp_path).keep(said(3))

    assert list(prune(tmp_path, before=at(3))) == []


def test_young_runs_are_not_opened(tmp_path, monkeypatch):
    for number in range(3):
        Store(tmp_path).keep(said(number))
    opened, walk = [], module.suites_below
    monkeypatch.setattr(module, "suites_below", lambda run: opened.append(run.name) or walk(run))
    list(prune(tmp_path, before=at(1)))

    assert opened == ["r0"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "airflow-mltest/suite", "version": 9}'])
def test_run_that_cannot_be_dated_stays_and_is_told(tmp_path, content):
    Store(tmp_path).keep(said(0))
    Path(Store(tmp_path).keep(said(0, task="b"))).write_text(content)
    Store(tmp_path).write("d", "only a plan", "plan", {"plan.json": "{}"})
    before = files(tmp_path)

    assert [(run.folder.name, run.newest) for run in prune(tmp_path, before=at(9))] == [
        ("only%20a%20plan", None),
        ("r0", None),
    ]
    assert files(tmp_path) == before
    assert len(Index(tmp_path).runs("d", "a")) == 1


def test_age_is_what_the_suites_say_and_not_what_an_entry_does(tmp_path):
    Store(tmp_path).keep(said(9))
    (entry,) = Index(tmp_path).entries("d", "a")
    entry.path.rename(entry.path.with_name(entry.path.name.replace("20261124", "20200101")))

    assert list(prune(tmp_path, before=at(5))) == []
    assert runs(tmp_path) == ["r9"]


def test_nothing_outside_of_the_root_is_touched(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    Store(outside).keep(said(0, run="far"))
    Store(root).keep(said(0, run="near"))
    (root / "elsewhere").symlink_to(outside / "d")
    (root / "d" / "linked").symlink_to(outside / "d" / "far")
    (root / "d" / "near" / "b@-1").symlink_to(outside / "d" / "far" / "a@-1")
    (root / "d" / "near" / "a@-1" / "1.x").symlink_to(outside / "d" / "far" / "a@-1" / "1.json")
    before = files(outside)

    assert [run.folder.name for run in prune(root, before=at(9))] == ["near"]
    assert files(outside) == before
    assert sorted(path.name for path in root.iterdir()) == ["=index", "d", "elsewhere"]
    assert runs(root) == ["linked"]


def test_pasts_of_projects_and_files_of_others_stay(tmp_path):
    Archive(tmp_path, "p").keep("abc", "run", {}, passed=True)
    Store(tmp_path).keep(said(0))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "d" / "notes.txt").write_text("x")
    list(prune(tmp_path, before=at(9)))

    assert [Path(name).name for name in files(tmp_path)] == ["run.passed.json.gz", "notes.txt", "notes.txt"]


def test_run_that_is_written_to_meanwhile_stays(tmp_path, monkeypatch):
    Store(tmp_path).keep(said(0))
    Store(tmp_path).keep(said(1))
    walk = module.suites_below

    def writing(run):
        yield from walk(run)
        if run.name == "r0":
            Store(tmp_path).keep(said(8, run="r0", try_number=2))

    monkeypatch.setattr(module, "suites_below", writing)

    assert [run.folder.name for run in prune(tmp_path, before=at(5))] == ["r1"]
    assert [Path(name).name for name in files(tmp_path)] == ["1.json", "2.json"]
    assert len(list(Index(tmp_path).entries("d", "a"))) == 2


def test_what_is_written_while_files_are_removed_stays_with_its_entry(tmp_path, monkeypatch):
    Store(tmp_path).keep(said(0))
    remove = module._unlink

    def writing(paths):
        remove(paths)
        Store(tmp_path).keep(said(8, run="r0", try_number=2))

    monkeypatch.setattr(module, "_unlink", writing)
    list(prune(tmp_path, before=at(5)))

    assert [kept.suite.origin.try_number for kept in Store(tmp_path).kept("d", "r0")] == [2]
    assert [entry.try_number for entry in Index(tmp_path).entries("d", "a")] == [2]


def test_runs_whose_folders_names_were_cut_are_removed_with_their_entries(tmp_path):
    for name, number in (("\N{SNOWMAN}" * 90, 0), ("\N{SNOWMAN}" * 91, 9)):
        Store(tmp_path).keep(said(number, run=name))

    assert len(list(prune(tmp_path, before=at(5)))) == 1
    assert len(files(tmp_path)) == len(list(Index(tmp_path).entries("d", "a"))) == 1


def test_entries_of_a_run_whose_copy_is_removed_stay(tmp_path):
    Store(tmp_path).keep(said(0))
    (tmp_path / "d" / "r0").rename(tmp_path / "d" / "copy")

    assert [run.folder.name for run in prune(tmp_path, before=at(5))] == ["copy"]
    assert len(list(Index(tmp_path).entries("d", "a"))) == 1


@pytest.mark.parametrize("days", [0, -1])
def test_without_a_retention_nothing_is_removed(tmp_path, days):
    Store(tmp_path).keep(said(0))

    with pytest.raises(ConfigurationError, match=r"--older-than.*retention_days"):
        list(prune_days(tmp_path, days, dry_run=False))
    assert runs(tmp_path) == ["r0"]
