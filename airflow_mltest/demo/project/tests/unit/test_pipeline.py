import json
from pathlib import Path

import pandas as pd
import pytest
from late_flights.pipeline import main


@pytest.fixture
def data(tmp_path, flights, weather, planes) -> Path:
    october = flights.assign(month=10, time_hour=flights["time_hour"] + pd.Timedelta(days=30))
    pd.concat([flights, october]).to_parquet(tmp_path / "flights.parquet")
    weather.to_parquet(tmp_path / "weather.parquet")
    planes.to_csv(tmp_path / "planes.csv", index=False)
    return tmp_path


def test_the_last_line_of_features_is_its_result(data, tmp_path, capsys):
    assert main(["features", "--data", str(data), "--out", str(tmp_path / "new" / "out")]) == 0

    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["rows_train"], result["rows_test"], result["cancelled"]) == (2, 2, 2)
    assert len(pd.read_parquet(result["train"])) == 2
    assert len(pd.read_parquet(result["test"])) == 2


def test_missing_data_ends_with_a_sentence_and_no_result(tmp_path, capsys):
    assert main(["features", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1

    said = capsys.readouterr()
    assert "cannot find what to read" in said.err
    assert "flights.parquet" in said.err
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_data_of_another_shape_ends_with_a_sentence(data, tmp_path, capsys):
    (data / "planes.csv").write_text("tailnum,seats\nN1,182\n")

    assert main(["features", "--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "planes lacks the columns ['year']" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv, complaint",
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["features", "--data", "."], "--out"),
        (["train", "--features", ".", "--model", "m", "--labels", "wrong"], "invalid choice: 'wrong'"),
        (["train", "--features", ".", "--model", "m", "--months", "0"], "'0' is not a count of months"),
    ],
    ids=["nothing", "unknown", "incomplete", "labels", "months"],
)
def test_wrong_usage_is_explained(argv, complaint, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)

    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err
