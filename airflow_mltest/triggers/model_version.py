"""A new version of a model, as an event."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mltest.triggers.watching import WatchingTrigger, looks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Hashable, Mapping

    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
    from airflow_mltest.integrations.mlflow_versions import MadeVersion

# By model, then by number.
Versions = dict[str, dict[int, "MadeVersion"]]

_log = logging.getLogger(__name__)


class ModelVersionTrigger(WatchingTrigger):
    """
    Fire for each new version of a model, in the order in which they were made: for an `AssetWatcher`.

    The event says `{"model", "version", "uri", "source", "made_ms"}`, such as `late`, `3` and
    `models:/late/3`, what MLflow says the version was made of, and when. Whether its artifacts are
    there is for a task to find out. A version that is deleted before it was seen fires nothing.

    All triggers of one registry and interval share one request per interval, in the background of
    the triggerer, whatever their models are. A registry that does not answer is asked again, ever
    more rarely (up to every 15 minutes), and the log says so once; the watcher goes on.

    What was seen is kept with the watched asset. After a time without a triggerer, all that came
    meanwhile fires then, each version once. An event that was under way when the triggerer died is
    fired again. A model seen for the first time fires nothing, unless it comes into being later. A
    registry whose numbers begin anew, since the model was deleted or the database is another, is
    followed, and the log says so.

    Args:
        model: The model, or a pattern of models: `late-*`.
        mlflow_conn_id: The connection; None for the one that `[mltest] mlflow_conn_id` names.
        poll_interval_s: Seconds between two looks.
    """

    def __init__(self, model: str, mlflow_conn_id: str | None = None, poll_interval_s: float = 60.0) -> None:
        super().__init__(f"model {model!r}", ("versions", mlflow_conn_id or "", model), poll_interval_s)
        self.model = model
        self.mlflow_conn_id = mlflow_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name everything that this trigger is made from."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"model": self.model, "mlflow_conn_id": self.mlflow_conn_id, "poll_interval_s": self.poll_interval_s},
        )

    def shared_stream_key(self) -> Hashable:
        """Share one look with all that ask the same registry as often."""
        return ("model versions", self.mlflow_conn_id, self.poll_interval_s)

    @classmethod
    def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Versions]:
        """Look at what was made last, again and again, whatever happens."""
        registry = _Registry(kwargs["mlflow_conn_id"])
        return looks(registry.look, kwargs["poll_interval_s"], str(registry), registry.forget)

    def marks(self, there: Versions, before: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """Keep by model the highest number and when the last version was made; what is gone stays known."""
        return {**before, **{model: _mark(there[model].values(), before.get(model)) for model in self._mine(there)}}

    def news(self, there: Versions, before: Mapping[str, list[int]]) -> list[dict[str, Any]]:
        """Tell the versions of this trigger's models that were made since."""
        made = [one for model in self._mine(there) for one in there[model].values() if _is_new(one, before.get(model))]
        for one in made:
            if one.version <= before.get(one.model, [0])[0]:
                msg = "The numbers of model %r begin anew: version %s was made after version %s was seen."
                _log.warning(msg, one.model, one.version, before[one.model][0])
        return [
            {
                "model": one.model,
                "version": str(one.version),
                "uri": one.uri,
                "source": one.source,
                "made_ms": one.made_ms,
            }
            for one in sorted(made, key=lambda one: (one.made_ms, one.version))
        ]

    def _mine(self, there: Versions) -> list[str]:
        # By its name first: it may have letters in it that mean something else in a pattern.
        return [self.model] if self.model in there else [model for model in there if fnmatchcase(model, self.model)]


class RegistryChangeTrigger(BaseTrigger):
    """
    Fire once, when a model has a newer version, or its alias points elsewhere: for a deferred task.

    Args:
        model: The model.
        known: The version to compare with; empty: there was none.
        alias: What points at a version; empty: the newest version counts.
        mlflow_conn_id: The connection; None for the one that `[mltest] mlflow_conn_id` names.
        poll_interval_s: Seconds between two looks.
    """

    def __init__(
        self, model: str, known: str, alias: str = "", mlflow_conn_id: str | None = None, poll_interval_s: float = 60.0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model
        self.known = known
        self.alias = alias
        self.mlflow_conn_id = mlflow_conn_id
        self.poll_interval_s = poll_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name everything that this trigger is made from."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "model": self.model,
                "known": self.known,
                "alias": self.alias,
                "mlflow_conn_id": self.mlflow_conn_id,
                "poll_interval_s": self.poll_interval_s,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is another version."""
        registry = _Registry(self.mlflow_conn_id)

        async def look() -> str:
            now = await asyncio.to_thread(lambda: current(registry.open(), self.model, self.alias))
            return newer(now, self.known, self.alias)

        async for version in looks(look, self.poll_interval_s, str(registry), registry.forget):
            if version:
                yield TriggerEvent({"model": self.model, "version": version})  # type: ignore[no-untyped-call]
                return


def current(registry: MlflowRegistry, model: str, alias: str) -> str:
    """
    Give the newest version of *model*, or the one at which *alias* points; empty: there is none.

    Raises:
        ConfigurationError: There is no such model to have an alias, or no access.
        BrokenRunError: The registry does not answer.
    """
    return (registry.version_of(model, alias) if alias else next(iter(registry.versions(model)), "")) or ""


def newer(now: str, known: str, alias: str) -> str:
    """Give *now* if it is another version than *known*, and without an alias a later one; else nothing."""
    return now if now and (now != known if alias else int(now) > int(known or 0)) else ""


class _Registry:
    """A registry that is opened when it is asked, and what has been seen in it."""

    def __init__(self, mlflow_conn_id: str | None) -> None:
        self._conn_id = mlflow_conn_id
        self._opened: MlflowRegistry | None = None
        self._seen: Versions = {}

    def __str__(self) -> str:
        return f"The registry of {self._conn_id or 'the default connection'}"

    def open(self) -> MlflowRegistry:
        """Read the connection, unless it was read before."""
        from airflow_mltest.hooks.mlflow import MlflowHook

        self._opened = self._opened or MlflowHook(self._conn_id).get_conn()
        return self._opened

    def forget(self) -> None:
        """Read the connection anew the next time."""
        self._opened = None

    async def look(self) -> Versions:
        """Read pages, that of the newest first, up to one that has something on it that is known."""
        from airflow_mltest.integrations.mlflow_versions import made_last

        made, token, known = [], "", False
        while not known:
            # One thread a page: what was given up ends soon.
            page, token = await asyncio.to_thread(lambda token: made_last(self.open(), token), token)
            made += page
            known = not token or any(self._seen.get(one.model, {}).get(one.version) == one for one in page)
        by_model: Versions = {}
        for one in reversed(made):
            by_model.setdefault(one.model, {})[one.version] = one
        self._seen = {**self._seen, **{name: _merged(self._seen.get(name, {}), now) for name, now in by_model.items()}}
        return self._seen


def _merged(before: dict[int, MadeVersion], now: dict[int, MadeVersion]) -> dict[int, MadeVersion]:
    """Add what is new of a model; where numbers begin anew, what had them before is gone."""
    new = {number: one for number, one in now.items() if before.get(number) != one}
    return new if new and before and min(new) <= max(before) else {**before, **new}


def _mark(versions: Collection[MadeVersion], before: list[int] | None) -> list[int]:
    mark = [max(one.version for one in versions), max(one.made_ms for one in versions)]
    # Not a number that is lower since the highest was deleted; and a clock may have been set back.
    return mark if before is None or mark[1] > before[1] else [max(mark[0], before[0]), before[1]]


def _is_new(one: MadeVersion, mark: list[int] | None) -> bool:
    return mark is None or one.version > mark[0] or one.made_ms > mark[1]
