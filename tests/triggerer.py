"""Airflow's triggerer, as far as event triggers see it: shared streams, and a memory for each asset."""

import asyncio
import time
from contextlib import asynccontextmanager

from airflow.sdk import Asset
from airflow.sdk.execution_time.context import AssetStateStoreAccessors
from airflow.triggers.shared_stream import SharedStreamManager

LIMIT_S = 60


class Memory:
    """What Airflow keeps for one asset, while triggerers come and go."""

    def __init__(self):
        self.kept, self.writes, self.fails = {}, 0, 0

    async def aget(self, key, default=None):
        self._fail()
        return self.kept.get(key, default)

    async def aset(self, key, value):
        self._fail()
        self.writes += 1
        self.kept[key] = value

    def _fail(self):
        if self.fails:
            self.fails -= 1
            raise ConnectionError


def store_of(*memories):
    """Give a trigger's store, as the triggerer makes it, over these memories."""
    store = AssetStateStoreAccessors(inlets=[Asset(name=f"asset{number:04}") for number in range(len(memories))])
    store._by_name = dict(zip(sorted(store._by_name), memories, strict=True))
    return store


class Triggerer:
    """Run triggers as Airflow's does: those of one key share a stream; `fired` has each one's events."""

    def __init__(self):
        self._manager = SharedStreamManager()
        self.fired, self._tasks, self._triggers = {}, [], []

    def add(self, trigger, *memories):
        # The triggerer makes it from what was serialized.
        number = len(self._tasks)
        path, kwargs = trigger.serialize()
        assert path == f"{type(trigger).__module__}.{type(trigger).__name__}"
        made = type(trigger)(**kwargs)
        made.asset_state_store = store_of(*memories) if memories else None
        self.fired[number] = []
        stream = self._manager.subscribe(trigger_id=number, trigger=made, key=made.shared_stream_key())

        async def follow():
            async for event in made.filter_shared_stream(stream):
                self.fired[number].append(event.payload)

        self._tasks.append(asyncio.create_task(follow()))
        return self.fired[number]

    def alive(self):
        return not any(task.done() for task in self._tasks)

    async def kill(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._manager.stop_all()


@asynccontextmanager
async def triggerer():
    running = Triggerer()
    try:
        yield running
    finally:
        await running.kill()


async def until(condition):
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.01)
