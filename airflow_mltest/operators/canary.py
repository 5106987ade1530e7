"""An alias for trials: put it at the approved version, and wait without a worker."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mltest.operators.moves import digest_at, real_pace
from airflow_mltest.operators.suite import NO_RETRY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow.sdk import Context, RetryPolicy

    from airflow_mltest.core.decision import Decision
    from airflow_mltest.core.ports import Registry


class CanaryOperator(BaseOperator):
    """
    Point an alias for trials at the version that a decision approved, if the decision still holds.

    One version is on trial at a time: while the alias points at another, this one is refused.

    Args:
        decision: What `GateOperator` of this DAG run returned.
        alias: The alias for trials, of the model that was judged.
        approval: What `ApprovalOperator` returned: nothing moves without the yes of a person.

    Returns:
        `model`, `alias`, `version`, and `replaced`, which is None.
    """

    template_fields = ("decision", "alias", "approval")
    ui_color = "#fff6d6"

    def __init__(
        self,
        *,
        decision: Mapping[str, Any],
        alias: str = "canary",
        approval: Mapping[str, Any] | None = None,
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.decision = decision
        self.alias = alias
        self.approval = approval
        # A template that renders to nothing must not look like one that was never there.
        self._needs_approval = approval is not None

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Check as before a promotion, and move."""
        from airflow_mltest.core.decision import Decision
        from airflow_mltest.core.promotion import promote
        from airflow_mltest.core.standing import Approval, must_be_unaltered
        from airflow_mltest.hooks.mlflow import MlflowHook

        decision, registry = Decision.from_dict(self.decision), MlflowHook().get_conn()
        approval = Approval.of(self.approval) if self._needs_approval else None
        must_be_unaltered(decision.evidence, digest_at)
        self._must_be_free(registry, decision)
        # The gate's yes to production, where all its users are, is one to a trial.
        trial = replace(decision, target=f"{decision.model}@{self.alias}", champion=None)
        promotion = promote(registry, trial, alias=self.alias, approval=approval, pace=real_pace())
        self.log.info("%s@%s -> %s", promotion.model, self.alias, promotion.version)
        return asdict(promotion)

    def _must_be_free(self, registry: Registry, decision: Decision) -> None:
        from airflow_mltest.core.errors import PromotionRefusedError

        current = registry.version_of(decision.model, self.alias)
        if current not in {None, decision.version}:
            msg = (
                f"{decision.model}@{self.alias} points at {current}: version {decision.version} goes on trial when the "
                "trial of that one has ended. If nobody tries it any more, take the alias away."
            )
            raise PromotionRefusedError(msg)


class HoldOperator(BaseOperator):
    """
    Wait, in the triggerer and without a worker.

    Args:
        duration: How long, from when the task starts.
    """

    ui_color = "#fff6d6"

    def __init__(self, *, duration: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.duration = duration

    def execute(self, context: Context) -> None:  # noqa: ARG002
        """Leave the worker until the time has come."""
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        self.defer(trigger=TimeDeltaTrigger(self.duration), method_name="execute_complete")

    def execute_complete(self, context: Context, event: Any) -> None:
        """It has."""
