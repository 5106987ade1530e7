import json
import re
import sqlite3
from dataclasses import dataclass
from urllib.parse import unquote

import pandas as pd
import pytest

from airflow_mltest.checks.data.leakage import Leakage
from airflow_mltest.checks.data.row_count import RowCount
from airflow_mltest.integrations import table_files
from airflow_mltest.operators import data_source

ROWS = pd.DataFrame({"age": [20, 35, 41], "month": [1, 2, 3]})
BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "min_value": 0, "max_value": 40}}


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    ROWS.to_parquet(path)
    return str(path)


def operator(**own):
    def make(**kwargs):
        from airflow_mltest.operators.data import DataTestOperator

        return DataTestOperator(task_id="data", **own, **kwargs)

    return make


def test_expectations_and_checks_are_one_suite_about_the_file(run_task, parquet, kept):
    ran = run_task(operator(data=parquet, expectations=[BETWEEN], checks=[RowCount(minimum=3)]))

    assert ran.state == "failed"
    assert ran.xcoms["return_value"]["failures"][0]["name"] == "values_to_be_between(age)"
    assert "41" in ran.xcoms["return_value"]["failures"][0]["detail"]
    assert [case.name for case in kept()["data"].cases] == ["values_to_be_between(age)", "row_count"]
    assert kept()["data"].subject["data"] == parquet
    assert kept()["data"].subject["data_digest"].startswith("sha256:")


def test_where_keeps_the_rows_that_are_meant(run_task, parquet):
    assert run_task(operator(data=parquet, expectations=[BETWEEN], where=[("month", "<", 3)])).state == "success"


def test_factory_is_not_called_before_the_task_runs(run_task):
    called = []

    def rows():
        called.append(True)
        return ROWS

    make = operator(data=rows, expectations=[{**BETWEEN, "kwargs": {"column": "age", "min_value": 0}}])
    make()
    assert not called

    assert run_task(make).state == "success"


def test_paths_are_templates(run_task, parquet, tmp_path):
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps([BETWEEN]))
    templated = parquet.replace("rows", "{{ 'ro' ~ 'ws' }}")

    ran = run_task(operator(data=templated, expectations=str(suite), where=[("month", "<", 3)]))

    assert ran.state == "success"


def test_reference_is_read_for_the_checks(run_task, parquet):
    check = RowCount(minimum=0.9, of_reference=True)

    ran = run_task(operator(data=parquet, checks=[check], reference=lambda: pd.concat([ROWS, ROWS])))

    assert ran.state == "failed"
    assert "0.5 of the reference's rows; wanted at least 0.9" in ran.xcoms["return_value"]["failures"][0]["detail"]


@pytest.fixture
def database(tmp_path, monkeypatch):
    path = tmp_path / "rows.db"
    with sqlite3.connect(path) as connection:
        ROWS.to_sql("people", connection, index=False)
    connection.close()
    monkeypatch.setenv("AIRFLOW_CONN_DB", json.dumps({"conn_type": "sqlite", "host": str(path)}))


@pytest.mark.parametrize("data", ["people", "{{ 'select' }} * from people"])
def test_table_or_query_of_a_connection_is_asked(run_task, database, data, kept):
    ran = run_task(operator(data=data, conn_id="db", expectations=[BETWEEN], checks=[RowCount(minimum=3)]))

    assert ran.state == "failed"
    assert [case.outcome for case in kept()["data"].cases] == ["failed", "passed"]
    assert "people" in kept()["data"].subject["data"]


def test_rows_of_a_table_are_chosen_by_where(run_task, database):
    own = {"data": "people", "conn_id": "db", "expectations": [BETWEEN], "where": [("month", "<", 3)]}

    assert run_task(operator(**own)).state == "success"


def test_many_files_are_asked_at_once(run_task, tmp_path, kept):
    for month in (1, 2):
        ROWS[ROWS["month"] == month].to_parquet(tmp_path / f"{month}.parquet")

    count = [{"type": "expect_table_row_count_to_equal", "kwargs": {"value": 2}}]

    assert run_task(operator(data=str(tmp_path / "*.parquet"), expectations=count)).state == "success"
    files = [str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")]
    assert run_task(operator(data=files, expectations=count)).state == "success"
    assert "1 more" in kept()["data"].subject["data"]


def test_parquet_beyond_memory_is_asked_in_batches(run_task, parquet, monkeypatch, kept):
    monkeypatch.setattr(data_source, "LARGE_BYTES", 0)
    unique = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "age"}}

    ran = run_task(operator(data=parquet, expectations=[BETWEEN, unique], where=[("month", "<", 3)]))

    assert ran.state == "success"
    assert "age was read whole" in kept()["data"].cases[1].detail
    assert kept()["data"].subject["data_digest"].startswith("sha256:")


def test_csv_beyond_memory_is_asked_in_batches_but_for_checks(run_task, tmp_path, monkeypatch, kept):
    monkeypatch.setattr(data_source, "LARGE_BYTES", 0)
    monkeypatch.setattr(table_files, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(table_files, "_BYTES_A_BATCH", 0)
    ROWS.to_csv(tmp_path / "rows.csv.gz", index=False)
    unique = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "age"}}
    own = {"data": str(tmp_path / "rows.csv.gz"), "expectations": [BETWEEN, unique], "where": [("month", "<", 3)]}

    assert run_task(operator(**own)).state == "success"
    assert "age was read whole" in kept()["data"].cases[1].detail
    assert run_task(operator(**own, checks=[RowCount(minimum=2)])).state == "success"
    assert [case.detail for case in kept()["data"].cases] == ["", "", "2 rows; wanted at least 2"]


def test_warnings_fail_the_task_only_if_they_are_asked_to(run_task, parquet):
    own = {"data": parquet, "expectations": [{**BETWEEN, "severity": "warning"}]}

    assert run_task(operator(**own)).state == "success"
    assert run_task(operator(**own, fail_on="warning")).state == "failed"


def test_redacted_values_are_in_no_xcom(run_task, parquet):
    ran = run_task(operator(data=parquet, expectations=[BETWEEN], redact=["age"]))

    assert ran.state == "failed"
    assert "41" not in json.dumps(ran.xcoms["return_value"]["failures"])


@pytest.mark.parametrize("redact, shown", [((), True), (["age"], False)])
def test_checks_do_not_show_what_is_redacted(run_task, parquet, report_root, redact, shown):
    @dataclass(frozen=True)
    class Shows:
        def run(self, subject):
            return subject.rows["age"].map({subject.rows["age"].min(): 1}.__getitem__)

    own = {"data": parquet, "reference": parquet, "checks": [Leakage(keys=("age",)), Shows()], "redact": redact}
    ran = run_task(operator(**own))

    assert ran.state == "failed"
    suite = json.loads((report_root / "d" / "r" / "data@-1" / "1.json").read_text())
    assert [case["outcome"] for case in suite["cases"]] == ["failed", "broken"]
    assert ("41" in json.dumps([[case["detail"], case.get("facts")] for case in suite["cases"]])) is shown


@pytest.mark.parametrize(
    "own, state, said",
    [
        ({"expectations": []}, "failed", "an empty suite passes nothing"),
        ({"expectations": "/no/suite.json"}, "failed", "/no/suite.json"),
        ({"expectations": [{"type": "expect_magic"}]}, "failed", "expect_magic"),
        ({"data": "/no/rows.parquet"}, "up_for_retry", "nothing at '/no/rows.parquet'"),
        ({"data": lambda: ROWS[:0]}, "failed", "no rows"),
        ({"expectations": list, "checks": [RowCount()]}, "failed", "an empty suite passes nothing"),
        ({"data": lambda: ROWS, "conn_id": "db"}, "failed", "a table or a query"),
        ({"fail_on": "fatal"}, "failed", "critical, warning, info"),
    ],
)
def test_bad_input_is_named_with_the_operator(run_task, parquet, own, state, said):
    ran = run_task(operator(**{"data": parquet, "expectations": [BETWEEN], **own}), retries=1)

    assert ran.state == state
    assert "DataTestOperator 'data'" in str(ran.error)
    assert said in str(ran.error).replace("file://", "")


@pytest.mark.parametrize("beyond_memory", [False, True])
@pytest.mark.parametrize("own", [{}, {"data": "people", "conn_id": "db"}])
def test_data_docs_are_kept_beside_the_suite_and_hide_what_is_redacted(
    run_task, parquet, database, monkeypatch, report_root, kept, own, beyond_memory
):
    if beyond_memory:
        monkeypatch.setattr(data_source, "LARGE_BYTES", 0)
    checks = () if beyond_memory else [RowCount(minimum=1)]
    for redact, shown in (((), True), (["age"], False)):
        make = operator(**{"data": parquet, "expectations": [BETWEEN], "checks": checks, "redact": redact, **own})
        assert run_task(make).state == "failed"
        (path,) = kept()["data"].attachments
        page = (report_root / "d" / "r" / path).read_text()
        assert path == "data@-1/1.data-docs.html"
        assert "unexpected values found" in page
        assert (">41<" in page.replace(" ", "").replace("\n", "")) is shown


def test_data_docs_that_cannot_be_written_change_no_verdict(run_task, parquet, monkeypatch, kept):
    from airflow_mltest.integrations import gx_page

    monkeypatch.delattr(gx_page, "_HEAD")
    own = {"data": parquet, "expectations": [BETWEEN], "where": [("month", "<", 3)]}

    assert run_task(operator(**own)).state == "success"
    assert kept()["data"].passed
    assert kept()["data"].attachments == ()


def test_checks_alone_have_no_data_docs(run_task, parquet, kept):
    assert run_task(operator(data=parquet, checks=[RowCount(minimum=3)])).state == "success"
    assert kept()["data"].attachments == ()


def test_report_of_the_run_links_the_data_docs(run_task, parquet, report_root):
    def report(**kwargs):
        from airflow_mltest.operators.report import ReportOperator

        return ReportOperator(task_id="report", **kwargs)

    run_task(operator(data=parquet, expectations=[BETWEEN]))
    run_task(report)
    page = report_root / "d" / "r" / "report" / "report.html"
    (link,) = re.findall(r'href="(\.\.[^"]+)"', page.read_text())

    assert "Data Docs" in (page.parent / unquote(link)).read_text()
