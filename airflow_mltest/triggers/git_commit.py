"""A new commit on a branch, or a new tag, as an event."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Mapping

    from airflow_mltest.hooks.git import Repository

_LONGEST_S = 900.0
# Each is a request, and one trigger may serve a thousand assets, some of them newer than what was kept.
_KEPT_AT, _READ_AT = 3, 20
_PATIENCE = 3
_log = logging.getLogger(__name__)


class GitCommitTrigger(BaseEventTrigger):
    """
    Fire when the head of a branch is another than before: for an `AssetWatcher`, or a deferred task.

    The event says `{"repository", "ref", "commit", "previous"}`; `previous` is empty for a branch
    or tag that is new. A head that moves fires once, however many commits it moved by and in which
    direction (a force-push fires, too); `previous` tells from where. What is deleted fires nothing,
    and is new when it comes back.

    All triggers of one repository and interval share one `git ls-remote` per interval, in the
    background of the triggerer. A repository that does not answer is asked again, ever more rarely
    (up to every 15 minutes), and the log says so once; the watcher goes on.

    The heads that were seen are kept with the watched asset. After a time without a triggerer, what
    moved meanwhile fires then, once for its newest commit. An event that was under way when the
    triggerer died is fired again. A repository seen for the first time fires nothing, unless
    *at_first_sight* says so.

    Args:
        repository: A URL without credentials, a path, or the id of an Airflow connection of type `git`.
        branch: A branch, a tag (`refs/tags/v1`), or a pattern of either: `release/*`, `refs/tags/v*`.
        poll_interval_s: Seconds between two looks.
        at_first_sight: Whether heads that are there at the first look fire as well.
        known: The heads that were seen, commit by full ref; the first one that is another then
            fires, and the trigger ends. For tasks that wait, not for watchers.
    """

    def __init__(
        self,
        repository: str,
        branch: str = "main",
        poll_interval_s: float = 60.0,
        at_first_sight: bool = False,  # noqa: FBT001, FBT002
        known: Mapping[str, str] | None = None,
    ) -> None:
        from airflow_mltest.git_command import without_credentials

        super().__init__()  # type: ignore[no-untyped-call]
        if without_credentials(repository) != repository:
            msg = (
                f"{without_credentials(repository)} came with user or password, which everybody could read here: "
                "put them into an Airflow connection of type git, and give its id."
            )
            raise ConfigurationError(msg)
        self.repository = repository
        self.branch = branch
        self.poll_interval_s = poll_interval_s
        self.at_first_sight = at_first_sight
        self.known = known
        self._told = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name everything that this trigger is made from."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "repository": self.repository,
                "branch": self.branch,
                "poll_interval_s": self.poll_interval_s,
                "at_first_sight": self.at_first_sight,
                "known": None if self.known is None else dict(self.known),
            },
        )

    def shared_stream_key(self) -> Hashable:
        """Share one look with all that ask the same repository as often."""
        from airflow_mltest.integrations.git_remote import only_branches_and_tags

        return ("git heads", self.repository, self.poll_interval_s, only_branches_and_tags(self.branch))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[dict[str, str]]:
        """Look at all heads, again and again, whatever happens."""
        from airflow_mltest.hooks.git import Repository

        repository, interval_s, failures = Repository(kwargs["repository"]), kwargs["poll_interval_s"], 0
        while True:
            try:
                heads = await _heads(repository, kwargs["branch"])
            except Exception as error:  # noqa: BLE001  an error would end every watcher of this repository, for good
                failures += 1
                if failures == 1:
                    _log.warning("%s. It is asked again until it answers.", error)
                repository.forget()
                await asyncio.sleep(min(interval_s * 2 ** min(failures, 10), max(interval_s, _LONGEST_S)))
                continue
            if failures:
                _log.info("The repository %s answers again, after %s looks that failed.", repository.name, failures)
                failures = 0
            yield heads
            await asyncio.sleep(interval_s)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[dict[str, str]]) -> AsyncIterator[TriggerEvent]:
        """Fire for each of this trigger's heads that moved since the last look."""
        from airflow_mltest.integrations.git_remote import matching

        seen = self.known if self.known is not None else await self._recall()
        unsaved = False
        async for heads in shared_stream:
            now = matching(heads, self.branch)
            if unsaved and seen is not None:
                unsaved = not await self._remember(seen)
            if seen is None and not self.at_first_sight:
                seen, unsaved = now, not await self._remember(now)
            before = seen or {}
            for ref in sorted(now):
                if before.get(ref) != now[ref]:
                    yield self._event(ref, now[ref], before.get(ref, ""))
                    if self.known is not None:
                        return
            # Kept at the next look, when the events are out for sure: better told twice than lost.
            unsaved = unsaved or now != seen
            seen = now

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same alone, where there is no stream to share: in `dag.test()`."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def _event(self, ref: str, commit: str, previous: str) -> TriggerEvent:
        payload = {"repository": self.repository, "ref": ref, "commit": commit, "previous": previous}
        return TriggerEvent(payload)  # type: ignore[no-untyped-call]

    @property
    def _memories(self) -> list[Any]:
        """Give the memories of the watched assets: one trigger serves all that ask the same."""
        store = self.asset_state_store
        by_asset = {**getattr(store, "_by_name", {}), **getattr(store, "_by_uri", {})}
        return [by_asset[name] for name in sorted(by_asset)]

    @property
    def _key(self) -> str:
        return "mltest/heads/" + hashlib.sha256(f"{self.repository}\n{self.branch}".encode()).hexdigest()[:16]

    async def _recall(self) -> Mapping[str, str] | None:
        """Read what was seen before; asked again when it fails, since what came meanwhile would be lost."""
        for attempt in range(_PATIENCE):
            try:
                for memory in self._memories[:_READ_AT]:
                    kept = await memory.aget(self._key)
                    if isinstance(kept, dict):
                        return kept
            except Exception as error:  # noqa: BLE001  an error would end the watcher
                _log.warning("What was seen of %s cannot be read: %s", self.repository, error)
                await asyncio.sleep(self.poll_interval_s if attempt + 1 < _PATIENCE else 0)
            else:
                return None
        return None

    async def _remember(self, heads: Mapping[str, str]) -> bool:
        """Keep what was seen, as far as there is a place; without it all works, until the triggerer restarts."""
        if self.known is not None:
            return True
        try:
            for memory in self._memories[:_KEPT_AT]:
                await memory.aset(self._key, dict(heads))
        except Exception as error:  # noqa: BLE001
            _log.log(
                logging.DEBUG if self._told else logging.WARNING,
                "What was seen of %s cannot be kept: %s",
                self.repository,
                error,
            )
            self._told = True
            return False
        self._told = False
        return True


async def _heads(repository: Repository, branch: str) -> dict[str, str]:
    from airflow_mltest.integrations.git_remote import heads_soon

    stack = ExitStack()
    try:
        # Connections are read, and tokens fetched, by calls that wait.
        remote = await asyncio.to_thread(stack.enter_context, repository.remote())
        return await heads_soon(remote, branch)
    finally:
        stack.close()
