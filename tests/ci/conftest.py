import json
import os
import runpy
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from airflow_mltest.processes import KeptProcess
from airflow_mltest.testing.airflow_database import airflow_database

listening = runpy.run_path(str(Path(__file__).parents[1] / "listener.py"))["listening"]
PASSWORD, FORGE_TOKEN = "s3cret-of-the-user", "s3cret-of-the-forge"
# Shorter than any run here takes: each job has to renew its own.
TOKEN_S = 12


class Airflow:
    """
    An Airflow on SQLite that runs tasks on this machine.

    Args:
        folder: Its home.
        forge: Where the forge of the DAGs' commits listens.
    """

    def __init__(self, folder, forge):
        self.folder, self.forge = folder, forge
        with socket.socket() as api, socket.socket() as logs:
            api.bind(("127.0.0.1", 0))
            logs.bind(("127.0.0.1", 0))
            port, logs_port = api.getsockname()[1], logs.getsockname()[1]
        self.url, self.reports = f"http://127.0.0.1:{port}", folder / "reports"
        with airflow_database(folder / "made", home=folder):
            pass
        passwords = folder / "passwords.json"
        passwords.write_text(json.dumps({"ci": PASSWORD}))
        connection = {"conn_type": "git", "host": f"{forge.url}/team/code.git", "password": FORGE_TOKEN}
        settings = {
            "core__executor": "LocalExecutor",
            "core__parallelism": 8,
            "core__dags_folder": Path(__file__).parent / "dags",
            "core__load_examples": False,
            "core__dags_are_paused_at_creation": False,
            "core__execution_api_server_url": f"{self.url}/execution/",
            "core__simple_auth_manager_users": "ci:op",
            "core__simple_auth_manager_passwords_file": passwords,
            "api__host": "127.0.0.1",
            "api__port": port,
            "api__base_url": self.url,
            "api__workers": 1,
            "api__secret_key": secrets.token_hex(16),
            "api_auth__jwt_secret": secrets.token_hex(32),
            "api_auth__jwt_expiration_time": TOKEN_S,
            "api_auth__jwt_leeway": 0,
            "database__sql_alchemy_conn": f"sqlite:///{folder}/made/airflow.db",
            "database__load_default_connections": False,
            "scheduler__scheduler_idle_sleep_time": 0.2,
            "scheduler__enable_health_check": False,
            "dag_processor__parsing_processes": 1,
            "logging__base_log_folder": folder / "logs",
            "logging__worker_log_server_port": logs_port,
            "usage_data_collection__enabled": False,
            "mltest__report_root": self.reports,
        }
        outside = {n: value for n, value in os.environ.items() if not n.startswith(("AIRFLOW", "PYTEST", "MLTEST"))}
        self._env = {
            **outside,
            **{f"AIRFLOW__{name.upper()}": str(value) for name, value in settings.items()},
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW_CONN_FORGE": json.dumps(connection),
        }
        self._outside, self._processes, self.jobs = outside, [], {}

    def start(self):
        for name in ("api-server", "scheduler", "dag-processor"):
            with (self.folder / f"{name}.log").open("wb") as output:
                argv = [sys.executable, "-m", "airflow", name]
                self._processes.append(KeptProcess(argv, cwd=str(self.folder), env=self._env, output=output))
        wait_for(self.has_dags, "Airflow has the DAGs")
        # The first request of a task takes seconds, in which the server answers no other.
        requests.get(f"{self.url}/execution/health", timeout=60)

    def start_jobs(self):
        """Start a job for each end that one may come to; what they wait for, they wait for together."""
        self.old_token, self._old_at_s = self.token(), time.monotonic()
        self.job("passes", "passes", "--conf", '{"color": "green"}', "--reports", str(self.reports))
        for name in ("fails", "breaks", "hides", "says_nothing"):
            self.job(name, name)
        self.job("cancelled", "takes_long", "--cancel-on-interrupt")
        self.job("timed_out", "takes_long", "--timeout", "9")

    def stop(self):
        for job in self.jobs.values():
            job.kill()
        for process in self._processes:
            process.stop()
        for process in self._processes:
            process.close()

    def has_dags(self):
        try:
            return len(self.ask("/dags")["dags"]) == 8
        except (requests.RequestException, KeyError):
            return False

    def token(self):
        login = {"username": "ci", "password": PASSWORD}
        return requests.post(f"{self.url}/auth/token", json=login, timeout=30).json()["access_token"]

    def ask(self, path, **body):
        """Ask Airflow's API: POST with a body, GET without."""
        head = {"Authorization": f"Bearer {self.token()}"}
        method = "POST" if body else "GET"
        return requests.request(method, f"{self.url}/api/v2{path}", json=body or None, headers=head, timeout=30).json()

    def expired(self):
        """Give a token that has expired."""
        wait_for(lambda: time.monotonic() > self._old_at_s + TOKEN_S + 1, "the token expires")
        return self.old_token

    def job(self, name, *arguments):
        """Start `mltest ci` as a process of its own, in a folder of its own, and wait until it has started its run."""
        folder = self.folder / name
        folder.mkdir()
        login = {"MLTEST_AIRFLOW_USER": "ci", "MLTEST_AIRFLOW_PASSWORD": PASSWORD}
        env = {**self._outside, "MLTEST_AIRFLOW_URL": self.url, **login}
        command = [sys.executable, "-c", "import sys; from airflow_mltest.cli import main; sys.exit(main())"]
        argv = [*command, "ci", *arguments, "--commit", "c0ffee"]
        with (folder / "out").open("wb") as output:
            self.jobs[name] = subprocess.Popen(argv, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
        # One after the other: SQLite has one writer at a time, and others give up.
        wait_for(lambda: self.said(name), f"{name} has started its run")

    def said(self, name):
        return (self.folder / name / "out").read_text()

    def ended(self, name):
        """Wait for a job; give its exit code, and what it has printed."""
        return self.jobs[name].wait(timeout=120), self.said(name)

    def interrupt(self, name):
        """Send a job Ctrl-C, once its run has gone on to the second task."""
        wait_for(lambda: "running: 1/2 tasks done" in self.said(name), f"{name} follows its run")
        self.jobs[name].send_signal(signal.SIGINT)

    def run_of(self, name):
        """Ask for the run that a job has started."""
        dag_id, run_id = self.said(name).partition("/dags/")[2].split()[0].split("/runs/")
        return self.ask(f"/dags/{dag_id}/dagRuns/{run_id}")


def wait_for(holds, what, seconds=120.0):
    deadline_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline_s, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Give an Airflow in which all jobs have been started at once: it is waited for once."""
    with listening() as forge:
        stack = Airflow(tmp_path_factory.mktemp("airflow"), forge)
        try:
            stack.start()
            stack.start_jobs()
            yield stack
        finally:
            stack.stop()
