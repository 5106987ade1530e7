import gzip
import hashlib

import pandas as pd
import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.pandas_table import read_table

ROWS = pd.DataFrame({"month": [1, 2, 3], "carrier": ["UA", "B6", "UA"]})


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    ROWS.to_parquet(path)
    return path


def test_parquet_comes_with_its_name_and_the_digest_of_its_bytes(parquet):
    table = read_table(parquet)

    pd.testing.assert_frame_equal(table.rows, ROWS)
    assert table.name == str(parquet)
    assert table.digest == f"sha256:{hashlib.sha256(parquet.read_bytes()).hexdigest()}"


def test_csv_is_read_plain_and_zipped(tmp_path):
    plain, zipped = tmp_path / "rows.csv", tmp_path / "rows.csv.gz"
    ROWS.to_csv(plain, index=False)
    zipped.write_bytes(gzip.compress(plain.read_bytes()))

    pd.testing.assert_frame_equal(read_table(plain).rows, ROWS)
    pd.testing.assert_frame_equal(read_table(zipped).rows, ROWS)


def test_factory_is_called_and_named():
    def this_month():
        return ROWS

    table = read_table(this_month)

    assert table.rows is not None
    assert table.name.endswith("this_month")
    assert table.digest == ""


@pytest.mark.parametrize(
    "where, months",
    [
        ([("month", "<=", 2)], [1, 2]),
        ([("month", ">", 1), ("carrier", "==", "UA")], [3]),
        ([("carrier", "in", ["B6"])], [2]),
        ([("carrier", "not in", ["B6"])], [1, 3]),
        ([["month", "!=", 2]], [1, 3]),
    ],
)
def test_conditions_all_hold_for_the_rows_that_are_kept(parquet, where, months):
    assert read_table(parquet, where=where).rows["month"].tolist() == months


@pytest.mark.parametrize("where", [[("moon", "==", 1)], [("month", "~", 1)], [("month", "==")], ["month == 1"]])
def test_condition_that_cannot_be_applied_is_named(parquet, where):
    with pytest.raises(ConfigurationError, match="`where` condition"):
        read_table(parquet, where=where)


def test_no_row_is_an_error_that_says_why(parquet):
    with pytest.raises(ConfigurationError, match="no rows where month > 12"):
        read_table(parquet, where=[("month", ">", 12)])


def test_nothing_at_the_path_may_be_there_at_the_next_try(tmp_path):
    with pytest.raises(BrokenRunError, match=r"nothing at .*gone\.parquet"):
        read_table(tmp_path / "gone.parquet")


def test_unknown_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\.parquet or \.csv"):
        read_table(tmp_path / "rows.xlsx")


@pytest.mark.parametrize(
    "name, content", [("torn.parquet", b"PAR1 and no more"), ("empty.csv", b""), ("bad.csv", b"a,b\n1,2,3\n4\n\xff")]
)
def test_file_that_cannot_be_read_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=name):
        read_table(tmp_path / name)


def test_column_named_twice_is_refused():
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])

    with pytest.raises(ConfigurationError, match="more than one column 'a'"):
        read_table(lambda: twice)


def test_factory_that_raises_is_named_with_its_error():
    def broken():
        msg = "warehouse is down"
        raise OSError(msg)

    with pytest.raises(BrokenRunError, match=r"broken.* raised OSError: warehouse is down"):
        read_table(broken)


def test_factory_that_gives_something_else_is_refused():
    with pytest.raises(ConfigurationError, match="returned list"):
        read_table(lambda: [1, 2])
