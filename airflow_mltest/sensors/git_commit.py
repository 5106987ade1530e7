"""Wait until a branch has another head."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context


class GitCommitSensor(BaseSensorOperator):
    """
    Wait for a new commit, and return it.

    ===================================================  ==============================
    what happened                                        the sensor
    ===================================================  ==============================
    a head differs from the one to compare with          succeeds, and returns it
    none does                                            goes on waiting
    the repository does not answer                       goes on waiting, and warns
    no such repository, branch or connection; no access  fails, without a retry
    ===================================================  ==============================

    Args:
        repository: A URL, a path, or the id of an Airflow connection of type `git`.
        branch: A branch, a tag (`refs/tags/v1`), or a pattern of either: `release/*`.
        since: The commit to compare with, or a branch or tag at it; empty: the head at this task's
            first look, kept over reschedules and retries.
        deferrable: Whether to wait in the triggerer, without a worker.
    """

    template_fields = ("repository", "branch", "since")
    ui_color = "#f0e8d8"

    def __init__(
        self,
        *,
        repository: str,
        branch: str = "main",
        since: str = "",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.repository = repository
        self.branch = branch
        self.since = since
        self.deferrable = deferrable

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; a server that does not answer now may do so later."""
        from airflow_mltest.core.errors import BrokenRunError

        try:
            commit, _ = self._look(context)
        except BrokenRunError as error:
            self.log.warning("%s: it is asked again.", error)
            commit = ""
        return PokeReturnValue(is_done=bool(commit), xcom_value=commit or None)

    def execute(self, context: Context) -> Any:
        """Look on this worker, or look once and leave the rest to the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        from airflow_mltest.triggers.git_commit import GitCommitTrigger

        commit, known = self._look(context)
        if commit:
            return commit
        self.defer(
            trigger=GitCommitTrigger(self.repository, self.branch, float(self.poke_interval), known=known),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )
        return None

    def execute_complete(self, context: Context, event: Mapping[str, str]) -> str:  # noqa: ARG002
        """Return what the trigger has seen."""
        self.log.info("%s of %s is at %s now.", event["ref"], self.repository, event["commit"])
        return event["commit"]

    def _look(self, context: Context) -> tuple[str, dict[str, str]]:
        """Find a commit that is new, or nothing; and what it was compared with, by full ref."""
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.hooks.git import Repository
        from airflow_mltest.integrations.git_remote import heads, is_pattern, matching, unknown_branch

        try:
            with Repository(self.repository).remote() as remote:
                there = heads(remote, self.branch)
            now = matching(there, self.branch)
            if not now and not is_pattern(self.branch):
                raise unknown_branch(remote, self.branch, there)
            known = self._since(there, now) if self.since else self._first_seen(context, now)
        except ConfigurationError as error:
            msg = f"{self.task_id}: {error}"
            raise AirflowFailException(msg) from error
        for ref, commit in sorted(now.items()):
            if known.get(ref) != commit:
                self.log.info("%s of %s is at %s; it was at %s.", ref, remote, commit, known.get(ref) or "nothing")
                return commit, known
        return "", known

    def _since(self, there: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
        """Find the commit that `since` names, as far as one can without a clone: by its beginning or a ref."""
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.integrations.git_remote import is_pattern

        if is_pattern(self.branch):
            msg = f"`since` is one commit, and {self.branch!r} may be many branches: leave `since` out, or name one."
            raise ConfigurationError(msg)
        ((ref, head),) = now.items()
        named = [
            there[name] for name in (self.since, f"refs/heads/{self.since}", f"refs/tags/{self.since}") if name in there
        ]
        if not named and not re.fullmatch("[0-9a-f]{7,64}", self.since):
            msg = f"`since` is a commit of at least 7 digits, or a branch or tag that is there, not {self.since!r}."
            raise ConfigurationError(msg)
        return {ref: named[0] if named else head if head.startswith(self.since) else self.since}

    def _first_seen(self, context: Context, now: dict[str, str]) -> dict[str, str]:
        """Give the heads of this task's first look, which may have been on another worker."""
        store = context["task_state_store"]
        key = f"mltest/since/{self.repository}/{self.branch}"
        seen = store.get(key)
        if not isinstance(seen, dict):
            store.set(key, {**now})
            return now
        return {ref: str(commit) for ref, commit in seen.items()}
