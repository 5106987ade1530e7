import runpy
from pathlib import Path

import pytest
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from airflow_mltest.integrations import mlflow_versions
from airflow_mltest.integrations.mlflow_access import MlflowAccess
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
from airflow_mltest.integrations.mlflow_versions import made_last, made_since


@pytest.fixture(scope="module")
def registries(tmp_path_factory):
    """Give one registry twice, through its server and its database; it has seven versions of three models."""
    helper = runpy.run_path(str(Path(__file__).parents[1] / "mlflow_server.py"))
    with helper["serving"](tmp_path_factory.mktemp("server")) as server:
        store = SqlAlchemyStore(f"sqlite:///{server.folder}/mlflow.db")
        for model in ("late-a", "late-b", "other"):
            store.create_registered_model(model)
        for number, model in enumerate(("late-a", "late-b", "other", "late-a", "late-a", "other", "late-b")):
            store.create_model_version(model, f"/{number}", tags=[])
        access = MlflowAccess(username=server.user, password=server.password)
        yield MlflowRegistry(server.uri, access), MlflowRegistry(f"sqlite:///{server.folder}/mlflow.db")


@pytest.fixture(params=["server", "database"])
def registry(request, registries, monkeypatch):
    monkeypatch.setattr(mlflow_versions, "_PAGE", 2)
    return registries[request.param == "database"]


def test_pages_have_every_version_once_the_last_one_first(registry):
    made, token = made_last(registry)
    pages = 1
    while token:
        page, token = made_last(registry, token)
        made, pages = made + page, pages + 1

    assert pages == 4
    assert len({one.uri for one in made}) == len(made) == 7
    assert [one.made_ms for one in made] == sorted((one.made_ms for one in made), reverse=True)
    assert {(one.uri, one.source) for one in made} >= {("models:/late-a/3", "/4"), ("models:/late-b/2", "/6")}


def test_server_and_database_say_the_same(registries):
    assert made_last(registries[0]) == made_last(registries[1])


def test_what_was_made_since_a_time_comes_oldest_first_by_name_or_pattern(registry):
    everything = made_since(registry, "*", 0)
    since_ms = everything[3].made_ms

    assert len(everything) == 7
    assert made_since(registry, "*", since_ms) == [one for one in everything if one.made_ms >= since_ms]
    assert [one.uri for one in made_since(registry, "late-a", 0)] == [f"models:/late-a/{n}" for n in (1, 2, 3)]
    assert {one.model for one in made_since(registry, "late-*", 0)} == {"late-a", "late-b"}
    assert made_since(registry, "*", everything[-1].made_ms + 1) == []
