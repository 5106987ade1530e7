import asyncio
import json
import logging
import runpy
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
from airflow.sdk import AssetWatcher
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from airflow_mltest.integrations import mlflow_versions
from airflow_mltest.integrations.mlflow_versions import MadeVersion
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.triggers.model_version import ModelVersionTrigger, RegistryChangeTrigger

TESTS = Path(__file__).parents[1]
_TRIGGERER = runpy.run_path(str(TESTS / "triggerer.py"))
LIMIT_S, Memory, triggerer, until = (_TRIGGERER[name] for name in ("LIMIT_S", "Memory", "triggerer", "until"))


@pytest.fixture
def connect(monkeypatch):
    """Let Airflow's connection to MLflow lead somewhere."""

    def connect(uri, **fields):
        connection = {"conn_type": "mlflow", "host": uri, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))

    return connect


@pytest.fixture
def new_registry(tmp_path, connect):
    """Make an empty registry, and let the connection lead to it."""

    def new_registry(name="mlflow"):
        with new_store(tmp_path / name) as store:
            connect(store.uri)
            return Models(SqlAlchemyStore(store.uri))

    return new_registry


@pytest.fixture
def models(new_registry):
    return new_registry()


class Models:
    """What is registered."""

    def __init__(self, store):
        self._store, self._known, self._made = store, set(), 0

    def add(self, model, times=1):
        if model not in self._known:
            self._known.add(model)
            self._store.create_registered_model(model)
        for _ in range(times):
            self._made += 1
            made = self._store.create_model_version(model, f"/{self._made}", tags=[])
        return str(made.version)

    def delete(self, model, version=""):
        if version:
            self._store.delete_model_version(model, version)
        else:
            self._known.remove(model)
            self._store.delete_registered_model(model)


@pytest.fixture
def looks(monkeypatch):
    """Count how often a registry is asked for versions."""
    asked, ask = [], mlflow_versions.made_last

    def made_last(*args):
        asked.append(1)
        return ask(*args)

    monkeypatch.setattr(mlflow_versions, "made_last", made_last)
    return lambda: len(asked)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    helper = runpy.run_path(str(TESTS / "mlflow_server.py"))
    with helper["serving"](tmp_path_factory.mktemp("server")) as server:
        yield server


def trigger_for(model="late", **kwargs):
    return ModelVersionTrigger(model, poll_interval_s=0.05, **kwargs)


def numbers(events):
    return [f"{event['model']} {event['version']}" for event in events]


def test_each_new_version_fires_once_and_in_order_also_when_several_came_between_two_looks(models, looks):
    models.add("late", 2)
    models.add("other")

    async def watch():
        async with triggerer() as running:
            fired = running.add(trigger_for())
            await until(lambda: looks() >= 3)
            assert fired == []
            models.add("late")
            await until(lambda: fired)
            assert fired[0].pop("made_ms") == pytest.approx(time.time() * 1000, abs=60_000)
            assert fired == [{"model": "late", "version": "3", "uri": "models:/late/3", "source": "/4"}]
            models.add("late", 12)
            models.add("other", 2)
            await until(lambda: len(fired) == 13)
            seen = looks()
            await until(lambda: looks() >= seen + 3)
            assert numbers(fired) == [f"late {number}" for number in range(3, 16)]

    asyncio.run(watch())


def test_what_came_while_no_triggerer_ran_fires_when_one_does_each_version_once(models, looks):
    models.add("late")
    memory = Memory()

    async def live(*, expected):
        async with triggerer() as running:
            fired = running.add(trigger_for(), memory)
            seen = looks()
            await until(lambda: len(fired) == expected and looks() >= seen + 4)
            return numbers(fired)

    async def watch():
        assert await live(expected=0) == []
        models.add("late", 3)
        assert await live(expected=3) == ["late 2", "late 3", "late 4"]
        assert await live(expected=0) == []
        assert memory.writes == 2

    asyncio.run(watch())


def test_event_that_was_under_way_when_the_triggerer_died_is_fired_again(models):
    models.add("late")
    memory = Memory()

    async def watch():
        async with triggerer() as running:
            running.add(trigger_for(), memory)
            await until(lambda: memory.writes)
        models.add("late")
        for _ in range(2):
            async with triggerer() as running:
                fired = running.add(ModelVersionTrigger("late", poll_interval_s=3600.0), memory)
                await until(lambda fired=fired: fired)
            assert numbers(fired) == ["late 2"]

    asyncio.run(watch())


def test_version_that_is_deleted_fires_nothing_and_hides_none_that_comes_after_it(models, looks):
    models.add("late", 3)
    memory = Memory()

    async def watch():
        async with triggerer() as running:
            fired = running.add(trigger_for(), memory)
            await until(lambda: memory.writes)
            models.delete("late", "3")
            seen = looks()
            await until(lambda: looks() >= seen + 2)
        models.add("late", 2)
        models.delete("late", "5")
        async with triggerer() as running:
            fired = running.add(trigger_for(), memory)
            await until(lambda: fired)
            models.add("late")
            await until(lambda: len(fired) == 2)
            assert numbers(fired) == ["late 4", "late 6"]

    asyncio.run(watch())


def test_numbers_that_begin_anew_are_told_and_followed(models, new_registry, looks, caplog):
    models.add("late", 7)
    memory = Memory()

    async def watch():
        async with triggerer() as running:
            fired = running.add(trigger_for(), memory)
            await until(lambda: memory.writes)
            models.delete("late")
            await asyncio.sleep(0.01)  # MLflow's clock has milliseconds
            models.add("late", 2)
            await until(lambda: len(fired) == 2)
            models.add("late")
            await until(lambda: len(fired) == 3)
            seen = looks()
            await until(lambda: looks() >= seen + 3)
            assert numbers(fired) == ["late 1", "late 2", "late 3"]
        assert "'late' begin anew: version 1 was made after version 7 was seen" in caplog.text
        new_registry("another").add("late", 2)
        caplog.clear()
        async with triggerer() as running:
            fired = running.add(trigger_for(), memory)
            seen = looks()
            await until(lambda: len(fired) == 2 and looks() >= seen + 4)
            assert numbers(fired) == ["late 1", "late 2"]
        assert "'late' begin anew" in caplog.text

    asyncio.run(watch())


def test_pattern_means_many_models_and_one_that_comes_into_being(models, looks):
    models.add("late-arrivals")
    models.add("other")

    async def watch():
        async with triggerer() as running:
            fired, named = running.add(trigger_for("late-*")), running.add(trigger_for("late-departures"))
            await until(lambda: looks() >= 3)
            for model in ("late-arrivals", "other", "late-departures"):
                models.add(model)
            await until(lambda: len(fired) == 2 and named)
            assert numbers(fired) == ["late-arrivals 2", "late-departures 1"]
            assert numbers(named) == ["late-departures 1"]

    asyncio.run(watch())


def test_a_thousand_triggers_of_one_registry_are_one_request_an_interval(models, looks):
    for number in range(10):
        models.add(f"m{number}")

    async def watch():
        async with triggerer() as running:
            for number in range(1000):
                running.add(ModelVersionTrigger(f"m{number % 10}", poll_interval_s=0.3))
            began_s = time.monotonic()
            await until(lambda: looks() >= 2)
            models.add("m7")
            await until(lambda: sum(map(bool, running.fired.values())) == 100)
            assert looks() <= (time.monotonic() - began_s) / 0.3 + 1
            assert all(len(fired) == (number % 10 == 7) for number, fired in running.fired.items())

    asyncio.run(watch())


def test_first_look_reads_every_page_and_later_ones_as_many_as_are_new(models, looks):
    models.add("old")
    models.add("late", 110)
    memory = Memory()
    # It had been watched before there was one.
    memory.kept[trigger_for("old")._key] = {}

    async def watch():
        async with triggerer() as running:
            fired, late = running.add(trigger_for("old"), memory), running.add(trigger_for("late"))
            await until(lambda: fired)
            assert looks() >= 2
            assert numbers(fired) == ["old 1"]
            seen = looks()
            await until(lambda: looks() >= seen + 2)
            models.add("late", 105)
            await until(lambda: len(late) == 105)
            assert numbers(late)[::104] == ["late 111", "late 215"]

    asyncio.run(watch())


def test_server_that_does_not_answer_is_told_once_asked_less_often_and_followed_when_it_does(server, connect, caplog):
    caplog.set_level(logging.INFO, "airflow_mltest")
    server.register("late", a="1")
    proxy_of = runpy.run_path(str(TESTS / "fault_proxy.py"))["FaultProxy"]

    async def watch(proxy):
        async with triggerer() as running:
            fired = running.add(ModelVersionTrigger("late", poll_interval_s=0.1))
            await until(lambda: len(proxy.requests) >= 2)
            proxy.fail(1, "reset_before", times=1000)
            began_s = time.monotonic()
            await until(lambda: len(proxy.requests) >= 3)
            # 0.1 s doubled at each failure
            assert time.monotonic() - began_s > 0.2 + 0.4
            version = await asyncio.to_thread(server.register, "late", a="2")
            proxy.heal()
            await until(lambda: fired)
            assert (fired[0]["uri"], fired[0]["source"][:10]) == (f"models:/late/{version}", "models:/m-")
            assert running.alive()

    with proxy_of(server.port) as proxy:
        connect(proxy.uri, login=server.user, password=server.password, extra={"max_retries": 0})
        asyncio.run(watch(proxy))

    assert caplog.text.count("It is asked again until it answers") == 1
    assert caplog.text.count("The registry of the default connection answers again, after") == 1
    assert server.password not in caplog.text


@pytest.mark.parametrize("conn_id", ["nobody", "mlflow_default"])
def test_registry_that_is_not_there_yet_ends_no_watcher(conn_id, connect, caplog):
    connect("no tracking URI")

    async def watch():
        async with triggerer() as running:
            running.add(ModelVersionTrigger("late", conn_id, 0.01))
            await until(lambda: "It is asked again" in caplog.text)
            await asyncio.sleep(0.2)
            assert running.alive()
        assert caplog.text.count("It is asked again") == 1

    asyncio.run(watch())


def test_server_that_hangs_does_not_block_the_loop_and_is_given_up_when_nobody_waits(connect, caplog):
    async def watch(listening):
        async with triggerer() as running:
            running.add(trigger_for())
            asked, _ = await asyncio.get_running_loop().sock_accept(listening)
            with closing(asked):
                for _ in range(20):
                    await asyncio.sleep(0.01)
                assert "asked again" not in caplog.text
                await running.kill()
                return running.alive()

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(0)
        connect(f"http://127.0.0.1:{listening.getsockname()[1]}", extra={"timeout_s": 3, "max_retries": 0})
        began_s = time.monotonic()
        assert not asyncio.run(watch(listening))
        # The thread that asks may end later than who waited for it, but not much.
        assert time.monotonic() - began_s < 10


def test_clock_that_is_set_back_loses_no_version_and_tells_none_twice():
    trigger = trigger_for()
    seen = {"late": [7, 1_000_000]}
    there = {"late": {8: MadeVersion("late", 8, 500_000, "/8"), 9: MadeVersion("late", 9, 500_001, "/9")}}

    assert numbers(trigger.news(there, seen)) == ["late 8", "late 9"]
    assert trigger.news(there, trigger.marks(there, seen)) == []


def test_task_that_waits_gets_the_version_and_the_trigger_ends(models):
    models.add("late")

    async def wait():
        path, kwargs = RegistryChangeTrigger("late", "1", poll_interval_s=0.01).serialize()
        assert path == "airflow_mltest.triggers.model_version.RegistryChangeTrigger"
        models.add("late", 2)
        return [event.payload async for event in RegistryChangeTrigger(**kwargs).run()]

    assert asyncio.run(asyncio.wait_for(wait(), LIMIT_S)) == [{"model": "late", "version": "3"}]


def test_trigger_has_a_place_in_an_asset_watcher_and_is_the_same_for_all_who_ask_the_same():
    trigger, other = trigger_for("late"), trigger_for("other")
    AssetWatcher(name="late", trigger=trigger)
    path, kwargs = trigger.serialize()

    assert encode_trigger(trigger)["classpath"] == path
    assert BaseEventTrigger.hash(path, kwargs) == BaseEventTrigger.hash(*trigger_for("late").serialize())
    assert trigger.shared_stream_key() == other.shared_stream_key()
    assert trigger.shared_stream_key() != trigger_for("late", mlflow_conn_id="prod").shared_stream_key()
    assert trigger.shared_stream_key() != ModelVersionTrigger("late").shared_stream_key()
