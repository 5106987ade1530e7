import pytest

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.gx_validator import validate


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql")
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


def asked(kind, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def test_frame_of_spark_is_judged_in_spark(spark):
    frame = spark.createDataFrame([(age, "xyz"[age % 3], None) for age in range(100)], "age int, name string, n double")
    recording = Recording("data", "data")
    suite = [
        asked("column_values_to_be_between", column="age", max_value=97),
        asked("column_values_to_be_in_set", column="name", value_set=["x", "y", "z"]),
        asked("column_sum_to_be_between", column="n", max_value=3),
        asked("column_values_to_be_unique", column="ages"),
        asked("table_row_count_to_equal", value=100),
    ]

    validate(frame, read_expectations(suite), recording)

    between, in_set, nothing, missing, count = recording.cases
    assert "2 of 100 values (2 %) are not: 98, 99" in between.detail
    assert {in_set.outcome, count.outcome} == {Outcome.PASSED}
    assert {nothing.outcome, missing.outcome} == {Outcome.BROKEN}
    assert "did you mean 'age'?" in missing.detail
