import runpy
import shutil
from pathlib import Path

import pytest

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.rebuild import rebuild
from airflow_mltest.reports.store import Store

_indexed = runpy.run_path(str(Path(__file__).with_name("indexed.py")))
root, said, outcomes = _indexed["root"], _indexed["said"], _indexed["outcomes"]


def entries(root):
    return sorted(str(entry.path) for task in ("a", "b") for entry in Index(root).entries("d", task))


def fill(root):
    for number in range(3):
        for task, try_number in (("a", 1), ("a", 2), ("b", 1)):
            Store(root).put(said(number, "failed", "passed", task=task, try_number=try_number), {"log": "x"})


def test_index_that_is_lost_is_the_same_again(tmp_path):
    fill(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "=index").rglob("*") if path.is_file()}
    shutil.rmtree(tmp_path / "=index")

    assert rebuild(tmp_path) == (9, 0)
    assert {path: path.read_bytes() for path in (tmp_path / "=index").rglob("*") if path.is_file()} == before


def test_entries_that_no_suite_has_are_removed_and_others_stay(root):
    fill(root)
    before = entries(root)
    for suite in (said(7), said(0, "passed", "passed", try_number=2), said(8, incomplete="killed")):
        Index(root).add(suite, "")
    assert len(entries(root)) == len(before) + 3

    assert rebuild(root) == (9, 3)
    assert entries(root) == before


def test_entry_of_a_suite_that_cannot_be_read_stays(tmp_path):
    fill(tmp_path)
    before = entries(tmp_path)
    (tmp_path / "d" / "r1" / "a@-1" / "1.json").write_text("{")

    assert rebuild(tmp_path) == (8, 0)
    assert entries(tmp_path) == before


def test_what_others_write_meanwhile_is_kept(tmp_path, monkeypatch):
    fill(tmp_path)
    module = "airflow_mltest.reports.rebuild"
    walk = __import__(module, fromlist=["suites_below"]).suites_below

    def writing(run):
        yield from walk(run)
        Store(tmp_path).keep(said(5))

    monkeypatch.setattr(f"{module}.suites_below", writing)
    rebuild(tmp_path)

    assert outcomes(Index(tmp_path).runs("d", "a"))[0] == ("r5", "passed")


def test_folders_whose_names_were_cut_are_indexed_too(tmp_path):
    name = "\N{SNOWMAN}" * 90
    Store(tmp_path).keep(said(run=name, dag=name, task=name))
    shutil.rmtree(tmp_path / "=index")

    assert rebuild(tmp_path) == (1, 0)
    assert outcomes(Index(tmp_path).runs(name, name)) == [(name, "passed")]


def test_store_that_is_empty_has_an_empty_index(root):
    assert rebuild(root) == (0, 0)


def test_root_that_cannot_be_written_is_named(tmp_path):
    fill(tmp_path)
    shutil.rmtree(tmp_path / "=index")
    (tmp_path / "=index").write_text("in the way")

    with pytest.raises(BrokenRunError, match="report_root"):
        rebuild(tmp_path)
