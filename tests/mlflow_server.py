"""A real MLflow server for the tests of a registry: basic auth, SQLite, artifacts on disk."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

USER, PASSWORD = "admin", "s3cret-of-the-admin"
_AUTH = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {user}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """
    A server that runs.

    Args:
        port: Where it listens, on 127.0.0.1.
        folder: Its database and its artifacts.
    """

    port: int
    folder: Path
    user: str = USER
    password: str = PASSWORD

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self):
        """Give MLflow's own client, for what the tests prepare; to be used inside of `allowed`."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @contextmanager
    def allowed(self):
        """Let MLflow's own functions in, as long as the body runs."""
        from airflow_mltest.integrations.mlflow_model import environment

        with environment({"MLFLOW_TRACKING_USERNAME": self.user, "MLFLOW_TRACKING_PASSWORD": self.password}):
            yield

    def register(self, model, **files):
        """Make a version of *model* with *files* (text by name) as its artifacts; gives its number."""
        source = self.folder / "to-register" / secrets.token_hex(4)
        source.mkdir(parents=True)
        for name, text in files.items():
            (source / name).write_text(text)
        with self.allowed():
            client = self.client()
            logged = client.create_logged_model("0", name="model")
            client.log_model_artifacts(logged.model_id, str(source))
            client.finalize_logged_model(logged.model_id, "READY")
            if not client.search_registered_models(f"name = '{model}'"):
                client.create_registered_model(model)
            version = client.create_model_version(
                model, f"models:/{logged.model_id}", model_id=logged.model_id, await_creation_for=0
            )
        return str(version.version)

    def add_user(self, user, password):
        """Let somebody in who may read, and no more."""
        requests.post(
            f"{self.uri}/api/2.0/mlflow/users/create",
            json={"username": user, "password": password},
            auth=(self.user, self.password),
            timeout=30,
        ).raise_for_status()


@contextmanager
def serving(folder, *, workers=1):
    """Start a server over *folder*, and stop it with all its children at the end."""
    port, log = _free_port(), folder / "server.log"
    (folder / "auth.ini").write_text(_AUTH.format(folder=folder, user=USER))
    env = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")} | {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True, cwd=folder)
    try:
        _wait_for(port, process, log)
        yield Server(port=port, folder=folder)
    finally:
        _stop(process)


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _wait_for(port, process, log, seconds=120.0):
    deadline_s = time.monotonic() + seconds
    while True:
        try:
            requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
        except requests.RequestException:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.1)
        else:
            return


def _stop(process):
    try:
        group = [process, *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        group = [process]
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        _, group = psutil.wait_procs([one for one in group if isinstance(one, psutil.Process)], timeout=10)
    process.wait(timeout=10)
