"""Move an alias to the version that was approved, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mltest.operators.suite import NO_RETRY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context


class PromoteOperator(BaseOperator):
    """
    Point an alias at the version that a decision approved, if the decision still holds.

    It holds while the version's artifacts have the digest that was tested, and the alias points
    where it pointed when the candidate was compared. A retry completes what was begun.

    Args:
        model: The registered model's name.
        version: The version to promote.
        alias: The alias to move, such as `champion`.
        decision: What `GateOperator` returned.

    Returns:
        `model`, `alias`, `version`, and `replaced`: the version it took the place of, or None.
    """

    template_fields = ("model", "version", "alias", "decision")
    ui_color = "#dff3e3"

    def __init__(
        self, *, model: str, version: str, decision: Mapping[str, Any] | str, alias: str = "champion", **kwargs: Any
    ) -> None:
        kwargs.setdefault("retry_policy", NO_RETRY)
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.alias = alias
        self.decision = decision

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Check once more, write why, and move."""
        from airflow_mltest.core.criteria import Decision
        from airflow_mltest.core.errors import PromotionRefusedError
        from airflow_mltest.core.promotion import promote
        from airflow_mltest.hooks.mlflow import MlflowHook

        document = json.loads(self.decision) if isinstance(self.decision, str) else self.decision
        decision = Decision.from_dict(document)
        if (decision.model, decision.version) != (self.model, self.version):
            msg = (
                f"{self.task_id}: the decision is about {decision.model} version {decision.version}, "
                f"not about {self.model} version {self.version}."
            )
            raise PromotionRefusedError(msg)
        promotion = promote(MlflowHook().get_conn(), decision, alias=self.alias)
        self.log.info("%s@%s: %s -> %s", self.model, self.alias, promotion.replaced or "nothing", promotion.version)
        return asdict(promotion)


class RollbackOperator(BaseOperator):
    """
    Point an alias back to the version that it pointed to before.

    Args:
        model: The registered model's name.
        alias: The alias to move.
        to: The version to go back to; empty: the one that the current version replaced. A
            retry goes no step further than the first try meant to.

    Returns:
        `model`, `alias`, `version`, and `replaced`: the version that was rolled back.
    """

    template_fields = ("model", "alias", "to")
    ui_color = "#f7ecd9"

    def __init__(self, *, model: str, alias: str = "champion", to: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", NO_RETRY)
        super().__init__(**kwargs)
        self.model = model
        self.alias = alias
        self.to = to

    def execute(self, context: Context) -> dict[str, Any]:
        """Remember where to go back to, then go there."""
        from airflow_mltest.core.promotion import roll_back, version_before
        from airflow_mltest.hooks.mlflow import MlflowHook

        registry, state = MlflowHook().get_conn(), context["task_state_store"]
        first_try = context["ti"].try_number == 1
        meant = None if first_try else state.get("mltest/rollback", None)
        to = self.to or str(meant or "") or version_before(registry, model=self.model, alias=self.alias)
        state.set("mltest/rollback", to)
        promotion = roll_back(registry, model=self.model, alias=self.alias, to=to)
        self.log.info("%s@%s: %s -> %s", self.model, self.alias, promotion.replaced, promotion.version)
        return asdict(promotion)
