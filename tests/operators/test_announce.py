import json
import time
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from airflow_mltest.hooks.mlflow import MlflowHook
from airflow_mltest.integrations.mlflow_versions import made_since
from airflow_mltest.operators.announce import AnnounceVersionsOperator
from airflow_mltest.testing.mlflow_store import new_store

VERSIONS, COPY = Asset("versions"), Asset("copy_of_versions")


class Memory(dict):
    """What Airflow keeps for one asset."""

    set = dict.__setitem__


@pytest.fixture
def registry(tmp_path, monkeypatch):
    with new_store(tmp_path / "mlflow") as store:
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": store.uri}))
        registry = SqlAlchemyStore(store.uri)
        for model in ("late-arrivals", "late-departures", "other"):
            registry.create_registered_model(model)
        yield registry


@pytest.fixture
def announce():
    """Run the task in a run that some versions have started; gives the partitions of each asset."""
    memories = {VERSIONS: Memory(), COPY: Memory()}

    def announce(*started_by, run_id="r1", model="late-*", outlets=(VERSIONS,)):
        made = [one for one in made_since(MlflowHook().get_conn(), "*", 0) if one.uri in started_by]
        events = [SimpleNamespace(extra={"from_trigger": True, "payload": one._asdict()}) for one in made]
        context = {
            "run_id": run_id,
            "triggering_asset_events": {Asset("registered"): events},
            "asset_state_store": memories,
            "outlet_events": OutletEventAccessors(),
        }
        AnnounceVersionsOperator(task_id="announce", model=model, outlets=outlets).execute(context)
        for asset in outlets:
            accessor = context["outlet_events"][asset]
            assert accessor.partition_keys == set(accessor.extra.get("versions", ()))
        return [sorted(context["outlet_events"][asset].partition_keys) for asset in outlets]

    return announce


def add(registry, model):
    time.sleep(0.002)  # MLflow's clock has milliseconds
    number = registry.create_model_version(model, f"/{time.monotonic_ns()}").version
    return f"models:/{model}/{number}"


def test_versions_become_partitions_also_those_whose_events_airflow_has_not_handed_out(registry, announce):
    add(registry, "late-arrivals")
    first = add(registry, "late-arrivals")
    more = [add(registry, model) for model in ("late-departures", "late-arrivals", "other")]

    assert announce(first) == [sorted([first, *more[:2]])]
    assert announce(first, model="late-arrivals", outlets=[COPY]) == [[first, more[1]]]


def test_version_that_was_deleted_before_the_task_ran_is_not_announced(registry, announce):
    first, second = add(registry, "late-arrivals"), add(registry, "late-arrivals")
    started_by = (first, second)
    registry.delete_model_version("late-arrivals", "2")

    assert announce(*started_by) == [[first]]


def test_try_that_may_have_got_no_further_is_repeated_and_another_run_announces_the_rest_only(registry, announce):
    first = add(registry, "late-arrivals")
    assert announce(first) == announce(first) == [[first]]
    second = add(registry, "late-arrivals")

    assert announce(first, run_id="r2") == [[second]]
    assert announce(first, run_id="r3", outlets=[VERSIONS, COPY]) == [[], [first, second]]
    with pytest.raises(AirflowSkipException, match="announce: no new version"):
        announce(first, run_id="r4")


def test_number_that_is_there_again_is_announced_again(registry, announce):
    first = add(registry, "late-arrivals")
    announce(first)
    registry.delete_registered_model("late-arrivals")
    registry.create_registered_model("late-arrivals")

    assert announce(add(registry, "late-arrivals"), run_id="r2") == [[first]]


def test_run_that_was_started_by_hand_is_skipped(registry, announce):
    with pytest.raises(AirflowSkipException, match="none has started this run"):
        announce()


def test_model_may_be_a_template():
    task = AnnounceVersionsOperator(task_id="announce", model="{{ m }}", outlets=[VERSIONS])

    task.render_template_fields({"m": "late-*"})

    assert task.model == "late-*"
