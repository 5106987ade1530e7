"""The two commands that a newcomer types, as processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run the demo once; returns its home, its exit code and what it printed."""
    home = tmp_path_factory.mktemp("demo") / "home"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "MLFLOW"))}
    environment["MLTEST_DEMO_HOME"] = str(home)
    done = subprocess.run(
        [sys.executable, "-m", "airflow_mltest.demo"], env=environment, capture_output=True, text=True, check=False
    )
    return home, done, environment


def test_demo_shows_a_release_and_a_refusal_on_one_screen(demo):
    home, done, _ = demo

    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("What happened")[2]
    assert len(summary.splitlines()) <= 40
    assert "version 1 was promoted to champion" in summary
    assert "version 2 was REFUSED" in summary
    assert "because suite model_tests: failed" in summary
    assert "late-flights@champion is version 1" in summary
    reports = [Path(path) for path in re.findall(r"report +(\S+)", summary)]
    assert [path.name for path in reports] == ["report-1.html", "report-2.html"]
    assert "Everything passed" in reports[0].read_text(encoding="utf-8")
    assert "Tests failed" in reports[1].read_text(encoding="utf-8")
    assert not list(Path.cwd().glob("mlruns"))
    assert (home / "airflow.db").exists()


def test_ui_shows_the_runs_their_logs_and_their_report_to_who_has_logged_in(demo):
    home, _, environment = demo
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "airflow_mltest.demo", "ui"],
        env={**environment, "AIRFLOW__API__PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/api/v2/monitor/health")
        password = json.loads((home / "passwords.json").read_text())["admin"]
        login = json.dumps({"username": "admin", "password": password}).encode()
        token = json.loads(fetch(f"{base}/auth/token", login))["access_token"]
        runs = json.loads(fetch(f"{base}/api/v2/dags/model_release/dagRuns?order_by=run_after", token=token))[
            "dag_runs"
        ]
        run_id = urllib.parse.quote(runs[0]["dag_run_id"], safe="")
        page = f"{base}/mltest/run?dag_id=model_release&run_id={run_id}"

        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(page)
        assert [run["state"] for run in runs] == ["success", "failed"]
        assert "Everything passed" in fetch(page, token=token)
        log = f"{base}/api/v2/dags/model_release/dagRuns/{run_id}/taskInstances/model_tests/logs/1"
        assert "PASSED roc_auc" in fetch(log, token=token)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


def fetch(url, data=None, token=""):
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:  # noqa: S310
        return answer.read().decode()


def wait_for(url, seconds=90.0):
    deadline_s = time.monotonic() + seconds
    while True:
        try:
            return fetch(url)
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < deadline_s, "the UI did not start"
            time.sleep(0.3)
