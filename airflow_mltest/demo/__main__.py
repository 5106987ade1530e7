"""Run the demo: two candidates go through the release DAG, one is promoted and one refused."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from airflow_mltest.demo.steps import follow
from airflow_mltest.demo.summary import summarise

MODEL = "late-flights"
ACTS = (
    ("true", "A candidate that learned from nine months of flights"),
    ("shuffled", "A candidate that learned from shuffled labels: it must not get through"),
)


def main(arguments: list[str]) -> int:
    """Run both acts, or with `ui` show what they left behind."""
    home = Path(os.environ.get("MLTEST_DEMO_HOME", ".demo")).resolve()
    environment = {**os.environ, **_environment(home)}
    home.mkdir(parents=True, exist_ok=True)
    if arguments == ["ui"]:
        _show(home, environment)
    if arguments:
        print("usage: python -m airflow_mltest.demo [ui]", file=sys.stderr)
        return 2
    _migrate(home, environment)
    runs = []
    for number, (labels, title) in enumerate(ACTS, start=1):
        print(f"\n{number}. {title}\n", flush=True)
        conf = json.dumps({"labels": labels, "work": str(home / "work")})
        runs.append(follow(_airflow("dags", "test", "model_release", "--conf", conf), environment, home / "logs"))
    return summarise(home, MODEL, [(title, run) for (_, title), run in zip(ACTS, runs, strict=True)])


def _environment(home: Path) -> dict[str, str]:
    """Point Airflow and MLflow at what is embedded: two SQLite files and folders below *home*."""
    dags = Path(__file__).parent / "dags"
    if not dags.is_dir():
        dags = Path(__file__).parents[2] / "dags"
    connection = {"conn_type": "mlflow", "host": f"sqlite:///{home}/mlflow.db"}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__LOGGING__JSON_LOGS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__MLTEST__REPORT_ROOT": str(home / "reports"),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(connection),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # The interpreter's own folder first: steps of the DAG call `python`.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _migrate(home: Path, environment: dict[str, str]) -> None:
    if (home / "airflow.db").exists():
        return
    print(f"Preparing Airflow's database in {home} ...", flush=True)
    done = subprocess.run(_airflow("db", "migrate"), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
        sys.exit(done.returncode)


def _show(home: Path, environment: dict[str, str]) -> NoReturn:
    """Serve Airflow's UI over the demo's home, to look at its runs; it starts no new ones."""
    if not (home / "airflow.db").exists():
        sys.exit("There is no run to look at yet: `make demo` makes one.")
    passwords = home / "passwords.json"
    if not passwords.exists():
        passwords.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}), encoding="utf-8")
        passwords.chmod(0o600)
    password = json.loads(passwords.read_text(encoding="utf-8"))["admin"]
    port = environment.get("AIRFLOW__API__PORT", "8080")
    print(f"Airflow's UI:  http://127.0.0.1:{port}/dags/model_release   user admin, password {password}")
    print("Open a run and its tab `ML tests`. Ctrl-C stops it.", flush=True)
    environment = {**environment, "AIRFLOW__LOGGING__JSON_LOGS": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    os.execve(sys.executable, _airflow("api-server", "--workers", "1"), environment)  # noqa: S606  it becomes the server


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
