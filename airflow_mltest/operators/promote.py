"""Move an alias to the version that was approved, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mltest.operators.moves import digest_at, real_pace, who
from airflow_mltest.operators.suite import NO_RETRY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context, RetryPolicy

    from airflow_mltest.core.decision import Decision

_MEANT = "mltest/rollback"


class PromoteOperator(BaseOperator):
    """
    Point an alias at the version that a decision approved, if the decision still holds.

    It holds while the reports that it rests on are unaltered and not too old, the version's artifacts
    have the digest that was tested, and the alias points where it pointed when the candidate was
    compared. Of several tasks that move one alias, one does at a time. A retry completes what was
    begun.

    Args:
        model: The registered model's name.
        version: The version to promote.
        decision: What `GateOperator` returned.
        alias: The alias to move, such as `champion`.
        copy_to: Another registered model: the version is copied there, and the alias of that one
            moves. The gate's `alias` is then `<copy_to>@<alias>`.
        approval: What `ApprovalOperator` returned: nothing moves without the yes of a person.

    Returns:
        `model`, `alias`, `version`, and `replaced`: the version it took the place of, or None.
    """

    template_fields = ("model", "version", "alias", "decision", "copy_to", "approval")
    ui_color = "#dff3e3"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        model: str,
        version: str,
        decision: Mapping[str, Any] | str,
        alias: str = "champion",
        copy_to: str = "",
        approval: Mapping[str, Any] | None = None,
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.model = model
        self.version = version
        self.alias = alias
        self.decision = decision
        self.copy_to = copy_to
        self.approval = approval
        # A template that renders to nothing must not look like one that was never there.
        self._needs_approval = approval is not None

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Check once more, write why, and move."""
        from airflow_mltest.core.promotion import promote
        from airflow_mltest.core.standing import Approval, must_be_unaltered
        from airflow_mltest.hooks.mlflow import MlflowHook

        decision = self._read_decision()
        approval = Approval.of(self.approval) if self._needs_approval else None
        must_be_unaltered(decision.evidence, digest_at)
        registry, how = MlflowHook().get_conn(), {"alias": self.alias, "copy_to": self.copy_to}
        promotion = promote(registry, decision, approval=approval, pace=real_pace(), **how)
        self.log.info(
            "%s@%s: %s -> %s", promotion.model, self.alias, promotion.replaced or "nothing", promotion.version
        )
        return asdict(promotion)

    def _read_decision(self) -> Decision:
        from airflow_mltest.core.decision import Decision
        from airflow_mltest.core.errors import PromotionRefusedError

        decision = Decision.from_dict(json.loads(self.decision) if isinstance(self.decision, str) else self.decision)
        if (decision.model, decision.version) != (self.model, self.version):
            msg = (
                f"{self.task_id}: the decision is about {decision.model} version {decision.version}, "
                f"not about {self.model} version {self.version}."
            )
            raise PromotionRefusedError(msg)
        return decision


class RollbackOperator(BaseOperator):
    """
    Point an alias back to the version that it pointed to before.

    Args:
        model: The registered model's name.
        alias: The alias to move.
        to: The version to go back to, or `-2`, `-3`, ... for so many steps back; empty: the one that
            the current version replaced. A retry goes no step further than the first try meant to.

    Returns:
        `model`, `alias`, `version`, and `replaced`: the version that was rolled back.
    """

    template_fields = ("model", "alias", "to")
    ui_color = "#f7ecd9"

    def __init__(
        self,
        *,
        model: str,
        alias: str = "champion",
        to: str = "",
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.model = model
        self.alias = alias
        self.to = to

    def execute(self, context: Context) -> dict[str, Any]:
        """Remember where to go back to, then go there."""
        from airflow_mltest.core.rollback import Retreat, retreat, roll_back
        from airflow_mltest.hooks.mlflow import MlflowHook

        ti, state, registry = context["ti"], context["task_state_store"], MlflowHook().get_conn()
        remembered: Any = None if ti.try_number == 1 else state.get(_MEANT, None)
        meant = (
            Retreat(**remembered) if remembered else retreat(registry, model=self.model, alias=self.alias, to=self.to)
        )
        state.set(_MEANT, asdict(meant))
        promotion = roll_back(registry, meant, who=who(context), pace=real_pace())
        self.log.info("%s@%s: %s -> %s", self.model, self.alias, promotion.replaced or "nothing", promotion.version)
        return asdict(promotion)
