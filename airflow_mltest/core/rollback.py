"""How a model gives its place back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.moving import NOBODY, Promotion, moving, now, replacing, unmoved

if TYPE_CHECKING:
    from airflow_mltest.core.claims import Pace
    from airflow_mltest.core.moving import Move
    from airflow_mltest.core.ports import Registry

_STEPS = re.compile(r"-(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retreat:
    """
    What a rollback means to do, found once: a retry goes no further.

    Args:
        model: The registered model.
        alias: The alias to move.
        version: Where the alias pointed then; None for nowhere.
        to: Where it is to point.
        steps: How many versions back that is; 0 for a version that is not among those before.
    """

    model: str
    alias: str
    version: str | None
    to: str
    steps: int


def retreat(registry: Registry, *, model: str, alias: str, to: str = "") -> Retreat:
    """
    Find where *alias* goes back to.

    Each rollback takes its steps off the history, so that the next goes further back: never forth,
    also where a version was promoted more than once.

    Args:
        registry: The registry.
        model: The registered model.
        alias: The alias.
        to: A version; or `-1`, `-2`, ...: that many steps back; empty: one.

    Raises:
        PromotionRefusedError: There is no such version, or not so many steps are recorded.
    """
    current = registry.version_of(model, alias)
    history = registry.tags(model, current).get(f"mltest.{alias}.history", "").split() if current else []
    counted = _STEPS.fullmatch(to or "-1")
    steps = int(counted[1]) if counted else history.index(to) + 1 if to in history else 0
    if counted and not 0 < steps <= len(history):
        recorded = (
            f"{len(history)} before it {'is' if len(history) == 1 else 'are'}" if history else "nothing before it is"
        )
        seen = f"at version {current}, and {recorded} recorded" if current else "nowhere"
        msg = f"{model}@{alias} points {seen}: there is nothing to go back to; name a version with `to`."
        raise PromotionRefusedError(msg)
    found = Retreat(model=model, alias=alias, version=current, to=history[steps - 1] if counted else to, steps=steps)
    if found.to not in registry.versions(model):
        msg = f"{model} has no version {found.to}: {model}@{alias} stays where it is."
        raise PromotionRefusedError(msg)
    return found


def roll_back(registry: Registry, meant: Retreat, *, who: str, pace: Pace) -> Promotion:
    """
    Point *alias* back; safe to repeat, and to kill at any step.

    The decisions that had brought it where it is are spent: what was rolled back comes again only
    through a gate.

    Args:
        registry: The registry.
        meant: What to do.
        who: The same for all tries of this rollback.
        pace: How time passes.

    Raises:
        PromotionRefusedError: The alias has been moved elsewhere since.
        BrokenRunError: The registry did not answer; says whether the alias has moved.
    """
    model, alias, replaced = meant.model, meant.alias, None if meant.version == meant.to else meant.version
    done = Promotion(model=model, alias=alias, version=meant.to, replaced=replaced)
    target = f"{model}@{alias}"
    with unmoved(target), moving(registry, model, alias, who=f"back.{who}", pace=pace) as move:
        current = move.at()
        if current == meant.to:
            return done
        if current != meant.version:
            msg = (
                f"{target} points at {current or 'nothing'}, and no longer at {meant.version or 'nothing'}, from where "
                f"it was to go back to {meant.to}: see who has moved it, and roll back anew if that is wrong, too."
            )
            raise PromotionRefusedError(msg)
        if current is not None:
            history = move.told(current, "history")
            move.tell(meant.to, replacing(history[meant.steps :]))
            _spend(move, [current, *history[: meant.steps - 1 if meant.steps else 0]], registry.versions(model))
        move.to(meant.to, current)
        return done


def _spend(move: Move, passed: list[str], existing: list[str]) -> None:
    """Mark the decisions that had brought versions to the alias, so that none does so again."""
    for version in dict.fromkeys(version for version in passed if version in existing):
        decision, spent = move.told(version, "decision"), move.told(version, "rolled_back")
        spent = list(dict.fromkeys([*(decision or [NOBODY]), *spent]))
        move.tell(version, {"rolled_back": " ".join(spent), "rolled_back_at": now()})
