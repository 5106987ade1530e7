"""When a model takes another's place, and how it gives it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import PromotionRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.criteria import Decision
    from airflow_mltest.core.ports import Registry

_NOBODY = "none"
_STEPS_BACK = 100  # what a tag holds is bounded, and nobody goes back further


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


def promote(registry: Registry, decision: Decision, *, alias: str) -> Promotion:
    """
    Point *alias* at the version that *decision* approved; safe to repeat, and to kill at any step.

    What is replaced, and why, is written on the version before the alias moves: whoever sees the
    alias moved can also see how to move it back. A version that the alias already points at stays
    where it is; a decision that was rolled back is spent.

    Raises:
        PromotionRefusedError: The decision is a no, or spent; the version's artifacts are not those
            that were judged; or the alias does not point where it did when the version was judged.
    """
    model, version = decision.model, decision.version
    if not decision.approved:
        msg = f"{model} version {version} was not approved: {'; '.join(decision.reasons)}"
        raise PromotionRefusedError(msg)
    digest, tags = registry.digest(model, version), registry.tags(model, version)
    current = registry.version_of(model, alias)
    if why_not := _why_not(decision, digest, tags, current, alias):
        raise PromotionRefusedError(why_not)
    if current == version:
        return Promotion(model=model, alias=alias, version=version, replaced=next(iter(_history(tags, alias)), None))
    why = {_key(alias, "decision"): decision.id, _key(alias, "promoted_at"): _now()}
    history = [] if current is None else [current, *_history(registry.tags(model, current), alias)]
    registry.tag(model, version, _tags_of(history, alias) | why)
    _move(registry, model, alias, version)
    return Promotion(model=model, alias=alias, version=version, replaced=current)


def version_before(registry: Registry, *, model: str, alias: str) -> str:
    """
    Tell which version *alias* pointed at before it was moved to where it points now.

    Rolling back takes a step off the history, so rolling back again goes one step further back:
    never forth, also where a version was promoted more than once.

    Raises:
        PromotionRefusedError: The alias points nowhere, or nothing is recorded before it.
    """
    current = registry.version_of(model, alias)
    history = _history(registry.tags(model, current), alias) if current else ()
    if not history:
        seen = f"at version {current}, and nothing before it is recorded" if current else "nowhere"
        msg = f"{model}@{alias} points {seen}: there is nothing to go back to; name a version with `to`."
        raise PromotionRefusedError(msg)
    return history[0]


def roll_back(registry: Registry, *, model: str, alias: str, to: str) -> Promotion:
    """
    Point *alias* back to the version *to*; safe to repeat, and to kill at any step.

    Raises:
        PromotionRefusedError: There is no such version.
    """
    if to not in registry.versions(model):
        msg = f"{model} has no version {to}: {model}@{alias} stays where it is."
        raise PromotionRefusedError(msg)
    current = registry.version_of(model, alias)
    if current == to:
        return Promotion(model=model, alias=alias, version=to, replaced=None)
    if current is not None:
        tags = registry.tags(model, current)
        history = _history(tags, alias)
        # A version that was never there takes the place, and the history, of the one that fails.
        rest = history[history.index(to) + 1 :] if to in history else history
        registry.tag(model, to, _tags_of(rest, alias))
        spent = {_key(alias, "rolled_back"): tags.get(_key(alias, "decision"), _NOBODY)}
        registry.tag(model, current, spent | {_key(alias, "rolled_back_at"): _now()})
    _move(registry, model, alias, to)
    return Promotion(model=model, alias=alias, version=to, replaced=current)


def _why_not(decision: Decision, digest: str, tags: Mapping[str, str], current: str | None, alias: str) -> str:
    """Say why an approved decision does not hold, or no longer; empty when it does."""
    model, version = decision.model, decision.version
    if digest != decision.digest:
        return (
            f"{model} version {version} has other artifacts than those that were tested: {digest}, not "
            f"{decision.digest}. Somebody has overwritten them: register a new version, and test it."
        )
    if current == version:
        return ""
    if tags.get(_key(alias, "rolled_back")) == decision.id:
        return f"{model}@{alias} was rolled back from version {version} since: run its tests and the gate again."
    if current != decision.champion:
        return (
            f"{model}@{alias} points at {current or 'nothing'}, but version {version} was compared with "
            f"{decision.champion or 'nothing'}: run its tests and the gate again."
        )
    return ""


def _move(registry: Registry, model: str, alias: str, version: str) -> None:
    registry.point(model, alias, version)
    now_at = registry.version_of(model, alias)
    if now_at != version:
        # The registry has no compare-and-set: the last writer wins, and the loser can only notice.
        msg = (
            f"{model}@{alias} was moved to {version}, and somebody else has moved it to {now_at or 'nowhere'} "
            "meanwhile: see who else moves it, and run the gate again."
        )
        raise PromotionRefusedError(msg)


def _key(alias: str, what: str) -> str:
    return f"mltest.{alias}.{what}"


def _tags_of(history: Sequence[str], alias: str) -> dict[str, str]:
    """Write down what the alias pointed at before, newest first; and the newest alone, for people."""
    replaced = history[0] if history else _NOBODY
    return {_key(alias, "replaced"): replaced, _key(alias, "history"): " ".join(history[:_STEPS_BACK])}


def _history(tags: Mapping[str, str], alias: str) -> list[str]:
    return tags.get(_key(alias, "history"), "").split()


def _now() -> str:
    return datetime.now(UTC).isoformat()
