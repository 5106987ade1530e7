"""One real MLflow server for what happens between it and those who move aliases."""

import itertools
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.integrations.mlflow_access import MlflowAccess
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry

TESTS = Path(__file__).parents[1]
_SERVER = runpy.run_path(str(TESTS / "mlflow_server.py"))
_PROXY = runpy.run_path(str(TESTS / "fault_proxy.py"))
numbers = itertools.count()


@pytest.fixture(scope="session")
def kit():
    return SimpleNamespace(**runpy.run_path(str(TESTS / "releases.py")))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with _SERVER["serving"](tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def registry_at(server):
    """Give the registry as whoever asks at an address sees it."""

    def registry_at(uri, **access):
        return MlflowRegistry(uri, MlflowAccess(username=server.user, password=server.password, **access))

    return registry_at


@pytest.fixture
def registry(server, registry_at):
    return registry_at(server.uri)


@pytest.fixture
def proxy(server):
    with _PROXY["FaultProxy"](server.port) as proxy:
        yield proxy


@pytest.fixture
def model(server):
    """A model of the test's own, with three versions."""
    name = f"own-{next(numbers)}"
    for number in range(1, 4):
        server.register(name, MLmodel=f"artifacts: {number}")
    return name
