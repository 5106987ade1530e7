import gzip
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations import table_files
from airflow_mltest.integrations.csv_batches import open_csv
from airflow_mltest.integrations.gx_batches import validate_batches
from airflow_mltest.integrations.gx_case import Rules
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.table_batches import KeptRows

TEXT = str(pd.Series(["x"]).dtype)
BEYOND_INT64, BEYOND_64_BITS = str(2**63 + 5), str(2**64 + 5)
TOKENS = ["1", "-2", "", "NA", "1.5", "7.0", "9007199254740993", "inf", "1e400", " 3", "007", "True", "false", "x"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(table_files, "_FEWEST_ROWS", 2)
    monkeypatch.setattr(table_files, "_BYTES_A_BATCH", 0)


def opened(path, *contents):
    paths = [path / f"{number}.csv" for number in range(len(contents))]
    for one, content in zip(paths, contents, strict=True):
        one.write_text(content, encoding="utf-8")
    return open_csv(paths, "rows")


def column(values):
    return "a,b\n" + "".join(f"{value},1\n" for value in values)


def types(parts):
    return {str(part["a"].dtype) for part in parts}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.sampled_from(TOKENS), min_size=1, max_size=4, unique=True).flatmap(
        lambda some: st.lists(st.sampled_from(some), min_size=1, max_size=9)
    )
)
def test_batches_have_the_values_and_types_of_the_whole(tmp_path, values):
    files = opened(tmp_path, column(values))

    parts = [*files.batches()]

    assert {len(part) for part in parts[:-1]} <= {2}
    assert types(parts) == {str(files.read()["a"].dtype)}
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), files.read(), check_exact=True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.sampled_from(TOKENS), min_size=2, max_size=8), cut=st.integers(1, 7))
def test_several_files_have_the_types_of_one_with_all_their_rows(tmp_path, values, cut):
    cut = min(cut, len(values) - 1)
    files = opened(tmp_path, column(values[:cut]), "b,a\n" + "".join(f"1,{value}\n" for value in values[cut:]))
    (tmp_path / "one").mkdir(exist_ok=True)
    one = opened(tmp_path / "one", column(values)).read()

    pd.testing.assert_frame_equal(files.read(), one, check_exact=True)
    assert types(files.batches(["a"])) == {str(one["a"].dtype)}


@pytest.mark.parametrize(
    "values, found",
    [([BEYOND_INT64] * 5, "uint64"), ([BEYOND_64_BITS, "1", "x"], TEXT), ([BEYOND_INT64, "1", "True"], TEXT)],
)
def test_whole_numbers_beyond_64_bits_are_what_they_are_in_the_whole(tmp_path, values, found):
    files = opened(tmp_path, column(values))

    assert types(files.batches()) == {str(files.read()["a"].dtype)} == {found}


@pytest.mark.parametrize(
    "values", [[BEYOND_INT64, BEYOND_INT64, "-1", "2"], [BEYOND_64_BITS, "1", "1.5", "2"], ["1", "1.5", BEYOND_INT64]]
)
def test_column_whose_type_hangs_on_the_order_of_its_rows_is_refused(tmp_path, values):
    with pytest.raises(ConfigurationError, match=r"column 'a' of rows holds whole numbers beyond 64 bits"):
        next(opened(tmp_path, column(values)).batches())


def test_only_the_columns_that_are_asked_for_are_read_in_their_order(tmp_path):
    files = opened(tmp_path, "a,b,c\n1,2,3\n4,5,6\n7,8,9\n")

    assert [[*part.columns] for part in files.batches(["c", "a"])] == [["c", "a"]] * 2
    assert files.read(["c", "a"]).to_dict("list") == {"c": [3, 6, 9], "a": [1, 4, 7]}


def test_files_without_rows_are_a_table_without_rows(tmp_path):
    files = opened(tmp_path, "a,b\n", "a,b\n")

    assert [*files.batches()] == []
    assert [*files.read().columns] == ["a", "b"]


def test_zipped_files_are_read_and_measured_as_others(tmp_path):
    path, plain = tmp_path / "rows.csv.gz", opened(tmp_path, column(range(9)))
    path.write_bytes(gzip.compress(column(range(9)).encode()))
    files = open_csv([path], str(path))

    assert files.bytes_in_memory == plain.bytes_in_memory == 9 * 2 * 8
    pd.testing.assert_frame_equal(pd.concat(files.batches(), ignore_index=True), plain.read())


ZIPPED = gzip.compress("".join(f"{number},{number * number % 9973}\n" for number in range(9999)).encode())


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("rows.csv", b"a,b\n1,2\n3\n", r"Row #3: Expected 2 columns, got 1$"),
        ("rows.csv", "a,b\n1,Å\n".encode("latin-1"), r"Row #2: .*invalid UTF8"),
        ("rows.csv.gz", ZIPPED[: len(ZIPPED) // 2], "EOFError"),
        ("rows.csv.gz", ZIPPED[:2000] + b"\xff" * 8 + ZIPPED[2008:], "decompressing"),
        ("rows.csv.gz", b"a,b\n1,2\n", "BadGzipFile"),
    ],
)
def test_file_that_is_not_whole_is_named_before_anything_is_asked(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=rf"{name}' cannot be read as csv: .*{said}"):
        open_csv([tmp_path / name], "rows")


def test_expectations_are_asked_in_batches_with_the_types_of_all_rows(tmp_path):
    files = opened(tmp_path, column(["12", "34", "5x", "678"]), column(["9", "9"]))
    suite = [
        {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "a", "max_value": 2}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "a"}},
    ]
    recording = Recording("data", "data")
    validate_batches(KeptRows(files=files, where=[("a", "!=", "12")]), read_expectations(suite), recording, Rules())

    assert [case.outcome for case in recording.cases] == [Outcome.FAILED, Outcome.FAILED]
    assert "1 of 5 values (20 %) are not: '678'" in recording.cases[0].detail
    assert "a was read whole" in recording.cases[1].detail


CHILD = """
import re, sys
from pathlib import Path
import pandas, pyarrow.csv
from airflow_mltest.integrations import table_files
from airflow_mltest.integrations.csv_batches import open_csv

table_files._BYTES_A_BATCH = 2**20
path = Path(sys.argv[1])
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
rows = sum(len(part) for part in open_csv([path], "rows").batches())
batches = peak()
open_csv([path], "rows").read()
print(rows, batches - before, peak() - before)
"""


def test_batches_need_a_fraction_of_the_memory_of_the_whole(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("number,text\n" + "1234567,some words of a sentence\n" * 1_500_000, encoding="utf-8")

    done = subprocess.run([sys.executable, "-c", CHILD, path], capture_output=True, text=True, check=True, timeout=60)

    rows, batches_mib, whole_mib = map(float, done.stdout.split())
    assert rows == 1_500_000
    assert batches_mib < 0.5 * whole_mib
