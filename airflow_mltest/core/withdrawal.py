"""How an alias is taken away, where there is nothing for it to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.moving import moving, now

if TYPE_CHECKING:
    from airflow_mltest.core.claims import Pace
    from airflow_mltest.core.moving import Promotion
    from airflow_mltest.core.ports import Registry


def withdraw(registry: Registry, promotion: Promotion, *, who: str, pace: Pace, spent: bool = False) -> None:
    """
    Let an alias point nowhere, if it still points where *promotion* put it; safe to repeat, and to kill at any step.

    Args:
        registry: The registry.
        promotion: What had put it there.
        who: The same for all tries of this.
        pace: How time passes.
        spent: Whether the decision behind it puts it there no more: only another gate does.

    Raises:
        PromotionRefusedError: The alias has been moved elsewhere since.
        BrokenRunError: The registry did not answer; a retry looks, and completes it.
    """
    model, alias, version = promotion.model, promotion.alias, promotion.version
    with moving(registry, model, alias, who=f"back.{who}", pace=pace) as move:
        current = move.at()
        if current is None:
            return
        if current != version:
            msg = f"{model}@{alias} points at {current}, and no longer at {version}: it stays; see who has moved it."
            raise PromotionRefusedError(msg)
        if spent:
            decisions = [*move.told(version, "decision"), *move.told(version, "rolled_back")]
            move.tell(version, {"rolled_back": " ".join(dict.fromkeys(decisions)), "rolled_back_at": now()})
        move.claim.confirm()
        move.claim.hold()
        registry.unpoint(model, alias)
        pace.wait(pace.settle_s)
        current = move.at()
        if current is not None:
            msg = f"{model}@{alias} was taken away, and somebody else has moved it to {current}: see who moves it."
            raise PromotionRefusedError(msg)
