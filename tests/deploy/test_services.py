"""docker-compose.yaml, run: every service's command, environment and health check, as processes of this machine."""

import json
import re
import runpy
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

_COMPOSE = runpy.run_path(str(Path(__file__).parent / "compose.py"))
ROOT, read, deployed = _COMPOSE["ROOT"], _COMPOSE["read"], _COMPOSE["deployed"]
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker-small", "worker-large")
SERVICES = ("postgres", "redis", "mlflow", "airflow-init", *AIRFLOW)
# What no process of this machine is: the exporter has no Python package, and `demo` is run by its test.
ELSEWHERE = {"statsd-exporter", "demo"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    target = tmp_path_factory.mktemp("env") / ".env"
    runpy.run_path(str(ROOT / "deploy" / "docker" / "new_env.py"))["main"](target)
    return dict(line.split("=", 1) for line in target.read_text().splitlines())


@pytest.fixture(scope="module")
def deployment(secrets, tmp_path_factory):
    """Start it in the order that the file gives: each service when those that it depends on are healthy."""
    with deployed(read(secrets), tmp_path_factory.mktemp("compose"), *SERVICES) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def ask(deployment, secrets):
    """Ask Airflow's REST API as the user of the file."""
    login = {"username": "admin", "password": secrets["ADMIN_PASSWORD"]}
    answer = requests.post(f"{deployment.url}/auth/token", json=login, timeout=30)
    head = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def ask(path):
        return requests.get(f"{deployment.url}{path}", headers=head, timeout=60)

    return ask


@pytest.fixture
def doctor(deployment, secrets):
    """Run the doctor on a worker; gives what it said, by outcome."""

    def doctor(**more):
        login = {"MLTEST_AIRFLOW_USER": "admin", "MLTEST_AIRFLOW_PASSWORD": secrets["ADMIN_PASSWORD"]}
        done = deployment.run("worker-small", ["mltest", "doctor"], **login, **more)
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        found = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
        return {outcome: [text for other, text in found if other == outcome] for outcome, _ in found}

    return doctor


def test_every_service_of_the_file_starts_and_is_healthy(deployment):
    assert set(deployment.file["services"]) == {*SERVICES, *ELSEWHERE}
    for name in AIRFLOW:
        assert deployment.is_ready(name), deployment.log(name)
        assert "Traceback" not in deployment.log(name), deployment.log(name)


def test_airflow_lets_in_who_has_the_password_and_nobody_else(deployment, ask):
    wrong = {"username": "admin", "password": "admin"}

    assert requests.post(f"{deployment.url}/auth/token", json=wrong, timeout=30).status_code == 401
    assert requests.get(f"{deployment.url}/auth/token", timeout=30).status_code == 403
    assert requests.get(f"{deployment.url}/api/v2/dags", timeout=30).status_code == 401
    assert ask("/api/v2/dags").ok


def test_queue_lets_in_who_has_the_password_and_nobody_else(deployment, secrets):
    import redis

    port = deployment.ports["6379"]
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=port).ping()
    assert redis.Redis(port=port, password=secrets["REDIS_PASSWORD"]).ping()


def test_databases_let_in_who_has_the_password_each_of_its_own(deployment, secrets):
    import psycopg2

    where = {"host": "127.0.0.1", "port": deployment.ports["5432"]}
    for user, password in (("airflow", "airflow"), ("airflow", secrets["MLFLOW_DB_PASSWORD"]), ("mlflow", "")):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(**where, user=user, password=password, dbname="airflow")
    psycopg2.connect(**where, user="mlflow", password=secrets["MLFLOW_DB_PASSWORD"], dbname="mlflow").close()


def test_mlflow_answers_by_the_name_that_the_connection_has_and_keeps_what_it_is_told(deployment, secrets):
    import psycopg2

    url = f"http://127.0.0.1:{deployment.ports['5000']}/api/2.0/mlflow/experiments/create"
    known = {"Host": f"127.0.0.1:{deployment.ports['5000']}"}

    assert requests.post(url, json={"name": "x"}, headers={"Host": "evil.example"}, timeout=30).status_code == 403
    assert requests.post(url, json={"name": "x"}, headers=known, timeout=30).ok
    with (
        psycopg2.connect(
            host="127.0.0.1", port=deployment.ports["5432"], user="mlflow", password=secrets["MLFLOW_DB_PASSWORD"]
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select 1 from experiments where name = 'x'")
        assert cursor.fetchone()
    hosts = re.search(r"--allowed-hosts=(\S+)", " ".join(deployment.file["services"]["mlflow"]["command"]))[1]
    environment = deployment.file["services"]["worker-small"]["environment"]
    assert json.loads(environment["AIRFLOW_CONN_MLFLOW_DEFAULT"])["host"].removeprefix("http://") in hosts.split(",")


def test_doctor_finds_the_one_connection_that_nobody_has_defined(doctor):
    said = doctor()

    assert [line.split(":")[0] for line in said.pop("FAILED")] == ["connection code"]
    assert set(said) == {"PASSED"}
    assert any(line.startswith("queue default: served by small@") for line in said["PASSED"])
    assert "report root read: the API server shows what was written here" in said["PASSED"]


def test_doctor_finds_a_queue_that_no_worker_serves_and_a_report_root_that_is_not_shared(doctor, tmp_path):
    wrong = {"AIRFLOW__OPERATORS__DEFAULT_QUEUE": "gpu_large", "AIRFLOW__MLTEST__REPORT_ROOT": str(tmp_path)}
    said = "\n".join(doctor(**wrong)["FAILED"])

    assert "queue gpu_large: no worker serves it, so " in said
    assert "airflow celery worker --queues gpu_large" in said
    assert f"report root read: the API server cannot read what was written here below '{tmp_path}'" in said


def test_one_command_releases_the_demo(deployment, ask):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exporter:
        exporter.bind(("127.0.0.1", deployment.ports["9125"]))
        exporter.settimeout(120)
        done = deployment.run("demo", deployment.file["services"]["demo"]["command"])
        assert done.returncode == 0, done.stdout + done.stderr
        lines = iter(lambda: exporter.recv(65536).decode(), None)
        cases = next(line for line in lines if line.startswith("airflow.mltest.cases,"))
    assert "suite=unit_tests" in cases

    (run,) = ask("/api/v2/dags/model_release/dagRuns").json()["dag_runs"]
    page = f"/mltest/run?dag_id=model_release&run_id={quote(run['dag_run_id'])}"
    deadline_s = time.monotonic() + 60
    while "unit_tests" not in (shown := ask(page)).text:
        assert time.monotonic() < deadline_s, (shown.status_code, shown.text, deployment.log("api-server")[-3000:])
        time.sleep(1)
    task = ask(f"/api/v2/dags/model_release/dagRuns/{quote(run['dag_run_id'])}/taskInstances/unit_tests").json()
    log = ask(f"/api/v2/dags/model_release/dagRuns/{quote(run['dag_run_id'])}/taskInstances/unit_tests/logs/1").text
    assert task["queue"] == "default"
    assert re.search(r"\[\d+/\d+\] PASSED tests/unit/", log), log[:2000]
