"""Whether a decision still stands when the alias is to move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import PromotionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_mltest.core.decision import Decision

_APPROVE = ["Approve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """
    A person's yes.

    Args:
        by: Who.
        at: When, aware.
    """

    by: str
    at: datetime

    @classmethod
    def of(cls, answer: Any) -> Approval:
        """
        Read what Airflow's `ApprovalOperator` returned.

        Raises:
            PromotionRefusedError: It is not the yes of a person.
        """
        answer = answer if isinstance(answer, dict) else {}
        chosen, user, at = (answer.get(key) for key in ("chosen_options", "responded_by_user", "responded_at"))
        if chosen != _APPROVE:
            msg = f"nobody has approved it: the answer was {chosen!r}, and `['Approve']` is wanted."
            raise PromotionRefusedError(msg)
        if not (isinstance(user, dict) and user.get("id")):
            msg = "nobody has approved it: the request's default was taken when its time was up."
            raise PromotionRefusedError(msg)
        moment, name = _moment(at), f"{user.get('name') or 'somebody'} ({user['id']})"
        if moment is None:
            msg = f"it is not known when {name} approved it: {at!r} is no time with a time zone."
            raise PromotionRefusedError(msg)
        return cls(by=name, at=moment)


def must_stand(decision: Decision, target: str, approval: Approval | None) -> None:
    """
    Be sure that *decision* lets the version go to *target*.

    Raises:
        PromotionRefusedError: It is a no, about another alias, or not what was approved.
    """
    subject = f"{decision.model} version {decision.version}"
    if not decision.approved:
        msg = f"{subject} was not approved: {'; '.join(decision.reasons)}"
        raise PromotionRefusedError(msg)
    if decision.target != target:
        msg = f"{subject} was judged for {decision.target or 'no alias'}, not for {target}: run a gate for that one."
        raise PromotionRefusedError(msg)
    decided_at = _moment(decision.decided_at)
    if approval and (decided_at is None or approval.at < decided_at):
        msg = (
            f"{approval.by} approved at {approval.at.isoformat()}, before {subject} was judged at "
            f"{decision.decided_at or 'an unknown time'}: have this decision approved."
        )
        raise PromotionRefusedError(msg)


def must_be_fresh(decision: Decision) -> None:
    """
    Be sure that none of the evidence has become too old.

    Raises:
        PromotionRefusedError: Some has.
    """
    if not decision.expires_at:
        return
    expires_at = _moment(decision.expires_at)
    if expires_at is None or datetime.now(UTC) >= expires_at:
        msg = (
            f"the evidence for {decision.model} version {decision.version} counted until {decision.expires_at}: "
            "run its tests and the gate again."
        )
        raise PromotionRefusedError(msg)


def must_be_unaltered(evidence: Mapping[str, Mapping[str, str]], digest_at: Callable[[str], str | None]) -> None:
    """
    Be sure that the reports which a decision rests on are those that the gate has read.

    Args:
        evidence: The decision's: `address` and `digest` by name.
        digest_at: Hashes the bytes at an address as `sha256:...`; None where there are none.

    Raises:
        PromotionRefusedError: One is missing, or another; or there is none at all.
    """
    if not evidence:
        msg = "the decision names no evidence: run the gate again."
        raise PromotionRefusedError(msg)
    for name, report in evidence.items():
        address, wanted = report.get("address", ""), report.get("digest")
        seen = digest_at(address) if address else None
        if not wanted or seen != wanted:
            state = f"was altered since it was judged: it is {seen}, not {wanted}" if seen else "is gone"
            msg = f"the report of {name} at {address or 'no address'} {state}: run its tests and the gate again."
            raise PromotionRefusedError(msg)


def _moment(time: Any) -> datetime | None:
    """Read a time that says in which zone it is; None of any other."""
    try:
        moment = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    except (TypeError, ValueError):
        return None
    return None if moment.utcoffset() is None else moment
