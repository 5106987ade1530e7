"""After a promotion: take back what has not passed its checks, and say how the release ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltest.operators.moves import real_pace, who
from airflow_mltest.operators.states import states_of
from airflow_mltest.operators.suite import NO_RETRY, SUMMARY_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context, RetryPolicy

    from airflow_mltest.core.moving import Promotion

_DETAIL = 300


class UndoOperator(BaseOperator):
    """
    Give an alias back, unless every check of the promotion has succeeded.

    Runs when they are done, however that ended: a check that could not run proves nothing. Skipped
    when they have passed, or when nothing was promoted. The alias goes back to the version that was
    replaced; where there was none, it is taken away, since a model that failed its check must not
    serve. It moves only if it still points at what was promoted. The decision behind it is spent.

    Args:
        promotion: What `PromoteOperator` returned.
        checks: The ids of the tasks that have to succeed.

    Returns:
        `model`, `alias`, `version` and `replaced`, as `RollbackOperator` (`version` is None where the
        alias was taken away), and `said`: what was done, and which check is why.
    """

    template_fields = ("promotion",)
    ui_color = "#f7ecd9"

    def __init__(
        self,
        *,
        promotion: Mapping[str, Any] | None,
        checks: Sequence[str],
        trigger_rule: str = "all_done",
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, retry_policy=retry_policy, **kwargs)
        self.promotion = promotion
        self.checks = tuple(checks)

    def execute(self, context: Context) -> dict[str, Any]:
        """Look at the checks, and give back what they have not let pass."""
        from airflow_mltest.core.moving import Promotion

        why = _why_not(context, self.checks) if self.promotion else ""
        if not self.promotion or not why:
            msg = "the checks have passed." if self.promotion else "nothing was promoted."
            raise AirflowSkipException(msg)
        promotion = Promotion(**self.promotion)
        to = promotion.replaced
        if to is None:
            _take_away(context, promotion, spent=True)
            done = f"was taken away from {promotion.version}, before which there was nothing,"
        else:
            _go_back(context, promotion, to)
            done = f"was rolled back from {promotion.version} to {to}"
        said = f"{promotion.model}@{promotion.alias} {done} because {why}"
        self.log.warning("%s", said)
        how = {"model": promotion.model, "alias": promotion.alias, "version": to, "replaced": promotion.version}
        return {**how, "said": said}


class WithdrawOperator(BaseOperator):
    """
    Take an alias away, however what came before has ended; skipped where nobody has put it anywhere.

    Args:
        promotion: What the task returned that put it somewhere: it is taken away only from there.
    """

    template_fields = ("promotion",)
    ui_color = "#f7ecd9"

    def __init__(
        self,
        *,
        promotion: Mapping[str, Any] | None,
        trigger_rule: str = "all_done",
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, retry_policy=retry_policy, **kwargs)
        self.promotion = promotion

    def execute(self, context: Context) -> None:
        """Take it away."""
        from airflow_mltest.core.moving import Promotion

        if not self.promotion:
            msg = "no alias was moved, so none is taken away."
            raise AirflowSkipException(msg)
        promotion = Promotion(**self.promotion)
        _take_away(context, promotion)
        self.log.info("%s@%s -> nothing", promotion.model, promotion.alias)


class ReleasedOperator(BaseOperator):
    """
    Say how a release ended: fail if it was taken back, and say why; else return what was promoted.

    Args:
        promotion: What `PromoteOperator` returned.
        undone: What `UndoOperator` returned; None when it was skipped.
    """

    template_fields = ("promotion", "undone")
    ui_color = "#dff3e3"

    def __init__(
        self,
        *,
        promotion: Mapping[str, Any],
        undone: Mapping[str, Any] | None,
        trigger_rule: str = "none_failed_min_one_success",
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, retry_policy=retry_policy, **kwargs)
        self.promotion = promotion
        self.undone = undone

    def execute(self, context: Context) -> Mapping[str, Any]:  # noqa: ARG002
        """Fail, or return what is there now."""
        from airflow_mltest.core.errors import TestsFailedError

        if self.undone:
            raise TestsFailedError(self.undone["said"])
        return self.promotion


def _take_away(context: Context, promotion: Promotion, *, spent: bool = False) -> None:
    """Let an alias point nowhere, as the task of *context*; *spent* as in `withdraw`."""
    from airflow_mltest.core.withdrawal import withdraw
    from airflow_mltest.hooks.mlflow import MlflowHook

    withdraw(MlflowHook().get_conn(), promotion, who=who(context), pace=real_pace(), spent=spent)


def _go_back(context: Context, promotion: Promotion, to: str) -> None:
    from airflow_mltest.core.rollback import Retreat, roll_back
    from airflow_mltest.hooks.mlflow import MlflowHook

    meant = Retreat(model=promotion.model, alias=promotion.alias, version=promotion.version, to=to, steps=1)
    roll_back(MlflowHook().get_conn(), meant, who=who(context), pace=real_pace())


def _why_not(context: Context, checks: Sequence[str]) -> str:
    """Say which check has not succeeded, and what it found first; empty when all have."""
    ti: Any = context["ti"]
    for task_id in checks:
        for index, state in (states_of(ti, task_id) or {-1: "missing"}).items():
            if state != "success":
                told = ti.xcom_pull(task_ids=task_id, key=SUMMARY_KEY, map_indexes=index)
                label = task_id if index < 0 else f"{task_id}[{index}]"
                return f"{label}: {_found(told) or f'its task is {state}'}"
    return ""


def _found(summary: Any) -> str:
    """Give what a suite found first, on one line; empty where it found nothing, or told nothing."""
    if not isinstance(summary, Mapping):
        return ""
    first = next((f"{case['name']}: {case['detail']}" for case in summary["failures"]), summary.get("incomplete", ""))
    line = " ".join(first.split())
    return line if len(line) <= _DETAIL else f"{line[: _DETAIL - 1]}…"
