"""Whether production gets the model that was decided on, asked right after its alias has moved."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.operators.suite import SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Case, Kind
    from airflow_mltest.core.recording import Recording


class PromotedTestOperator(SuiteOperator):
    """
    Load a model by its alias, as production does: it is the promoted version, with the artifacts that were judged.

    The model is loaded in a process of its own: one that takes it down has failed.

    Args:
        promotion: What `PromoteOperator` returned.
        decision: What `GateOperator` returned.
        case_timeout_s: Seconds that one check may take.
    """

    kind: ClassVar[Kind] = "deployment"
    template_fields = ("promotion", "decision")
    ui_color = "#e6f5f0"

    def __init__(
        self,
        *,
        promotion: Mapping[str, Any],
        decision: Mapping[str, Any],
        case_timeout_s: float = 900.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.promotion = promotion
        self.decision = decision
        self.case_timeout_s = case_timeout_s

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Load it as anybody would, and look at what came."""
        from airflow_mltest.core.decision import Decision
        from airflow_mltest.core.moving import Promotion
        from airflow_mltest.hooks.mlflow import MlflowHook
        from airflow_mltest.model_run import ask_apart

        promotion, decision = Promotion(**self.promotion), Decision.from_dict(self.decision)
        registry, uri = MlflowHook().get_conn(), f"models:/{promotion.model}@{promotion.alias}"

        def prepare(told: Recording) -> Any:
            model = registry.load(uri)
            told.about(model=model.name, version=model.version, model_digest=model.digest)
            return SimpleNamespace(
                seen={"version": model.version, "artifacts": model.digest}, seed=0, on_progress=lambda *_: None
            )

        wanted = {"version": promotion.version, "artifacts": decision.digest}
        checks = [_Same(name=name, wanted=value, uri=uri) for name, value in wanted.items()]
        ask_apart(checks, prepare, recording, case_timeout_s=self.case_timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Same:
    """Is something of what was loaded as it was decided on?"""

    name: str
    wanted: str
    uri: str

    def run(self, subject: Any) -> Case:
        """Compare."""
        from airflow_mltest.core.outcome import Case, Outcome

        seen = subject.seen[self.name]
        outcome = Outcome.PASSED if seen == self.wanted else Outcome.FAILED
        return Case(name=self.name, outcome=outcome, detail=f"{self.uri} has {seen} (wanted {self.wanted})")
