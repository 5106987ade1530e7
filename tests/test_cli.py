import json

import pytest

from airflow_mltest.cli import main
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
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
