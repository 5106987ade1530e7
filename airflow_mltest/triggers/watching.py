"""What all watchers share: they outlive silence, and know after a restart what they had seen."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

Seen = TypeVar("Seen")

_LONGEST_S = 900.0
# Each is a request, and one trigger may serve a thousand assets, some of them newer than what was kept.
_KEPT_AT, _READ_AT = 3, 20
_PATIENCE = 3
_log = logging.getLogger(__name__)


async def looks(
    look: Callable[[], Awaitable[Seen]], interval_s: float, who: str, forget: Callable[[], None]
) -> AsyncGenerator[Seen, None]:
    """
    Look again and again, whatever happens, and give what was seen.

    Args:
        look: Asks the far side once.
        interval_s: Seconds between two looks; twice as many after each failure, up to 15 minutes.
        who: The far side, for the log, which names it when it falls silent and when it is back.
        forget: Called after a failure: how to get there may have changed.
    """
    failures = 0
    while True:
        try:
            seen = await look()
        except Exception as error:  # noqa: BLE001  an error would end every watcher of this far side, for good
            failures += 1
            if failures == 1:
                _log.warning("%s. It is asked again until it answers.", str(error).rstrip("."))
            forget()
            await asyncio.sleep(min(interval_s * 2 ** min(failures, 10), max(interval_s, _LONGEST_S)))
            continue
        if failures:
            _log.info("%s answers again, after %s looks that failed.", who, failures)
            failures = 0
        yield seen
        await asyncio.sleep(interval_s)


class WatchingTrigger(BaseEventTrigger):
    """
    An event trigger that keeps with the watched assets what it has seen.

    Args:
        name: What it watches, for the log.
        key: Under which it keeps what it has seen: what, and the words that tell it from its like.
        poll_interval_s: Seconds between two looks.
        at_first_sight: Whether what is there at the first look is news as well.
        known: What was seen; then the first news ends the trigger, and nothing is kept.
    """

    def __init__(
        self,
        name: str,
        key: tuple[str, ...],
        poll_interval_s: float,
        *,
        at_first_sight: bool = False,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poll_interval_s = poll_interval_s
        self.at_first_sight = at_first_sight
        self.known = known
        self._name = name
        self._key = f"mltest/{key[0]}/" + hashlib.sha256("\n".join(key[1:]).encode()).hexdigest()[:16]
        self._told = False

    def marks(self, there: Any, before: Mapping[str, Any]) -> dict[str, Any]:
        """Say what is to be kept of *there*, one look's, when *before* was kept."""
        raise NotImplementedError

    def news(self, there: Any, before: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Say what is new in *there* to whom has kept *before*: what the events say, in their order."""
        raise NotImplementedError

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for what is news to this trigger since the last look."""
        seen = self.known if self.known is not None else await self._recall()
        unsaved = False
        async for there in shared_stream:
            if unsaved and seen is not None:
                unsaved = not await self._remember(seen)
            now = self.marks(there, seen or {})
            if seen is None and not self.at_first_sight:
                seen, unsaved = now, not await self._remember(now)
            for said in self.news(there, seen or {}):
                yield TriggerEvent(said)  # type: ignore[no-untyped-call]
                if self.known is not None:
                    return
            # Kept at the next look, when the events are out for sure: better told twice than lost.
            unsaved = unsaved or now != seen
            seen = now

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same alone, where there is no stream to share: in `dag.test()`."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    @property
    def _memories(self) -> list[Any]:
        """Give the memories of the watched assets: one trigger serves all that ask the same."""
        store = self.asset_state_store
        by_asset = {**getattr(store, "_by_name", {}), **getattr(store, "_by_uri", {})}
        return [by_asset[name] for name in sorted(by_asset)]

    async def _recall(self) -> dict[str, Any] | None:
        """Read what was seen before; asked again when it fails, since what came meanwhile would be lost."""
        for attempt in range(_PATIENCE):
            try:
                for memory in self._memories[:_READ_AT]:
                    kept = await memory.aget(self._key)
                    if isinstance(kept, dict):
                        return kept
            except Exception as error:  # noqa: BLE001  an error would end the watcher
                _log.warning("What was seen of %s cannot be read: %s", self._name, error)
                await asyncio.sleep(self.poll_interval_s if attempt + 1 < _PATIENCE else 0)
            else:
                return None
        return None

    async def _remember(self, seen: Mapping[str, Any]) -> bool:
        """Keep what was seen, as far as there is a place; without it all works, until the triggerer restarts."""
        if self.known is not None:
            return True
        try:
            for memory in self._memories[:_KEPT_AT]:
                await memory.aset(self._key, dict(seen))
        except Exception as error:  # noqa: BLE001
            level = logging.DEBUG if self._told else logging.WARNING
            _log.log(level, "What was seen of %s cannot be kept: %s", self._name, error)
            self._told = True
            return False
        self._told = False
        return True
