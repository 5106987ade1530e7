"""docker-compose.yaml as a text: what Docker takes, and what nobody else may reach."""

import json
import re
import runpy
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from airflow_mltest.core.metrics import samples_of
from airflow_mltest.core.outcome import Suite

_COMPOSE = runpy.run_path(str(Path(__file__).parent / "compose.py"))
ROOT, read = _COMPOSE["ROOT"], _COMPOSE["read"]
DOCKER = ROOT / "deploy" / "docker"
NEW_ENV = runpy.run_path(str(DOCKER / "new_env.py"))["main"]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    target = tmp_path_factory.mktemp("env") / ".env"
    NEW_ENV(target)
    return dict(line.split("=", 1) for line in target.read_text().splitlines())


@pytest.fixture(scope="module")
def file(secrets):
    return read(secrets)


@pytest.fixture(scope="module")
def services(file):
    return file["services"]


def test_file_is_as_the_compose_specification_has_it(file):
    schema = json.loads(files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text())

    jsonschema.validate(file, schema)
    with pytest.raises(jsonschema.ValidationError, match="restarts"):
        jsonschema.validate({"services": {"x": {"restarts": "always"}}}, schema)


def test_every_port_is_this_machines_own(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports), ports


def test_no_secret_is_in_the_file_and_none_has_a_default(secrets):
    text = (ROOT / "docker-compose.yaml").read_text()
    used = re.findall(r"\$\{(\w+)(:\?)?", text)

    assert {name for name, _ in used} == set(secrets)
    assert all(required for _, required in used)
    named = re.findall(r"(?m)^\s*\w*(?:PASSWORD|SECRET_KEY|JWT_SECRET|FERNET_KEY|AUTH): (.+)$", text)
    assert named
    assert all(value.startswith("${") for value in named), named


def test_worker_is_told_no_secret_but_that_of_the_queue(services, secrets):
    for name in ("worker-small", "worker-large"):
        told = json.dumps(services[name])
        assert {key for key, value in secrets.items() if value in told} == {"REDIS_PASSWORD"}, name


def test_every_image_has_a_version(services):
    for name, service in services.items():
        tag = service["image"].partition(":")[2]
        assert re.search(r"\d+\.\d+", tag), name
    assert re.search(r"(?m)^FROM apache/airflow:3\.3\.\d+-python3\.\d+$", (DOCKER / "Dockerfile").read_text())


def test_every_service_that_stays_starts_again_and_says_whether_it_is_healthy(services):
    ends = {"airflow-init", "demo"}
    for name, service in services.items():
        assert (service["restart"] == "always", "healthcheck" in service) == (name not in ends,) * 2, name


def test_every_service_that_is_waited_for_is_there_and_can_be_waited_for(services):
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            ends = how["condition"] == "service_completed_successfully"
            assert ends != ("healthcheck" in services[other]), (name, other)


def test_every_volume_that_is_mounted_is_declared_and_every_file_is_there(file, services):
    mounted = {mount.split(":")[0] for service in services.values() for mount in service.get("volumes", [])}

    assert {name for name in mounted if not name.startswith(".")} == set(file["volumes"])
    assert all((ROOT / name).exists() for name in mounted if name.startswith("."))


def test_two_workers_of_different_sizes_serve_a_queue_each(services):
    queues = {
        name: re.search(r"--queues=(\S+)", " ".join(services[name]["command"]))[1]
        for name in services
        if "worker" in name
    }

    assert len(queues) == len(set(queues.values())) == 2
    assert services["worker-small"]["cpus"] < services["worker-large"]["cpus"]
    assert "default" in queues.values()


def test_new_secrets_are_each_another_and_never_overwrite_old_ones(tmp_path, secrets):
    NEW_ENV(tmp_path / ".env")

    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    again = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert not set(again.values()) & set(secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    with pytest.raises(FileExistsError):
        NEW_ENV(tmp_path / ".env")


def test_image_copies_only_what_is_sent_to_its_build(services):
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    lines = re.findall(r"(?m)^COPY (?:--\S+ )*(.+) \S+$", (DOCKER / "Dockerfile").read_text())

    copied = {name for line in lines for name in line.split()}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    assert services["worker-small"]["build"]["dockerfile"] == "deploy/docker/Dockerfile"


def test_image_has_every_extra_that_a_worker_of_this_deployment_needs():
    import tomllib

    extras = set(
        re.search(r"\[([\w,]+)\]", (DOCKER / "Dockerfile").read_text().partition("pip install")[2])[1].split(",")
    )
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert {"pytest", "model", "data", "celery"} <= extras <= set(declared)


def test_exporter_names_what_suites_send_under_the_prefix_of_these_workers(services):
    prefix = services["worker-small"]["environment"]["AIRFLOW__METRICS__STATSD_PREFIX"]
    (mounted,) = services["statsd-exporter"]["volumes"]
    mappings = yaml.safe_load((ROOT / mounted.partition(":")[0]).read_text())["mappings"]
    sent = {f"{prefix}.{one.name}" for one in samples_of(Suite(name="s", kind="code"))}

    assert sent <= {one["match"] for one in mappings}
