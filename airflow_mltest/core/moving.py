"""An alias on its way: tags first, then the alias, then a look at where it is."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_mltest.core.claims import claimed
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, PromotionRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_mltest.core.claims import Claim, Pace
    from airflow_mltest.core.ports import Registry

NOBODY = "none"
_MOST = 100  # what a tag holds is bounded, and nobody goes back further


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """
    An alias that has moved.

    Args:
        model: The registered model.
        alias: The alias.
        version: Where it points now.
        replaced: Where it pointed before; None when it pointed nowhere.
    """

    model: str
    alias: str
    version: str
    replaced: str | None


class _InDoubtError(BrokenRunError):
    """The alias may have moved, and nobody has answered where it is."""


class Move:
    """
    What the only one who may move an alias now can do.

    Args:
        registry: The registry.
        model: The registered model.
        alias: Its alias.
        claim: The right to move it.
        pace: How time passes.
    """

    def __init__(self, registry: Registry, model: str, alias: str, *, claim: Claim, pace: Pace) -> None:
        self._registry = registry
        self._model = model
        self._alias = alias
        self._pace = pace
        self.claim = claim

    def at(self) -> str | None:
        """Say where the alias points."""
        return self._registry.version_of(self._model, self._alias)

    def told(self, version: str, what: str) -> list[str]:
        """Read a tag of this alias on a version, as the words that it lists."""
        return self._registry.tags(self._model, version).get(f"mltest.{self._alias}.{what}", "").split()

    def tell(self, version: str, said: Mapping[str, str]) -> None:
        """Write tags of this alias on a version, one by one, as long as nobody else may."""
        for what, text in said.items():
            self.claim.hold()
            self._registry.tag(self._model, version, {f"mltest.{self._alias}.{what}": text})

    def to(self, version: str, before: str | None) -> None:
        """
        Point the alias at *version*, and see that it does.

        Args:
            version: Where to.
            before: Where it points.

        Raises:
            BrokenRunError: It does not, or nobody knows.
            PromotionRefusedError: Somebody who asks nobody has moved it at the same time.
        """
        target, failure = f"{self._model}@{self._alias}", None
        self.claim.confirm()
        self.claim.hold()
        try:
            self._registry.point(self._model, self._alias, version)
        except BrokenRunError as error:
            failure = error
        self._pace.wait(self._pace.settle_s)
        try:
            now_at = self.at()
        except BrokenRunError as error:
            msg = f"{failure or error} {target} may have been moved to {version}: a retry looks, and completes it."
            raise _InDoubtError(msg) from error
        if now_at == version:
            return
        if failure and now_at == before:
            raise failure
        msg = (
            f"{target} was moved to {version}, and somebody else has moved it to {now_at or 'nowhere'} "
            "meanwhile: see who else moves it, and run the gate again."
        )
        raise PromotionRefusedError(msg)


@contextmanager
def moving(registry: Registry, model: str, alias: str, *, who: str, pace: Pace) -> Iterator[Move]:
    """Be the only one who moves *alias* in the body; `who` as in `Claim`."""
    with claimed(registry, model, alias, who=who, pace=pace) as claim:
        yield Move(registry, model, alias, claim=claim, pace=pace)


@contextmanager
def unmoved(target: str) -> Iterator[None]:
    """Say of what fails in the body that the alias is where it was, unless that is in doubt."""
    try:
        yield
    except _InDoubtError:
        raise
    except (BrokenRunError, ConfigurationError) as error:
        msg = f"{error} {target} was not moved by this try."
        raise type(error)(msg) from error


def replacing(history: Sequence[str]) -> dict[str, str]:
    """Say what an alias pointed at before, newest first; and the newest alone, for people."""
    return {"replaced": history[0] if history else NOBODY, "history": " ".join(history[:_MOST])}


def now() -> str:
    """Tell the time, as tags do."""
    return datetime.now(UTC).isoformat()
