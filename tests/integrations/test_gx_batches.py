import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations import table_files
from airflow_mltest.integrations.gx_batches import needs_whole, validate_batches
from airflow_mltest.integrations.gx_case import Rules
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.gx_validator import validate
from airflow_mltest.integrations.parquet_batches import open_parquet
from airflow_mltest.integrations.table_batches import KeptRows

FROM_20 = 'col("age")>=20'


def asked(kind, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs}


SUITE = [
    asked("column_values_to_be_between", column="age", min_value=10, max_value=40),
    asked("column_values_to_be_between", column="age", min_value=10, mostly=0.6),
    asked("column_values_to_not_be_null", column="age", mostly=0.9),
    asked("column_values_to_be_null", column="name"),
    asked("column_values_to_be_in_set", column="name", value_set=["a", "b"]),
    asked("column_values_to_match_regex", column="name", regex="[ab]"),
    asked("column_value_lengths_to_equal", column="name", value=1),
    asked("column_max_to_be_between", column="age", max_value=45),
    asked("column_min_to_be_between", column="age", min_value=1, strict_min=True),
    asked("column_sum_to_be_between", column="cents", min_value=0, max_value=500),
    asked("column_mean_to_be_between", column="cents", max_value=40),
    asked("column_values_to_be_unique", column="cents"),
    asked("column_distinct_values_to_be_in_set", column="name", value_set=["a", "b", "c"]),
    asked("column_pair_values_a_to_be_greater_than_b", column_A="cents", column_B="age"),
    asked("compound_columns_to_be_unique", column_list=["age", "cents"]),
    asked("multicolumn_sum_to_equal", column_list=["age", "cents"], sum_total=60),
    asked("table_row_count_to_be_between", min_value=3, max_value=9, strict_max=True),
    asked("table_row_count_to_equal", value=6),
    asked("table_column_count_to_equal", value=3),
    asked("table_columns_to_match_set", column_set=["age", "name", "cents"]),
    asked("column_to_exist", column="name"),
    asked(
        "column_values_to_be_between", column="cents", max_value=50, row_condition=FROM_20,
        condition_parser="great_expectations",
    ),
    asked(
        "column_max_to_be_between", column="cents", max_value=50, row_condition=FROM_20,
        condition_parser="great_expectations",
    ),
]  # fmt: skip


def source(path, where=()):
    return KeptRows(files=open_parquet([path], str(path)), where=where)


def cases_in_batches(path, suite, where=()):
    recording = Recording("data", "data")
    validate_batches(source(path, where), read_expectations(suite), recording, Rules())
    return recording.cases


def cases_at_once(path, suite):
    recording = Recording("data", "data")
    validate(pd.read_parquet(path), read_expectations(suite), recording)
    return recording.cases


def told(case):
    counts = {key: case.facts.get("result", {}).get(key) for key in ("element_count", "unexpected_count")}
    values = [(one.name, round(one.value, 9), one.minimum, one.maximum) for one in case.measurements]
    return case.name, case.outcome, counts, values


ages = st.one_of(st.none(), st.integers(0, 50))
names = st.one_of(st.none(), st.sampled_from("abc"))
rows = st.lists(st.tuples(ages, names, st.integers(0, 99)), min_size=4, max_size=6)


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(rows=[(None, None, 1)], size=1, typed=True)
@given(rows=rows, size=st.integers(2, 3), typed=st.booleans())
def test_batches_say_what_the_whole_says(tmp_path, monkeypatch, rows, size, typed):
    monkeypatch.setattr(table_files, "_FEWEST_ROWS", size)
    monkeypatch.setattr(table_files, "_BYTES_A_BATCH", 0)
    frame = pd.DataFrame(rows, columns=["age", "name", "cents"])
    frame["age"] = frame["age"].astype("Int64")
    path = tmp_path / "rows.parquet"
    table = pa.Table.from_pandas(frame.astype({"name": "str"}), preserve_index=False)
    pq.write_table(table if typed else table.replace_schema_metadata(), path, row_group_size=size)

    for one, other in zip(cases_in_batches(path, SUITE), cases_at_once(path, SUITE), strict=True):
        assert told(one) == told(other)


@pytest.fixture
def parquet(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "_FEWEST_ROWS", 100)
    monkeypatch.setattr(table_files, "_BYTES_A_BATCH", 0)
    path = tmp_path / "rows.parquet"
    frame = pd.DataFrame({"age": np.arange(1000) % 90, "name": ["a"] * 1000, "none": [None] * 1000, "month": 1})
    frame.to_parquet(path, row_group_size=300)
    return path


def test_what_cannot_be_judged_in_batches_says_which_columns_were_read_whole(parquet):
    between, unique, custom = cases_in_batches(
        parquet,
        [
            asked("column_values_to_be_between", column="age", max_value=89),
            asked("column_values_to_be_unique", column="age"),
            asked("compound_columns_to_be_unique", column_list=["age", "name"]),
        ],
    )

    assert (between.outcome, between.detail) == (Outcome.PASSED, "")
    assert unique.detail.endswith("cannot be judged batch by batch: age was read whole")
    assert custom.detail.endswith("cannot be judged batch by batch: age, name was read whole")


def test_only_the_columns_that_are_asked_for_are_read(parquet, monkeypatch):
    read = []
    batches, whole = KeptRows.batches, KeptRows.read
    monkeypatch.setattr(KeptRows, "batches", lambda self, columns=None: read.append(columns) or batches(self, columns))
    monkeypatch.setattr(KeptRows, "read", lambda self, columns=None: read.append(columns) or whole(self, columns))

    cases_in_batches(parquet, [SUITE[0], asked("column_values_to_be_unique", column="name"), SUITE[16]])

    assert read == [["age"], ("name",)]


def test_examples_are_the_first_ones_of_all_batches(parquet):
    (case,) = cases_in_batches(parquet, [asked("column_values_to_be_between", column="age", max_value=88)])

    assert "11 of 1000 values (1.1 %) are not: 89, 89, 89, 89, 89" in case.detail


def test_column_without_a_value_is_broken_in_batches_too(parquet):
    found = cases_in_batches(
        parquet,
        [asked("column_values_to_be_in_set", column="none", value_set=["x"]),
         asked("column_sum_to_be_between", column="none", max_value=3)],
    )  # fmt: skip

    assert {case.outcome for case in found} == {Outcome.BROKEN}
    assert "all 1000 values are missing" in found[0].detail


def test_batch_in_which_an_expectation_raises_breaks_it(parquet):
    (case, other) = cases_in_batches(
        parquet, [asked("column_values_to_be_between", column="name", max_value=3), SUITE[18]]
    )

    assert case.outcome is Outcome.BROKEN
    assert "could not be judged" in case.detail
    assert other.outcome is Outcome.FAILED


def test_column_that_is_not_there_is_named_with_the_nearest(parquet):
    found = cases_in_batches(
        parquet,
        [
            asked("column_values_to_be_between", column="aged", max_value=3),
            asked("column_values_to_be_unique", column="nam"),
        ],
    )

    assert [case.detail.partition("; ")[2].partition("?")[0] for case in found] == [
        "did you mean 'age'", "did you mean 'name'"
    ]  # fmt: skip


def test_conditions_keep_rows_also_of_columns_that_nobody_asks_for(parquet):
    suite = [asked("table_row_count_to_equal", value=11), asked("column_values_to_be_unique", column="name")]

    found = cases_in_batches(parquet, suite, where=[("age", "==", 89), ("month", "<", 2)])

    assert found[0].outcome is Outcome.PASSED
    assert "11 of 11" in found[1].detail


def test_no_row_that_is_kept_is_an_error(parquet):
    with pytest.raises(ConfigurationError, match="no rows"):
        cases_in_batches(parquet, [SUITE[0]], where=[("age", ">", 90)])


def test_condition_on_a_column_that_is_not_there_is_named(parquet):
    with pytest.raises(ConfigurationError, match="`where` condition"):
        cases_in_batches(parquet, [SUITE[0]], where=[("agee", ">", 90)])


def test_users_own_expectation_is_asked_of_the_whole_and_of_all_columns(parquet):
    import great_expectations.expectations as gxe

    class ExpectOwnAge(gxe.ExpectColumnValuesToBeBetween):
        column: str = "age"
        max_value: float = 89

    (case,) = cases_in_batches(parquet, [{"type": "expect_own_age", "kwargs": {}}])

    assert case.outcome is Outcome.PASSED
    assert "every column was read whole" in case.detail


def test_extreme_of_selected_rows_needs_the_whole():
    by_batch, whole = read_expectations([SUITE[7], SUITE[-1]])

    assert not needs_whole(by_batch)
    assert needs_whole(whole)
