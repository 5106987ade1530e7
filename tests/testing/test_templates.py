import threading
import time

import pytest

from airflow_mltest.testing.templates import template


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "airflow-mltest" / "templates"


def test_template_is_made_once(cache):
    made = []

    def make(path):
        made.append(path)
        path.write_text(f"made {len(made)}")

    paths = {template("empty-1.db", make) for _ in range(3)}

    assert paths == {cache / "empty-1.db"}
    assert paths.pop().read_text() == "made 1"


def test_those_who_come_while_it_is_made_wait_for_it(cache):
    made, got = [], []

    def make(path):
        time.sleep(0.2)
        made.append(path)
        path.write_text("whole")

    askers = [threading.Thread(target=lambda: got.append(template("x", make).read_text())) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert len(made) == 1
    assert got == ["whole"] * 4


def test_failure_leaves_nothing_that_the_next_one_takes_for_a_template(cache):
    def fail(path):
        path.write_text("half")
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        template("x", fail)

    assert {path.name for path in cache.iterdir()} == {"x.lock"}
    assert template("x", lambda path: path.write_text("whole")).read_text() == "whole"


def test_without_a_home_to_write_to_it_is_kept_for_this_process(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    first, second = (template("x", lambda path: path.write_text("whole")) for _ in range(2))

    assert first == second
    assert tmp_path not in first.parents
    assert first.read_text() == "whole"
