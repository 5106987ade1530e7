"""When a model takes another's place, and how it gives it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import PromotionRefusedError

if TYPE_CHECKING:
    from airflow_mltest.core.criteria import Decision
    from airflow_mltest.core.ports import Registry

_NOBODY = "none"


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
    alias moved can also see how to move it back.

    Raises:
        PromotionRefusedError: The decision is a no; the version's artifacts are not those that were
            judged; or the alias does not point where it did when the version was judged.
    """
    model, version = decision.model, decision.version
    if not decision.approved:
        msg = f"{model} version {version} was not approved: {'; '.join(decision.reasons)}"
        raise PromotionRefusedError(msg)
    digest = registry.digest(model, version)
    if digest != decision.digest:
        msg = (
            f"{model} version {version} has other artifacts than those that were tested: {digest}, not "
            f"{decision.digest}. Somebody has overwritten them: register a new version, and test it."
        )
        raise PromotionRefusedError(msg)
    current = registry.version_of(model, alias)
    if current == version and _replaced(registry, model, alias, version) is not None:
        return Promotion(model=model, alias=alias, version=version, replaced=_before(registry, model, alias, version))
    if current != decision.champion:
        msg = (
            f"{model}@{alias} points at {current or 'nothing'}, but version {version} was compared with "
            f"{decision.champion or 'nothing'}: run its tests and the gate again."
        )
        raise PromotionRefusedError(msg)
    replaced = current if current != version else None
    registry.tag(
        model,
        version,
        {
            f"mltest.{alias}.replaced": replaced or _NOBODY,
            f"mltest.{alias}.decision": decision.id,
            f"mltest.{alias}.promoted_at": datetime.now(UTC).isoformat(),
        },
    )
    _move(registry, model, alias, version)
    return Promotion(model=model, alias=alias, version=version, replaced=replaced)


def version_before(registry: Registry, *, model: str, alias: str) -> str:
    """
    Tell which version *alias* pointed at before it was moved to where it points now.

    A version that was rolled back to keeps its own record of what it once replaced, so that
    rolling back again goes one step further back.

    Raises:
        PromotionRefusedError: The alias points nowhere, or nothing is recorded before it.
    """
    current = registry.version_of(model, alias)
    before = _before(registry, model, alias, current) if current else None
    if before is None:
        seen = f"at version {current}, and nothing before it is recorded" if current else "nowhere"
        msg = f"{model}@{alias} points {seen}: there is nothing to go back to; name a version with `to`."
        raise PromotionRefusedError(msg)
    return before


def roll_back(registry: Registry, *, model: str, alias: str, to: str) -> Promotion:
    """
    Point *alias* back to the version *to*; safe to repeat.

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
        registry.tag(model, current, {f"mltest.{alias}.rolled_back_at": datetime.now(UTC).isoformat()})
    _move(registry, model, alias, to)
    return Promotion(model=model, alias=alias, version=to, replaced=current)


def _move(registry: Registry, model: str, alias: str, version: str) -> None:
    registry.point(model, alias, version)
    now_at = registry.version_of(model, alias)
    if now_at != version:
        # The registry has no compare-and-set: the last writer wins, and the loser can only notice.
        msg = f"{model}@{alias} was moved to version {now_at} by somebody else while it was moved to {version}."
        raise PromotionRefusedError(msg)


def _replaced(registry: Registry, model: str, alias: str, version: str) -> str | None:
    return registry.tags(model, version).get(f"mltest.{alias}.replaced")


def _before(registry: Registry, model: str, alias: str, version: str) -> str | None:
    replaced = _replaced(registry, model, alias, version)
    return None if replaced in {None, _NOBODY} else replaced
