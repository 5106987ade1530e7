import asyncio
import json

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.sensors.model_version import ModelVersionSensor
from airflow_mltest.testing.mlflow_store import new_store


@pytest.fixture
def context():
    """Give what Airflow hands to each try of one task: here, what the task keeps."""
    return {"task_state_store": Store()}


class Store(dict):
    """What a task keeps over its tries."""

    set = dict.__setitem__


@pytest.fixture
def connect(monkeypatch):
    """Let Airflow's connection to MLflow lead somewhere."""

    def connect(uri):
        connection = {"conn_type": "mlflow", "host": uri, "extra": {"max_retries": 0}}
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def registry(tmp_path, connect):
    """Give a registry in which `late` has two versions, and the alias `champion` points at the first."""
    with new_store(tmp_path / "mlflow") as store:
        connect(store.uri)
        registry = SqlAlchemyStore(store.uri)
        registry.create_registered_model("late")
        registry.create_model_version("late", "/1")
        registry.create_model_version("late", "/2")
        registry.set_registered_model_alias("late", "champion", "1")
        yield registry


def sensor(**kwargs):
    kwargs = {"model": "late", **kwargs}
    return ModelVersionSensor(task_id="wait", poke_interval=0.05, timeout=60, **kwargs)


def test_sensor_waits_for_a_version_that_is_newer_than_those_it_first_saw_and_returns_the_newest(registry, context):
    assert not sensor().poke(context).is_done
    registry.delete_model_version("late", "2")
    assert not sensor().poke(context).is_done
    registry.create_model_version("late", "/3")
    registry.create_model_version("late", "/4")

    seen = sensor().poke(context)  # another try, maybe on another worker

    assert (seen.is_done, seen.xcom_value) == (True, "4")
    assert sensor().execute(context) == "4"


def test_model_that_comes_into_being_has_a_new_version(registry, context):
    assert not sensor(model="early").poke(context).is_done
    registry.create_registered_model("early")
    assert not sensor(model="early").poke(context).is_done
    registry.create_model_version("early", "/1")

    assert sensor(model="early").poke(context).xcom_value == "1"


def test_alias_is_waited_for_until_it_points_elsewhere_in_either_direction(registry, context):
    waiting = sensor(alias="champion")
    registry.set_registered_model_alias("late", "champion", "2")
    assert not waiting.poke(context).is_done
    registry.create_model_version("late", "/3")
    assert not waiting.poke(context).is_done
    registry.delete_registered_model_alias("late", "champion")
    assert not waiting.poke(context).is_done
    registry.set_registered_model_alias("late", "champion", "1")

    assert waiting.poke(context).xcom_value == "1"


def test_alias_that_is_not_there_yet_is_waited_for(registry, context):
    assert not sensor(alias="canary").poke(context).is_done
    registry.set_registered_model_alias("late", "canary", "2")

    assert sensor(alias="canary").poke(context).xcom_value == "2"


@pytest.mark.parametrize("alias", ["", "champion"])
def test_deferred_sensor_leaves_the_wait_to_the_triggerer_which_sees_what_came_meanwhile(registry, context, alias):
    waiting = sensor(deferrable=True, alias=alias)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context)
    registry.create_model_version("late", "/3")
    registry.set_registered_model_alias("late", "champion", "3")
    path, kwargs = deferred.value.trigger.serialize()

    async def first_event():
        return [event.payload async for event in type(deferred.value.trigger)(**kwargs).run()]

    (event,) = asyncio.run(asyncio.wait_for(first_event(), 60))

    assert path == "airflow_mltest.triggers.model_version.RegistryChangeTrigger"
    assert deferred.value.timeout.total_seconds() == 60
    assert getattr(waiting, deferred.value.method_name)(context, event=event) == "3"
    assert sensor(deferrable=True, alias=alias).execute(context) == "3"


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    "wrong, why",
    [
        ({"model": "nobody", "alias": "champion"}, "wait: MLflow at .* has no model 'nobody'"),
        ({"mlflow_conn_id": "nobody"}, "wait: The conn_id `nobody` isn't defined"),
    ],
)
def test_what_no_waiting_mends_fails_at_once_in_words(registry, context, wrong, why, deferrable):
    with pytest.raises(AirflowFailException, match=why):
        sensor(deferrable=deferrable, **wrong).execute(context)


def test_registry_that_is_down_is_asked_again_and_a_deferred_first_look_is_a_try(connect, context, capsys):
    connect("http://127.0.0.1:9")
    assert not sensor().poke(context).is_done
    assert "it is asked again" in capsys.readouterr().out

    with pytest.raises(BrokenRunError):
        sensor(deferrable=True).execute(context)


def test_everything_that_names_something_may_be_a_template():
    waiting = sensor(model="{{ m }}", alias="{{ a }}", mlflow_conn_id="{{ c }}")

    waiting.render_template_fields({"m": "late", "a": "champion", "c": "prod"})

    assert (waiting.model, waiting.alias, waiting.mlflow_conn_id) == ("late", "champion", "prod")
