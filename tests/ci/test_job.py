"""`mltest ci` as CI systems call it, against a whole Airflow."""

import io
import json
import runpy
import signal
import socket
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from airflow_mltest.ci import job as job_module
from airflow_mltest.cli import main
from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.integrations.airflow_api import AirflowApi, Login, Run
from airflow_mltest.reports.document import summarise
from airflow_mltest.reports.store import Store

_CONFTEST = runpy.run_path(str(Path(__file__).parent / "conftest.py"))
PASSWORD, FORGE_TOKEN, wait_for = (_CONFTEST[name] for name in ("PASSWORD", "FORGE_TOKEN", "wait_for"))
listening = _CONFTEST["listening"]


def read(path):
    return ET.parse(path).getroot()  # noqa: S314  our own


def junit(airflow, name):
    """Give each test case of a job's junit.xml with how it ended."""
    root = read(airflow.folder / name / "junit.xml")
    return {
        case.get("name"): next((one.tag for one in case if one.tag != "properties"), "")
        for case in root.iter("testcase")
    }


def test_dag_that_passes_is_followed_to_the_end_with_a_login_that_expires_meanwhile(airflow):
    code, said = airflow.ended("passes")

    assert code == 0, said
    assert "PASSED passes: 2 passed, 1 skipped" in said
    assert "success: 2/2 tasks done" in said
    assert "junit.xml: suites: 1 from the kept reports" in said
    assert junit(airflow, "passes") == {"a": "", "b": "", "c": "skipped"}
    run = airflow.run_of("passes")
    assert run["conf"] == {"commit": "c0ffee", "color": "green"}
    assert run["dag_run_id"].startswith("ci__c0ffee__")
    assert PASSWORD not in said


def test_dag_whose_tests_fail_says_which_and_why_as_they_come(airflow):
    code, said = airflow.ended("fails")

    assert code == 1, said
    assert (
        "FAILED unit: tests/test_a.py::test_one\n    | ::error::what tests/test_a.py::test_one says\n    | second"
        in said
    )
    assert said.index("FAILED unit") < said.index("failed: 3/3 tasks done") < said.index("FAILED fails:")
    assert "FAILED fails: 2 passed, 1 failed, 1 broken" in said
    assert "junit.xml: suites: 2 from the summaries" in said
    assert junit(airflow, "fails") == {"test_one": "failure", "three": "error", "(1 passed)": ""}


def test_commit_of_a_dag_that_fails_is_told_to_its_forge(airflow):
    airflow.ended("fails")
    wait_for(lambda: len(airflow.forge.asked) == 2, "the forge has heard of the failure", 60)

    states = [one.body["state"] for one in airflow.forge.asked]
    assert states == ["pending", "failure"]
    for one in airflow.forge.asked:
        assert one.path == "/api/v1/repos/team/code/statuses/c0ffee"
        assert one.headers["authorization"] == f"token {FORGE_TOKEN}"
        assert one.body["context"] == "airflow/fails"
        assert one.body["target_url"].startswith(f"{airflow.url}/dags/fails/runs/ci__c0ffee__")
    logs = [path.read_text(errors="replace") for path in airflow.folder.glob("logs/**/*.log")]
    assert not any(FORGE_TOKEN in text for text in logs)


def test_dag_that_breaks_is_told_from_one_whose_tests_fail(airflow):
    code, said = airflow.ended("breaks")

    assert code == 2, said
    assert "BROKEN unit: (the whole run)\n    | Says 'unit': the disk is gone" in said
    assert "BROKEN breaks: the run failed, by the tasks unit" in said
    assert junit(airflow, "breaks")["(the whole run)"] == "error"


def test_failure_that_the_dag_goes_on_from_is_no_success(airflow):
    code, said = airflow.ended("hides")

    assert airflow.run_of("hides")["state"] == "success"
    assert code == 1, said


def test_dag_that_tests_nothing_has_not_passed(airflow):
    code, said = airflow.ended("says_nothing")

    assert code == 2, said
    assert "nothing was tested" in said
    assert junit(airflow, "says_nothing") == {"says_nothing": "error"}


def test_run_that_takes_too_long_goes_on_and_is_no_verdict(airflow):
    code, said = airflow.ended("timed_out")

    assert code == 3, said
    assert "NO VERDICT takes_long: not done within 9 s; the run goes on: http" in said
    assert airflow.run_of("timed_out")["state"] in {"queued", "running"}
    assert junit(airflow, "timed_out")["takes_long"] == "error"


def test_interrupt_cancels_the_run_if_that_is_wanted(airflow):
    airflow.interrupt("cancelled")
    code, said = airflow.ended("cancelled")

    assert code == 130, said
    assert "NO VERDICT takes_long: interrupted; the run was cancelled, and is marked failed" in said
    assert airflow.run_of("cancelled")["state"] == "failed"


@pytest.fixture
def watch():
    """Follow a run of which a server of the test's own tells."""
    with listening() as listener, AirflowApi(listener.url, Login(token="t")) as api:
        out = io.StringIO()
        watch = job_module._Watch(None, api, job_module.Console(out))
        run = Run(api, "on_commit", "ci__1")

        def hear(*told):
            """Hear what tasks have told: id, map index, second, and the summary, if it will be asked for."""
            entries = [
                {"task_id": task, "map_index": index, "timestamp": f"2026-01-01T00:00:{second:02}Z"}
                for task, index, second, _ in told
            ]
            listener.answer_next(200, body={"xcom_entries": entries, "total_entries": len(entries)})
            for *_, said in told:
                if said:
                    listener.answer_next(200, body={"value": said})
            watch._hear(run)
            return watch.counts(), out.getvalue()

        yield hear


def summary(outcome, **more):
    case = Case(name="a", outcome=Outcome(outcome), detail="why")
    return summarise(Suite(name="unit", kind="code", cases=(case,)), "") | more


def test_task_that_runs_again_tells_anew(watch):
    assert watch(("unit", -1, 1, summary("broken")))[0]["broken"] == 1
    assert watch()[0]["broken"] == 0
    counts, said = watch(("unit", -1, 9, summary("passed")))

    assert (counts["passed"], counts["broken"]) == (1, 0)
    assert said == "BROKEN unit: a\n    | why\n"


def test_failure_of_a_shard_is_told_and_counted_once(watch):
    shard, merged = summary("failed"), summary("failed", stands_for="tests.tests")
    assert watch(("tests.tests", 0, 1, shard))[0]["failed"] == 1
    counts, said = watch(("tests.tests", 0, 1, None), ("tests.merge", -1, 2, merged))

    assert counts["failed"] == 1
    assert said.count("FAILED unit: a") == 1


@pytest.fixture
def ci(airflow, monkeypatch, tmp_path, capsys):
    """Run the command here; gives its exit code and what it printed."""
    for name, value in {"URL": airflow.url, "USER": "ci", "PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(f"MLTEST_AIRFLOW_{name}", value)

    def ci(dag, *arguments):
        code = main(["ci", dag, "--commit", "c0ffee", "--out", str(tmp_path / "junit.xml"), *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    return ci


def test_reports_that_cannot_be_read_are_no_reason_to_fail(airflow, ci, monkeypatch):
    def unreadable(*_):
        raise PermissionError

    monkeypatch.setattr(Store, "kept", unreadable)
    _, said = ci("passes", "--reports", str(airflow.reports), "--timeout", "1")

    assert "(the report store cannot be read: PermissionError: )" in said


def test_dag_that_is_not_known_is_refused_with_the_nearest_name(ci):
    code, said = ci("pases")

    assert code == 2
    assert "shows this user no DAG 'pases'; did you mean 'passes'?" in said


def test_dag_that_is_paused_is_refused_since_it_would_never_start(ci):
    code, said = ci("paused")

    assert code == 2
    assert "DAG 'paused' is paused" in said


@pytest.mark.parametrize("login, words", [
    ({"TOKEN": "s3cret-token", "USER": ""}, "does not take the token"),
    ({"PASSWORD": "s3cret-wrong"}, "does not let user 'ci' in (401)"),
    ({"USER": ""}, "neither a token, nor a user with a password"),
])  # fmt: skip
def test_login_that_is_wrong_is_refused_without_telling_it(ci, monkeypatch, login, words):
    for name, value in login.items():
        monkeypatch.setenv(f"MLTEST_AIRFLOW_{name}", value)
    code, said = ci("passes")

    assert code == 2
    assert words in said
    assert "s3cret" not in said


def test_token_that_has_expired_and_cannot_be_renewed_is_refused(airflow, ci, monkeypatch):
    monkeypatch.setenv("MLTEST_AIRFLOW_TOKEN", airflow.expired())
    monkeypatch.delenv("MLTEST_AIRFLOW_USER")
    code, said = ci("passes")

    assert code == 2
    assert "does not take the token (Token Expired): it is wrong, or has expired" in said


def test_interrupt_leaves_the_run_alone_unless_it_is_to_be_cancelled(ci, monkeypatch):
    def interrupted(_):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(job_module.time, "sleep", interrupted)
    code, said = ci("takes_long")

    assert code == 130
    assert "interrupted; the run goes on: http" in said


def test_trigger_that_was_answered_by_nobody_finds_its_own_run(airflow, ci, monkeypatch):
    start, started = Run.start, []

    def twice(run, conf):
        start(run, conf)
        start(run, conf)
        started.append(run.run_id)

    monkeypatch.setattr(Run, "start", twice)
    code, said = ci("passes", "--timeout", "1")

    assert code == 3, said
    runs = airflow.ask("/dags/passes/dagRuns?order_by=-run_after")["dag_runs"]
    assert [run["dag_run_id"] for run in runs].count(started[0]) == 1


def test_webhook_that_pushes_a_commit_starts_a_run_for_it(airflow):
    (asset,) = airflow.ask("/assets?name_pattern=code")["assets"]
    airflow.ask("/assets/events", asset_id=asset["id"], partition_key="c0ffee", extra={"by": "a push"})

    def runs():
        return airflow.ask("/dags/on_push/dagRuns")["dag_runs"]

    wait_for(runs, "the run of the commit")
    assert [run["partition_key"] for run in runs()] == ["c0ffee"]


def test_server_that_cannot_be_reached_is_no_verdict(ci, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    began_s = time.monotonic()
    code, said = ci("passes", "--url", url, "--timeout", "2")

    assert code == 3
    assert f"Airflow at {url} does not answer" in said
    assert time.monotonic() - began_s < 10
    assert "error" in {one.tag for one in read(tmp_path / "junit.xml").iter()}


@pytest.mark.parametrize("conf", ["{", "[]", json.dumps({"commit": "other"})])
def test_conf_that_cannot_be_is_refused(ci, conf):
    code, said = ci("passes", "--conf", conf)

    assert code == 2
    assert "--conf is" in said
