import gzip
import hashlib

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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


@pytest.mark.parametrize(
    "content, said",
    [
        (b"month,carrier\n1,UA\n2\n", r"Row #3: Expected 2 columns, got 1$"),
        (b"month,carrier\n1,UA,9\n", r"Row #2: Expected 2 columns, got 3$"),
        ("month,carrier\n1,Å\n".encode("latin-1"), "invalid UTF8"),
        ("month,carrier\n1,UA\n".encode("utf-16"), "rows.csv"),
        (b"month,month\n1,2\n", "more than one column 'month'"),
        (b"", "Empty CSV file"),
        (b"month,carrier\n", "no rows"),
    ],
)
def test_csv_that_pandas_would_mend_or_misread_is_refused(tmp_path, content, said):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=said):
        read_table(path)


def test_csv_with_quoted_line_ends_and_mixed_types_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'note,value\n"two\nlines",1\n,x\n' + b"a,2\n" * 5)

    assert read_table(path).rows["value"].tolist() == ["1", "x", *"22222"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_parquet_that_breaks_off_is_named(parquet, share):
    content = parquet.read_bytes()
    parquet.write_bytes(content[: int(share * len(content))])

    with pytest.raises(ConfigurationError, match=r"rows\.parquet.* cannot be read as parquet"):
        read_table(parquet)


def test_parquet_that_names_a_column_twice_is_refused(tmp_path):
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)

    with pytest.raises(ConfigurationError, match="more than one column 'a'"):
        read_table(path)


@pytest.fixture
def months(tmp_path):
    """Three files, each in a folder that says which month it is."""
    for month in (3, 1, 2):
        folder = tmp_path / "sales" / f"month={month}"
        folder.mkdir(parents=True)
        pd.DataFrame({"day": [month * 10, month * 10 + 1]}).to_parquet(folder / "part.parquet")
    return tmp_path / "sales"


@pytest.mark.parametrize(
    "named", ["*/*.parquet", "month=*/part.parquet", "", ["month=1", "month=2/part.parquet", "month=3"]]
)
def test_many_files_are_one_table_and_partitions_are_columns(months, named):
    paths = [months / one for one in named] if isinstance(named, list) else months / named

    table = read_table(paths)

    assert table.rows.sort_values("day").to_dict("list") == {
        "day": [10, 11, 20, 21, 30, 31],
        "month": [1, 1, 2, 2, 3, 3],
    }
    assert table.digest.startswith("sha256:")


def test_digest_of_many_files_changes_with_one_of_them(months):
    before = read_table(months).digest
    pd.DataFrame({"day": [1]}).to_parquet(months / "month=2" / "part.parquet")

    assert read_table(months).digest != before


def test_object_storage_is_read_by_pattern(months):
    from upath import UPath

    for path in months.rglob("*.parquet"):
        UPath(f"memory://sales/{path.parent.name}/part.parquet").write_bytes(path.read_bytes())

    assert len(read_table(UPath("memory://sales/*/*.parquet")).rows) == 6


def test_csv_files_are_one_table(tmp_path):
    for name in "ab":
        ROWS.to_csv(tmp_path / f"{name}.csv", index=False)

    assert len(read_table(tmp_path / "*.csv").rows) == 6


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_file_with_other_columns_than_the_first_is_named(tmp_path, kind):
    for name, rows in {"a": ROWS, "b": ROWS.rename(columns={"month": "moon"})}.items():
        getattr(rows, f"to_{kind}")(tmp_path / f"{name}.{kind}", index=False)

    with pytest.raises(ConfigurationError, match=rf"b\.{kind} has other columns than .*a\.{kind}: month, moon"):
        read_table([tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"])


def test_files_of_two_kinds_are_refused(tmp_path, parquet):
    ROWS.to_csv(tmp_path / "rows.csv")

    with pytest.raises(ConfigurationError, match="csv and parquet"):
        read_table(tmp_path / "rows.*")


def test_pattern_that_matches_nothing_may_match_at_the_next_try(tmp_path):
    with pytest.raises(BrokenRunError, match=r"nothing at .*\*\.parquet"):
        read_table(tmp_path / "*.parquet")


def test_no_file_at_all_is_refused():
    with pytest.raises(ConfigurationError, match="empty list"):
        read_table([])


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
