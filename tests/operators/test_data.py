import json

import pandas as pd
import pytest

from airflow_mltest.checks.data.row_count import RowCount

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


@pytest.mark.parametrize(
    "own, state, said",
    [
        ({"expectations": []}, "failed", "an empty suite passes nothing"),
        ({"expectations": "/no/suite.json"}, "failed", "/no/suite.json"),
        ({"expectations": [{"type": "expect_magic"}]}, "failed", "expect_magic"),
        ({"data": "/no/rows.parquet"}, "up_for_retry", "nothing at '/no/rows.parquet'"),
        ({"data": lambda: ROWS[:0]}, "failed", "no rows"),
    ],
)
def test_bad_input_is_named_with_the_operator(run_task, parquet, own, state, said):
    ran = run_task(operator(**{"data": parquet, "expectations": [BETWEEN], **own}), retries=1)

    assert ran.state == state
    assert "DataTestOperator 'data'" in str(ran.error)
    assert said in str(ran.error).replace("file://", "")
