"""The notifier, as Airflow's callbacks call it; a whole deployment calls it in tests/ci/test_job.py."""

import json
import logging
import runpy
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_mltest import http_client
from airflow_mltest.core.errors import ConfigurationError, TestsFailedError
from airflow_mltest.integrations import forge as forge_module
from airflow_mltest.notifications.commit_status import CommitStatusNotifier

listening = runpy.run_path(str(Path(__file__).parents[1] / "listener.py"))["listening"]
TOKEN, SHA = "s3cret-of-the-forge", "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setattr(http_client, "_FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(forge_module, "_PATIENCE_S", 0.3)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/sub/")
    with listening() as listener:
        connection = {"conn_type": "git", "host": f"{listener.url}/team/code.git", "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_CODE", json.dumps(connection))
        yield listener


def notify(state="failure", *, git_conn_id="code", **more):
    """Call a notifier as Airflow does; the DAG `on_commit` was given the commit as a parameter."""
    exception = more.pop("exception", None)
    dag = DAG("on_commit", schedule=None)
    context = {"dag": dag, "run_id": "ci__1/2", "params": {"commit": SHA}, "exception": exception}
    keywords = {"commit": "{{ params.commit }}", "forge": "gitea", **more}
    CommitStatusNotifier(git_conn_id=git_conn_id, state=state, **keywords)(context)


def test_status_names_the_dag_the_failures_and_the_page_of_the_run(listener):
    notify(exception=TestsFailedError("unit: 2 of 9 cases have not passed: a, b; see /reports/1.json\nmore"))

    (asked,) = listener.asked
    assert asked.path == f"/api/v1/repos/team/code/statuses/{SHA}"
    assert asked.body == {
        "state": "failure",
        "context": "airflow/on_commit",
        "description": "unit: 2 of 9 cases have not passed: a, b; see /reports/1.json",
        "target_url": "https://airflow.example/sub/dags/on_commit/runs/ci__1%2F2",
    }


def test_status_of_a_success_says_so_and_words_of_ones_own_come_first(listener, monkeypatch):
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    notify("success")
    notify("pending", description="tested by {{ dag.dag_id }}", name="ml")

    assert listener.asked[0].body == {"state": "success", "context": "airflow/on_commit", "description": "success"}
    assert listener.asked[1].body == {"state": "pending", "context": "ml", "description": "tested by on_commit"}


@pytest.mark.parametrize(
    "code, words", [(401, "does not take the token"), (404, "no commit"), (502, "does not answer")]
)
def test_forge_that_refuses_is_a_warning_and_no_failure(listener, caplog, capsys, code, words):
    listener.answer(code, f"no, {TOKEN}")
    with caplog.at_level(logging.DEBUG):
        notify()

    logged = capsys.readouterr().out + caplog.text
    assert f"Commit {SHA} has no status 'failure'" in logged
    assert words in logged
    assert TOKEN not in logged


def test_connection_that_cannot_work_is_a_warning_and_no_failure(listener, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_OPEN", json.dumps({"conn_type": "git", "host": "https://github.com/a/b"}))
    monkeypatch.setenv("AIRFLOW_CONN_LOCAL", json.dumps({"conn_type": "git", "host": "/srv/x", "password": TOKEN}))
    notify(git_conn_id="open")
    notify(git_conn_id="local")

    logged = capsys.readouterr().out
    assert "connection 'open' has no password" in logged
    assert "connection 'local': this is no repository of a forge" in logged
    assert TOKEN not in logged
    assert not listener.asked


def test_state_that_no_forge_has_is_refused_as_the_dag_is_written():
    with pytest.raises(ConfigurationError, match="one of pending, success, failure, error, not 'failed'"):
        CommitStatusNotifier(git_conn_id="code", commit=SHA, state="failed")
