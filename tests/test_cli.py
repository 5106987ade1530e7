import decimal
import json
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import airflow_mltest
from airflow_mltest.cli import main
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.gx_case import Rules
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.gx_validator import validate
from airflow_mltest.integrations.pandas_table import read_table
from airflow_mltest.reports.store import Store


@pytest.fixture
def keep(tmp_path):
    def keep(name, outcome, detail=""):
        case = Case(name="c", outcome=Outcome(outcome), detail=detail)
        origin = Origin(dag_id="d", run_id="r", task_id=name)
        return Store(tmp_path).keep(Suite(name=name, kind="model", cases=(case,), origin=origin))

    return keep


def test_show_prints_failures_and_ends_with_the_verdict(keep, capsys):
    code = main(["report", "show", keep("good", "passed"), keep("bad", "failed", "too slow")])

    out = capsys.readouterr().out
    assert code == 1
    assert "PASSED       good (model): 1 passed" in out
    assert "FAILED c: too slow" in out
    assert main(["report", "show", keep("good", "passed")]) == 0


def test_merge_writes_three_files_that_can_be_shown_again(keep, tmp_path, capsys):
    code = main(["report", "merge", keep("a", "passed"), keep("b", "passed"), "--out", str(tmp_path / "out")])

    assert code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.json", "report.html", "junit.xml"}
    assert main(["report", "show", str(tmp_path / "out" / "report.json")]) == 0
    assert "b (model)" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"schema": "other"})])
def test_file_that_is_no_suite_is_refused(tmp_path, capsys, content):
    (tmp_path / "x.json").write_text(content)

    assert main(["report", "show", str(tmp_path / "x.json")]) == 2
    assert "mltest: " in capsys.readouterr().err


def test_file_that_is_not_there_is_refused(capsys):
    assert main(["report", "show", "/no/such.json"]) == 2
    assert "/no/such.json" in capsys.readouterr().err


def test_missing_suite_of_a_report_stays_missing(keep, tmp_path, capsys):
    main(["report", "merge", keep("a", "passed"), "--out", str(tmp_path)])
    report = json.loads((tmp_path / "report.json").read_text()) | {"missing": ["b"]}
    (tmp_path / "report.json").write_text(json.dumps(report))

    assert main(["report", "show", str(tmp_path / "report.json")]) == 1
    assert "MISSING      b" in capsys.readouterr().out


DATA = Path(airflow_mltest.__file__).parent / "demo" / "data"


@pytest.fixture
def learned(tmp_path):
    """Learn from rows through a file; returns the suite's path."""

    def learned(rows, *arguments):
        rows.to_parquet(tmp_path / "rows.parquet")
        out = tmp_path / "suite.json"
        assert main(["learn", str(tmp_path / "rows.parquet"), "--out", str(out), *arguments]) == 0
        return out

    return learned


def failures(suite, rows):
    """Ask what was learned of other rows; returns what is not so, warnings included, by name."""
    recording = Recording("data", "data")
    validate(rows, read_expectations(str(suite)), recording, Rules(fail_on="warning"))
    return {case.name: case.detail for case in recording.cases if case.outcome is not Outcome.PASSED}


@pytest.mark.parametrize("name", ["flights.parquet", "weather.parquet", "planes.csv"])
def test_suite_of_a_half_holds_for_it_and_for_the_other_half(learned, name):
    rows = pd.read_csv(DATA / name) if name.endswith(".csv") else pd.read_parquet(DATA / name)
    # Of two halves, one has not the value that is missing once.
    rows = rows.drop(columns=[column for column in rows if 0 < rows[column].isna().sum() < 5])
    mine = np.random.default_rng(7).random(len(rows)) < 0.5
    suite = learned(rows[mine])

    assert failures(suite, rows[mine]) == {}
    assert failures(suite, rows[~mine]) == {}


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(1)
    count = 2000
    return pd.DataFrame({
        "order_id": np.arange(count) + 10_000,
        "status": rng.choice(["new", "paid", "sent"], count),
        "amount": rng.exponential(50, count),
        "items": rng.integers(1, 200, count),
        "at": pd.date_range("2026-01-01", periods=count, freq="h", tz="UTC"),
        "note": [f"note {'x' * length}" for length in rng.integers(0, 60, count)],
    })  # fmt: skip


PLANTED = [
    ("column_to_exist", lambda rows: rows.drop(columns="amount"), "to_exist(amount)"),
    ("other column", lambda rows: rows.assign(other=1), "columns_to_match_set"),
    ("null", lambda rows: rows.assign(status=rows["status"].where(rows.index != 5)), "values_to_not_be_null(status)"),
    ("category", lambda rows: rows.assign(status=rows["status"].where(rows.index != 5, "lost")),
     "values_to_be_in_set(status)"),
    ("unit", lambda rows: rows.assign(amount=rows["amount"] * 1000), "values_to_be_between(amount)"),
    ("mean", lambda rows: rows.assign(amount=rows["amount"] * 1.5), "mean_to_be_between(amount)"),
    ("sign", lambda rows: rows.assign(items=rows["items"] * -1), "values_to_be_between(items)"),
    ("key", lambda rows: rows.assign(order_id=rows["order_id"].where(rows.index != 5, 10_000)),
     "values_to_be_unique(order_id)"),
    ("type", lambda rows: rows.assign(items=rows["items"].astype(str)), "values_to_be_of_type(items)"),
    ("zone", lambda rows: rows.assign(at=rows["at"].dt.tz_localize(None)), "values_to_be_of_type(at)"),
    ("past", lambda rows: rows.assign(at=rows["at"] - pd.Timedelta(days=900)), "values_to_be_between(at)"),
    ("text", lambda rows: rows.assign(note=rows["note"] * 9), "value_lengths_to_be_between(note)"),
    ("rows", lambda rows: rows.head(500), "row_count_to_be_between"),
]  # fmt: skip


@pytest.mark.parametrize("plant, name", [one[1:] for one in PLANTED], ids=[one[0] for one in PLANTED])
def test_learned_suite_finds_what_is_wrong(learned, shop, plant, name):
    suite = learned(shop)

    assert failures(suite, shop) == {}
    assert name in failures(suite, plant(shop))


def test_every_type_of_column_is_judged_by_its_own_suite(learned):
    numbers = np.arange(60)
    days = pd.date_range("2026-01-01", periods=60)
    rows = pd.DataFrame({
        "nullable": pd.array([None, *numbers[1:]], dtype="Int64"),
        "small": (numbers % 7).astype("int8"),
        "single": (numbers / 7).astype("float32"),
        "infinite": np.where(numbers == 3, np.inf, numbers / 7),
        "flag": numbers % 2 == 0,
        "maybe": pd.Series([None, *(numbers[1:] % 2 == 0)], dtype=object),
        "constant": 1.5,
        "nothing": np.nan,
        "text": [f"text {number}" for number in numbers],
        "category": pd.Categorical(np.where(numbers % 2 == 0, "a", "b")),
        "labels": pd.Categorical([f"label {number}" for number in numbers]),
        "codes": pd.Categorical(numbers % 3),
        "naive": days, "zoned": days.tz_localize("Europe/Berlin"), "day": days.date, "span": days - days[0],
        "iso": days.strftime("%Y-%m-%d"), "uuid": [str(uuid.UUID(int=int(number))) for number in numbers],
        "price": [decimal.Decimal(int(number)) / 4 for number in numbers],
        "list": [[1, 2]] * 60, "bytes": [b"a"] * 60,
        "mail": [f"{number}@mail.example" for number in numbers],
    })  # fmt: skip
    suite = learned(rows)

    # As the operator reads them: not all categories stay such in a file.
    assert failures(suite, read_table(suite.with_name("rows.parquet")).rows) == {}
    assert "@mail" not in suite.read_text()


def test_whole_numbers_with_gaps_may_come_without_gaps(learned):
    rows = pd.DataFrame({"count": [np.nan, *range(99)]})
    suite = learned(rows)

    assert failures(suite, rows) == {}
    assert failures(suite, rows.dropna().astype("int64")) == {}
    assert failures(suite, rows.astype(str)).keys() >= {"values_to_be_in_type_list(count)"}


def test_learning_tells_each_column_in_a_line_and_refuses_to_overwrite_edits(learned, shop, capsys, tmp_path):
    suite = learned(shop, "--columns", "status,order_id", "--margin", "0.2")

    assert capsys.readouterr().out.splitlines() == [
        "all rows: rows 1000 to 4000",
        "order_id: int64, never missing, all different",
        "status: str, never missing, one of 3 values",
        str(suite),
    ]
    assert learned(shop) == suite
    document = json.loads(suite.read_text())
    assert {**document["meta"]["mltest"], "digest": ""} == {"rows": 2000, "columns": 6, "margin": 0.1, "digest": ""}
    document["expectations"].pop()
    suite.write_text(json.dumps(document))

    assert main(["learn", str(tmp_path / "rows.parquet"), "--out", str(suite)]) == 2
    assert "was edited since it was learned" in capsys.readouterr().err
    assert json.loads(suite.read_text()) == document


def test_data_of_a_folder_or_a_url_is_learned_and_data_that_is_not_there_is_refused(shop, capsys, tmp_path):
    (tmp_path / "parts").mkdir()
    shop.to_parquet(tmp_path / "parts" / "a.parquet")
    out = str(tmp_path / "suite.json")

    assert main(["learn", str(tmp_path / "parts"), "--out", out]) == 0
    assert main(["learn", (tmp_path / "parts").as_uri(), "--out", out]) == 0
    assert main(["learn", str(tmp_path / "none.csv"), "--out", out]) == 2
    assert "there is nothing at" in capsys.readouterr().err
    assert main(["learn", str(tmp_path / "parts"), "--out", out, "--columns", "stat"]) == 2
    assert "did you mean 'status'" in capsys.readouterr().err
    (tmp_path / "empty.csv").write_text("a,b\n")
    assert main(["learn", str(tmp_path / "empty.csv"), "--out", out]) == 2
    assert "has no rows" in capsys.readouterr().err


@pytest.fixture
def past(tmp_path):
    """Keep a run of each age in days, the oldest at 50 days failed."""
    for days in (50, 3, 0):
        case = Case(name="c", outcome=Outcome("failed" if days == 50 else "passed"))
        origin = Origin(dag_id="d", run_id=f"{days} days", task_id="t")
        at = datetime.now(UTC) - timedelta(days=days)
        Store(tmp_path).keep(Suite(name="t", kind="code", cases=(case,), origin=origin, started_at=at))
    return tmp_path


def test_history_tells_a_line_a_run_and_refuses_what_is_not_there(past, capsys, monkeypatch):
    assert main(["report", "history", "d", "t", "--last", "2", "--reports", str(past)]) == 0
    assert [line.split()[-2] for line in capsys.readouterr().out.splitlines()] == ["0", "3"]
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", past.as_uri())
    assert main(["report", "history", "d", "t"]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["PASSED", "PASSED", "FAILED"]

    assert main(["report", "history", "d", "tt"]) == 2
    assert "did you mean 't'" in capsys.readouterr().err
    assert main(["report", "history", "d", "t", "--last", "0"]) == 2
    assert main(["report", "history", "d", "t", "--reports", str(past / "none")]) == 2
    assert "there is no report store at" in capsys.readouterr().err
    assert not (past / "none").exists()


def test_prune_keeps_to_the_retention_of_the_deployment_unless_told_another(past, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(past))
    assert main(["report", "prune"]) == 2
    assert "retention_days" in capsys.readouterr().err

    monkeypatch.setenv("AIRFLOW__MLTEST__RETENTION_DAYS", "10")
    assert main(["report", "prune", "--dry-run"]) == 0
    assert "would remove 1 runs that are older than 10 days" in capsys.readouterr().out
    assert len(list((past / "d").iterdir())) == 3
    assert main(["report", "prune"]) == 0
    assert "50%20days: 1 files" in capsys.readouterr().out
    assert main(["report", "prune", "--older-than", "1"]) == 0
    assert [run.name for run in (past / "d").iterdir()] == ["0%20days"]


def test_index_that_is_lost_is_made_anew(past, capsys):
    shutil.rmtree(past / "=index")
    assert main(["report", "history", "d", "t", "--reports", str(past)]) == 2
    assert "mltest report reindex" in capsys.readouterr().err

    assert main(["report", "reindex", "--reports", str(past)]) == 0
    assert "3 suites in the index, 0 entries removed" in capsys.readouterr().out
    assert main(["report", "history", "d", "t", "--reports", str(past)]) == 0
