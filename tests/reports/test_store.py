import hashlib
import json
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.store import Store


def test_what_is_kept_is_read_back_with_its_digest(tmp_path, suite):
    store = Store(tmp_path)
    address = store.keep(suite("group.task", "passed"))
    (kept,) = store.kept("d", "r")

    assert address == kept.address == str(tmp_path / "d" / "r" / "group%2Etask@-1" / "1.json")
    assert kept.suite == suite("group.task", "passed")
    assert kept.digest.startswith("sha256:")
    assert len(kept.digest) == 71


def test_newest_try_of_every_task_and_map_index_is_read(tmp_path, suite):
    store = Store(tmp_path)
    for outcome, try_number in (("failed", 9), ("passed", 10)):
        store.keep(suite("a", outcome, try_number=try_number))
    store.keep(suite("b", "passed", map_index=0))
    store.keep(suite("b", "failed", map_index=1))

    outcomes = [(kept.suite.name, kept.suite.outcome.value) for kept in store.kept("d", "r")]
    assert sorted(outcomes) == [("a", "passed"), ("b", "failed"), ("b", "passed")]


def test_digest_changes_with_the_file(tmp_path, suite):
    store = Store(tmp_path)
    address = store.keep(suite("a", "failed"))
    before = store.kept("d", "r")[0].digest
    Path(address).write_text(Path(address).read_text().replace("failed", "passed"))

    assert store.kept("d", "r")[0].digest != before


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema": "airflow-mltest/suite", "version": 1}', "\xff"])
def test_file_that_cannot_be_read_is_a_broken_suite(tmp_path, suite, content):
    store = Store(tmp_path)
    address = Path(store.keep(suite("a.b", "passed", map_index=3)))
    address.write_bytes(content.encode("latin-1"))
    (kept,) = store.kept("d", "r")

    assert kept.suite.outcome is Outcome.BROKEN
    assert kept.suite.name == "a.b"
    assert kept.suite.origin.map_index == 3
    assert "unreadable" in kept.suite.incomplete


def test_reports_and_what_is_half_written_are_not_taken_for_suites(tmp_path, suite):
    store = Store(tmp_path)
    address = Path(store.keep(suite("a", "passed")))
    (address.parent / "2.json.abc.part").write_text("{")
    store.write("d", "r", "the report", {"report.json": "{}"})

    assert [kept.address for kept in store.kept("d", "r")] == [str(address)]
    assert (tmp_path / "d" / "r" / "the%20report" / "report.json").read_text() == "{}"


def test_run_that_kept_nothing_has_nothing(tmp_path):
    assert Store(tmp_path).kept("d", "r") == []


names = st.one_of(
    st.text(max_size=20), st.sampled_from(["", ".", "..", "../..", "a/b", "a\\b", "%2E", "a@1", "~", "\x00"])
)


@example([("", "r", "t"), ("\x00", "r", "t"), ("=", "r", "t"), ("d", "", "t"), ("d", "..", "t")])
@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=4, unique=True))
def test_no_id_leads_out_of_the_root_and_no_two_meet(tmp_path_factory, ids):
    root = tmp_path_factory.mktemp("store") / "root"
    store = Store(root)
    addresses = set()
    for dag_id, run_id, task_id in ids:
        origin = Origin(dag_id=dag_id, run_id=run_id, task_id=task_id)
        case = Case(name="c", outcome=Outcome.PASSED)
        addresses.add(store.keep(Suite(name="s", kind="code", cases=(case,), origin=origin)))

    assert len(addresses) == len(ids)
    for address in addresses:
        assert Path(address).resolve().is_relative_to(root.resolve())
        assert len(Path(address).relative_to(root).parts) == 4


def test_root_that_cannot_be_written_is_named(tmp_path, suite):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(BrokenRunError, match=r"file.*report_root"):
        Store(tmp_path / "file").keep(suite("a", "passed"))


def test_suite_without_a_task_has_no_place(tmp_path, suite):
    with pytest.raises(ConfigurationError, match="no origin"):
        Store(tmp_path).keep(suite("a", origin=False))


def test_many_writers_lose_nothing_and_no_reader_sees_half_a_file(tmp_path, suite):
    store, stop, torn = Store(tmp_path), threading.Event(), []

    def read():
        while not stop.is_set():
            torn.extend(kept for kept in store.kept("d", "r") if "unreadable" in kept.suite.incomplete)

    def write(task):
        for outcome in ("passed", "failed") * 20:
            store.keep(suite(task, *[outcome] * 50))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(8)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()

    assert torn == []
    assert len(store.kept("d", "r")) == 8
    assert not list(tmp_path.rglob("*.part"))


def test_airflows_object_storage_path_is_a_root_too(tmp_path, suite):
    sdk = pytest.importorskip("airflow.sdk")
    store = Store(sdk.ObjectStoragePath(f"file://{tmp_path}/reports"))
    store.keep(suite("a", "failed"))
    store.keep(suite("a", "passed"))
    store.write("d", "r", "report", {"report.html": "ü"})
    (kept,) = store.kept("d", "r")

    assert kept.suite.passed
    assert json.loads((tmp_path / "reports" / "d" / "r" / "a@-1" / "1.json").read_text())["outcome"] == "passed"
    assert (tmp_path / "reports" / "d" / "r" / "report" / "report.html").read_text(encoding="utf-8") == "ü"
    assert not list(tmp_path.rglob("*.part"))


def test_storage_that_remembers_listings_shows_what_others_have_kept_since(tmp_path, suite):
    class Client:
        """What clients of object stores do: list a folder once."""

        def __init__(self):
            self.listings = {}

        def invalidate_cache(self):
            self.listings.clear()

    class Remembered(type(tmp_path)):
        fs = Client()

        def iterdir(self):
            return iter(self.fs.listings.setdefault(str(self), list(super().iterdir())))

    store = Store(Remembered(tmp_path))
    store.keep(suite("a", "passed"))
    assert len(store.kept("d", "r")) == 1

    Store(tmp_path).keep(suite("b", "passed"))

    assert len(store.kept("d", "r")) == 2


@pytest.mark.parametrize("stray", ["note@home", "a@1", "²@1", "x@y/1.json", "a@-1/².json", "a@-1/notes.json", "a@-1/9"])
def test_what_is_no_place_of_a_suite_is_passed_over(tmp_path, suite, stray):
    store = Store(tmp_path)
    address = store.keep(suite("a", "passed"))
    path = tmp_path / "d" / "r" / stray
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")

    assert [kept.address for kept in store.kept("d", "r")] == [address]


def test_one_damaged_file_does_not_hide_the_others(tmp_path, suite):
    store = Store(tmp_path)
    changes = {
        "naive": {"started_at": "2026-01-01T00:00:00"},
        "typed": {"duration_s": "fast"},
        "empty": {"subject": 3},
        "cases": {"cases": [3]},
        "kind": {"kind": "weather"},
    }
    for name, change in changes.items():
        path = Path(store.keep(suite(name, "passed")))
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    store.keep(suite("good", "passed"))
    folder = Path(store.keep(suite("folder", "passed")))
    folder.unlink()
    folder.mkdir()

    found = {kept.suite.name: kept for kept in store.kept("d", "r")}

    assert {name for name, kept in found.items() if kept.suite.passed} == {"good"}
    assert {*found} == {*changes, "good", "folder"}
    assert found["folder"].digest == ""
    assert found["naive"].digest.startswith("sha256:")


@pytest.mark.parametrize("part", ["g" * 250, ".".join(["group"] * 41), ":" * 250, "\N{SNOWMAN}" * 250])
def test_names_that_airflow_allows_and_no_file_system_does_are_kept_too(tmp_path, part):
    case = Case(name="c", outcome=Outcome.PASSED)
    store = Store(tmp_path)
    addresses = {
        store.keep(
            Suite(
                name="s",
                kind="code",
                cases=(case,),
                origin=Origin(dag_id=part, run_id=part, task_id=part + end, map_index=1000),
            )
        )
        for end in ("", "x", "y")
    }

    assert len(addresses) == 3
    assert len(store.kept(part, part)) == 3


def test_store_whose_client_raises_its_own_errors_is_broken_too(tmp_path, suite):
    class DeniedError(Exception):
        pass

    class Denying(type(tmp_path)):
        def mkdir(self, *_, **__):
            raise DeniedError(403)

    with pytest.raises(BrokenRunError, match=r"DeniedError: 403.*report_root"):
        Store(Denying(tmp_path)).keep(suite("a", "passed"))


def test_file_that_could_not_be_renamed_is_not_left_behind(tmp_path, suite):
    store = Store(tmp_path)
    in_the_way = Path(store.keep(suite("a", "passed")))
    in_the_way.unlink()
    (in_the_way / "x").mkdir(parents=True)

    with pytest.raises(BrokenRunError):
        store.keep(suite("a", "passed"))
    assert list(in_the_way.parent.iterdir()) == [in_the_way]


def test_earlier_try_of_the_same_task_and_map_index_is_found(tmp_path, suite):
    store = Store(tmp_path)
    for try_number in (1, 2, 3):
        store.keep(suite("a", *["passed"] * try_number, map_index=4, try_number=try_number))
    third = suite("a", map_index=4, try_number=3).origin

    assert len(store.earlier(third).cases) == 2
    assert store.earlier(suite("a", map_index=5, try_number=3).origin) is None
    assert store.earlier(suite("a", map_index=4, try_number=1).origin) is None


def test_what_tries_have_attached_is_found_by_its_name_and_is_no_suite(tmp_path, suite):
    store = Store(tmp_path)
    store.keep(suite("g.a", "passed", map_index=0))
    for map_index, try_number, name in ((0, 1, "x.json"), (0, 2, "x.json"), (1, 1, "0.coverage"), (1, 1, "1.coverage")):
        origin = suite("g.a", map_index=map_index, try_number=try_number).origin
        store.attach(origin, name, f"{map_index}-{try_number}-{name}".encode())

    assert [path.read_bytes() for path in store.attached("d", "r", "g.a", "x.json")] == [b"0-1-x.json", b"0-2-x.json"]
    assert len(store.attached("d", "r", "g.a", "coverage")) == 2
    assert store.attached("d", "r", "g", "x.json") == []
    assert store.attached("no", "r", "g.a", "x.json") == []
    assert len(store.kept("d", "r")) == 1


def test_what_was_written_is_read_back_and_what_was_not_is_named(tmp_path):
    store = Store(tmp_path)
    store.write("d", "r", "g.plan", {"plan.json": "ü"})

    assert store.written("d", "r", "g.plan", "plan.json").decode() == "ü"
    with pytest.raises(BrokenRunError, match=r"nobody.*plan\.json"):
        store.written("d", "r", "nobody", "plan.json")


def test_past_of_a_task_is_read_newest_first_from_the_newest_runs(tmp_path, suite):
    store = Store(tmp_path)
    for number in range(6):
        _keep_in(store, f"run {number}", number, suite("a", "passed"), suite("b", "failed"))
    found = store.past("d", "a", before=_at(5), most=3)

    assert [one.started_at for one in found] == [_at(4), _at(3), _at(2)]
    assert {one.name for one in found} == {"a"}
    assert store.past("d", "nothing", before=_at(9)) == store.past("other", "a", before=_at(9)) == []


def test_past_holds_mapped_instances_as_one_and_of_several_tries_the_newest(tmp_path, suite):
    store = Store(tmp_path)
    for map_index, try_number, outcome in ((0, 1, "broken"), (0, 2, "passed"), (1, 1, "passed")):
        _keep_in(store, "run", 0, suite("a", outcome, map_index=map_index, try_number=try_number))

    assert [one.outcome for one in store.past("d", "a", before=_at(1))] == [Outcome.PASSED]


def test_past_passes_over_what_cannot_be_read(tmp_path, suite, caplog):
    store = Store(tmp_path)
    (torn,) = _keep_in(store, "torn", 1, suite("a", "passed"))
    Path(torn).write_text("{")
    _keep_in(store, "whole", 2, suite("a", "passed"))
    (tmp_path / "d" / "no folder").write_text("")

    assert len(store.past("d", "a", before=_at(9))) == 1
    assert Store(tmp_path / "d" / "no folder").past("d", "a", before=_at(9)) == []
    assert "earlier runs of d.a cannot be read" in caplog.text


def test_past_of_object_storage_is_in_the_order_of_the_times_in_run_ids(tmp_path, suite):
    class Far(type(tmp_path)):
        protocol = "s3"

    store = Store(Far(tmp_path))
    for day in (3, 1, 2):
        _keep_in(store, f"scheduled__2026-11-0{day}T00:00:00+00:00", day, suite("a", "passed"))
    _keep_in(store, "a run by hand", 0, suite("a", "passed"))
    os.utime(store.folder("d", "a run by hand"))  # of a folder no object store knows it

    assert [one.started_at for one in store.past("d", "a", before=_at(9), most=1)] == [_at(3)]
    assert len(store.past("d", "a", before=_at(9))) == 4


def _at(number):
    return datetime(2026, 11, 24, number, tzinfo=UTC)


def _keep_in(store, run_id, number, *suites):
    kept = [
        store.keep(replace(one, started_at=_at(number), origin=replace(one.origin, run_id=run_id))) for one in suites
    ]
    os.utime(store.folder("d", run_id), (number, number))
    return kept


@pytest.mark.parametrize("name", ["data-docs.html", "../../x.html", "/x", "..", "json", "a b.html"])
def test_attachment_lies_beside_its_suite_whatever_it_is_called_and_is_no_suite(tmp_path, suite, name):
    store = Store(tmp_path)
    store.keep(suite("g.a", "passed", "failed", try_number=2), {name: "ü"})
    (kept,) = store.kept("d", "r")

    assert kept.suite.counts["failed"] == 1
    (path,) = (tmp_path / "d" / "r" / attached for attached in kept.suite.attachments)
    assert path.resolve().parent == Path(kept.address).parent
    assert name == "json" or path.read_text() == "ü"
    assert {file for file in (tmp_path / "d").rglob("*") if file.is_file()} == {path, Path(kept.address)}
    assert store.earlier(suite("g.a", try_number=3).origin).counts == kept.suite.counts


def test_what_was_put_has_the_digest_of_the_bytes_that_lie_there(tmp_path, suite):
    put = Store(tmp_path).put(suite("a", "passed"), {"page.html": "ü"})
    (kept,) = Store(tmp_path).kept("d", "r")

    assert put == kept
    assert put.digest == f"sha256:{hashlib.sha256(Path(put.address).read_bytes()).hexdigest()}"


def test_attachment_that_cannot_be_written_costs_the_suite_nothing(tmp_path, suite, caplog):
    store = Store(tmp_path)
    in_the_way = Path(store.keep(suite("a", "passed"))).parent / "1.first.html"
    (in_the_way / "x").mkdir(parents=True)
    store.keep(suite("a", "failed"), {"first.html": "", "second.html": ""})
    (kept,) = store.kept("d", "r")

    assert kept.suite.counts["failed"] == 1
    assert kept.suite.attachments == ("a@-1/1.second.html",)
    assert "first.html is not kept" in caplog.text


def test_index_that_cannot_be_written_costs_the_suite_nothing(tmp_path, suite, caplog):
    (tmp_path / "=index").write_text("in the way")
    kept = Store(tmp_path).put(suite("a", "passed"))

    assert Store(tmp_path).kept("d", "r") == [kept]
    assert f"{kept.address} is not in the index; `mltest report reindex` adds it" in caplog.text
