import json
import xml.etree.ElementTree as ET

from airflow_mltest.core.outcome import Origin
from airflow_mltest.reports.downloads import FILES, download
from airflow_mltest.reports.store import Store


def test_each_file_holds_the_suites_of_the_run_or_of_the_task_that_is_asked_for(tmp_path, suite):
    store = Store(tmp_path)
    for name, place in (("a", 0), ("a", 1), ("b", -1)):
        store.keep(suite(name, "passed", "failed", map_index=place))
    whole = Origin(dag_id="d", run_id="r", task_id="")
    of_a = Origin(dag_id="d", run_id="r", task_id="a")
    of_one = Origin(dag_id="d", run_id="r", task_id="a", map_index=1)

    assert [
        [s["name"] for s in json.loads(download(store, one, "report.json"))["suites"]] for one in (whole, of_a)
    ] == [
        ["a", "b"],
        ["a"],
    ]
    assert json.loads(download(store, of_one, "report.json"))["suites"][0]["origin"]["map_index"] == 1
    assert len(ET.fromstring(download(store, whole, "junit.xml")).findall("testsuite")) == 2  # noqa: S314  our own text
    assert b"<!DOCTYPE html>" in download(store, of_a, "report.html")


def test_text_that_no_encoding_has_is_no_reason_for_no_file(tmp_path, nasty):
    store = Store(tmp_path)
    store.keep(nasty)
    for name in FILES:
        assert download(store, Origin(dag_id="d", run_id="r", task_id=""), name).decode()
