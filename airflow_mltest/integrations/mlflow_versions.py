"""MLflow: the versions of all models, those that were made last first."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, NamedTuple

_ORDER = ["creation_timestamp DESC", "name ASC", "version_number DESC"]
# Versions a page: they come with all their tags.
_PAGE = 100


class MadeVersion(NamedTuple):
    """A version, and when it was made: a number that is there again later is another version."""

    model: str
    version: int
    made_ms: int
    source: str

    @property
    def uri(self) -> str:
        """The version as MLflow names it."""
        return f"models:/{self.model}/{self.version}"


def made_last(registry: Any, token: str = "") -> tuple[list[MadeVersion], str]:
    """
    Give a page of the versions in a registry that this user may read, and the token of the next page.

    Args:
        registry: A `MlflowRegistry`.
        token: What the page before came with; empty: the first page.

    Raises:
        ConfigurationError: The registry does not let this user in.
        BrokenRunError: It does not answer.
    """
    with registry.asked("its versions") as store:
        found = store.search_model_versions("", max_results=_PAGE, order_by=_ORDER, page_token=token or None)
    return [_made(one) for one in found], found.token or ""


def made_since(registry: Any, model: str, since_ms: int) -> list[MadeVersion]:
    """
    Give the versions of a model that were made at a time or later, the oldest first.

    Args:
        registry: A `MlflowRegistry`.
        model: The model, or a pattern of models: `late-*`.
        since_ms: The time, in milliseconds since 1970.

    Raises:
        ConfigurationError: The registry does not let this user in.
        BrokenRunError: It does not answer.
    """
    page, token = made_last(registry)
    made = page
    while token and (not page or page[-1].made_ms >= since_ms):
        page, token = made_last(registry, token)
        made = made + page
    meant = {one for one in made if one.model == model or fnmatchcase(one.model, model)}
    return sorted((one for one in meant if one.made_ms >= since_ms), key=lambda one: (one.made_ms, one.version))


def _made(one: Any) -> MadeVersion:
    return MadeVersion(one.name, int(one.version), int(one.creation_timestamp), one.source or "")
