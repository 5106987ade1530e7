"""A new commit on a branch, or a new tag, as an event."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.triggers.watching import WatchingTrigger, looks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Mapping

    from airflow_mltest.hooks.git import Repository


class GitCommitTrigger(WatchingTrigger):
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

        if without_credentials(repository) != repository:
            msg = (
                f"{without_credentials(repository)} came with user or password, which everybody could read here: "
                "put them into an Airflow connection of type git, and give its id."
            )
            raise ConfigurationError(msg)
        key = ("heads", repository, branch)
        super().__init__(repository, key, poll_interval_s, at_first_sight=at_first_sight, known=known)
        self.repository = repository
        self.branch = branch

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
    def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[dict[str, str]]:
        """Look at all heads, again and again, whatever happens."""
        from airflow_mltest.hooks.git import Repository

        repository = Repository(kwargs["repository"])
        who = f"The repository {repository.name}"
        return looks(lambda: _heads(repository, kwargs["branch"]), kwargs["poll_interval_s"], who, repository.forget)

    def marks(self, there: dict[str, str], before: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """Keep the heads that this trigger is about."""
        from airflow_mltest.integrations.git_remote import matching

        return matching(there, self.branch)

    def news(self, there: dict[str, str], before: Mapping[str, str]) -> list[dict[str, str]]:
        """Tell each of this trigger's heads that moved."""
        return [
            {"repository": self.repository, "ref": ref, "commit": commit, "previous": before.get(ref, "")}
            for ref, commit in sorted(self.marks(there, before).items())
            if before.get(ref) != commit
        ]


async def _heads(repository: Repository, branch: str) -> dict[str, str]:
    from airflow_mltest.integrations.git_remote import heads_soon

    stack = ExitStack()
    try:
        # Connections are read, and tokens fetched, by calls that wait.
        remote = await asyncio.to_thread(stack.enter_context, repository.remote())
        return await heads_soon(remote, branch)
    finally:
        stack.close()
