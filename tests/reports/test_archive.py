import threading

import pytest

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.reports.archive import Archive
from airflow_mltest.reports.store import Store


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path, "git.example.org/ml/churn tests/unit")


def test_past_is_read_back_newest_commit_and_newest_run_first(archive):
    archive.keep("aaa", "2026-01-01", {"run": 1}, passed=True)
    archive.keep("bbb", "2026-01-02", {"run": 2}, passed=False)
    archive.keep("bbb", "2026-01-03", {"run": 3}, passed=True)

    assert [past["run"] for past in archive.past(["bbb", "ccc", "aaa"], most=9)] == [3, 2, 1]
    assert [past["run"] for past in archive.past(["bbb", "aaa"], most=2)] == [3, 2]
    assert [past["commit"] for past in archive.past(["aaa"], most=9)] == ["aaa"]


def test_last_passed_is_the_newest_ancestor_one_of_whose_runs_passed(archive):
    archive.keep("aaa", "1", {}, passed=True)
    archive.keep("bbb", "2", {}, passed=True)
    archive.keep("bbb", "3", {}, passed=False)
    archive.keep("ccc", "4", {}, passed=False)

    assert archive.last_passed(["ccc", "bbb", "aaa"]) == "bbb"
    assert archive.last_passed(["ccc", "ddd"]) == ""
    assert archive.last_passed([]) == ""


def test_run_that_is_kept_again_replaces_itself_whatever_it_said_before(archive):
    archive.keep("aaa", "1", {"run": 1}, passed=True)
    archive.keep("aaa", "1", {"run": 2}, passed=False)

    assert archive.last_passed(["aaa"]) == ""
    assert [past["run"] for past in archive.past(["aaa"], most=9)] == [2]


def test_runs_of_an_unknown_commit_have_a_place_too(archive):
    archive.keep("", "1", {"run": 1}, passed=False)

    assert [past["run"] for past in archive.past(["aaa", ""], most=9)] == [1]


def test_projects_do_not_see_each_other_and_no_name_leads_out_of_the_root(tmp_path):
    for project in ("a", "a/b", "../a", "", "x" * 900):
        Archive(tmp_path / "root", project).keep("..", "../../r", {"of": project}, passed=True)

    for project in ("a", "a/b", "../a", "", "x" * 900):
        assert [past["of"] for past in Archive(tmp_path / "root", project).past([".."], most=9)] == [project]
    assert {path.name for path in tmp_path.iterdir()} == {"root"}


@pytest.mark.parametrize("content", [b"", b"{}", b"\x1f\x8btorn"])
def test_file_that_cannot_be_read_is_a_past_that_is_not_there(archive, tmp_path, content):
    archive.keep("aaa", "1", {"run": 1}, passed=False)
    archive.keep("aaa", "2", {"run": 2}, passed=False)
    (damaged,) = tmp_path.rglob("1.json.gz")
    damaged.write_bytes(content)

    assert [past["run"] for past in archive.past(["aaa"], most=9)] == [2]


def test_archive_that_was_never_written_is_empty(archive):
    assert archive.past(["aaa"], most=9) == []
    assert archive.last_passed(["aaa"]) == ""


def test_root_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(BrokenRunError, match="report_root"):
        Archive(tmp_path / "file", "p").keep("aaa", "1", {}, passed=True)


def test_many_writers_lose_nothing(archive):
    def keep(number):
        archive.keep("aaa", f"{number:03}", {"run": number}, passed=False)

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(past["run"] for past in archive.past(["aaa"], most=99)) == list(range(40))


def test_report_store_does_not_take_the_archive_for_a_run(tmp_path, archive, suite):
    store = Store(tmp_path)
    store.keep(suite("a", "passed"))
    archive.keep("aaa", "1", {}, passed=True)

    assert len(store.kept("d", "r")) == 1
    assert store.kept("=projects", "r") == []
