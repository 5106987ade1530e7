"""When a model takes another's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.gate_tags import as_tag, to_copy
from airflow_mltest.core.moving import NOBODY, Promotion, moving, now, replacing, unmoved
from airflow_mltest.core.standing import must_be_fresh, must_stand

if TYPE_CHECKING:
    from airflow_mltest.core.claims import Pace
    from airflow_mltest.core.decision import Decision
    from airflow_mltest.core.moving import Move
    from airflow_mltest.core.ports import Registry
    from airflow_mltest.core.standing import Approval

_DECISION_OF_A_COPY = "mltest.copy.decision"


def promote(  # noqa: PLR0913  two of them are for some promotions only
    registry: Registry,
    decision: Decision,
    *,
    alias: str,
    pace: Pace,
    copy_to: str = "",
    approval: Approval | None = None,
) -> Promotion:
    """
    Point *alias* at the version that *decision* approved; safe to repeat, and to kill at any step.

    Of several who move the alias one does at a time, and each checks anew. What is replaced, and why,
    is written on the version before the alias moves: whoever sees the alias moved can also see how to
    move it back. A version that the alias already points at stays where it is; a decision that was
    rolled back is spent.

    Args:
        registry: The registry.
        decision: What the gate has said.
        alias: The alias to move.
        pace: How time passes.
        copy_to: Another registered model: a copy of the version goes there, and its alias moves.
        approval: The yes of a person, where one was asked for.

    Raises:
        PromotionRefusedError: The decision does not stand, or is spent; the version's artifacts are
            not those that were judged; or the alias does not point where it did when the version was.
        BrokenRunError: The registry did not answer; says whether the alias has moved.
    """
    model = copy_to or decision.model
    target = f"{model}@{alias}"
    with unmoved(target):
        must_stand(decision, target, approval)
        _must_be_as_judged(registry, decision, decision.model, decision.version)
        version = _copy(registry, decision, alias, copy_to) if copy_to else decision.version
        # "promote" comes after "back": where both come at once, a rollback is first.
        with moving(registry, model, alias, who=f"promote.{decision.id}", pace=pace) as move:
            if move.claim.contested and _champion(move, decision, version) != version:
                _must_be_as_judged(registry, decision, decision.model, decision.version)
                move.claim.enter()  # the digest of a large model takes longer than a claim lives
            current = _champion(move, decision, version)
            if current == version:
                replaced = next(iter(move.told(version, "history")), None)
                return Promotion(model=model, alias=alias, version=version, replaced=replaced)
            must_be_fresh(decision)
            history = [] if current is None else [current, *move.told(current, "history")]
            move.tell(version, _why(decision, approval) | replacing(history) | {"promoted_at": now()})
            move.to(version, current)
            return Promotion(model=model, alias=alias, version=version, replaced=current)


def _must_be_as_judged(registry: Registry, decision: Decision, model: str, version: str) -> None:
    digest = registry.digest(model, version)
    if digest != decision.digest:
        msg = (
            f"{model} version {version} has other artifacts than those that were tested: {digest}, not "
            f"{decision.digest}. Somebody has overwritten them: register a new version, and test it."
        )
        raise PromotionRefusedError(msg)


def _copy(registry: Registry, decision: Decision, alias: str, to: str) -> str:
    """Give the version of the model *to* that is the copy for this decision; made where there is none."""
    current = registry.version_of(to, alias) if registry.versions(to) else None
    made = current is not None and registry.tags(to, current).get(_DECISION_OF_A_COPY) == decision.id
    if not made:
        _must_be_champion(decision, current)
        must_be_fresh(decision)
    source = f"models:/{decision.model}/{decision.version}"
    tags = {"mltest.copy.of": source, "mltest.copy.digest": decision.digest, _DECISION_OF_A_COPY: decision.id}
    version = registry.copy(decision.model, decision.version, to, tags)
    _must_be_as_judged(registry, decision, to, version)
    registry.tag(to, version, to_copy(registry.tags(decision.model, decision.version)))
    registry.tag(decision.model, decision.version, {f"mltest.{alias}.copied_to": f"models:/{to}/{version}"})
    return version


def _champion(move: Move, decision: Decision, version: str) -> str | None:
    """Say where the alias points: at *version* already, or at what it was compared with."""
    current = move.at()
    if current == version:
        return current
    if decision.id in move.told(version, "rolled_back"):
        msg = f"{decision.target} was rolled back from version {version} since: run its tests and the gate again."
        raise PromotionRefusedError(msg)
    _must_be_champion(decision, current)
    return current


def _must_be_champion(decision: Decision, current: str | None) -> None:
    if current != decision.champion:
        msg = (
            f"{decision.target} points at {current or 'nothing'}, but version {decision.version} was compared with "
            f"{decision.champion or 'nothing'}: run its tests and the gate again."
        )
        raise PromotionRefusedError(msg)


def _why(decision: Decision, approval: Approval | None) -> dict[str, str]:
    """Say on what this rests; in full also where nobody was asked, since an earlier promotion may have left more."""
    return {
        "evidence": as_tag(decision.evidence),
        "decision": decision.id,
        "approved_by": approval.by if approval else NOBODY,
        "approved_at": approval.at.isoformat() if approval else NOBODY,
    }
