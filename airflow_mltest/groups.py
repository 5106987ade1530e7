"""Several operators as one task group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup, chain

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.operators.canary import CanaryOperator, HoldOperator
from airflow_mltest.operators.gate import GateOperator
from airflow_mltest.operators.merge import MergeTestsOperator
from airflow_mltest.operators.plan import PlanTestsOperator
from airflow_mltest.operators.promote import PromoteOperator
from airflow_mltest.operators.promoted import PromotedTestOperator
from airflow_mltest.operators.pytest import PytestOperator
from airflow_mltest.operators.undo import ReleasedOperator, UndoOperator, WithdrawOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.definitions._internal.node import DAGNode

    from airflow_mltest.core.criteria import Criterion
    from airflow_mltest.hooks.git import Checkout

_COLLECTING = ("args", "python", "env")
_CANARY = "canary"


def pytest_group(
    group_id: str,
    project: str | Checkout,
    *,
    shards: int | str,
    changed_since: str | None = None,
    on: Mapping[str, Any] | None = None,
    **pytest_keywords: Any,
) -> TaskGroup:
    """
    Plan a project's tests, run them in shards side by side, and merge what they said.

    The tasks are `<group_id>.plan`, the mapped `<group_id>.tests` and `<group_id>.merge`; in reports
    and gates the merged suite is called *group_id*.

    Args:
        group_id: The group's id, and the suite's name.
        project: Folder of the project; relative: in the DAG's bundle; or a `Checkout`.
        shards: The most shards there may be.
        changed_since: As in `PlanTestsOperator`: only what the change can reach runs.
        on: Keywords of the operator that say where each shard runs, such as `queue` and `executor_config`.
        **pytest_keywords: For each shard's `PytestOperator`: `args`, `python`, `env`, `case_timeout_s`,
            `reruns`, `coverage`, and what every operator takes, such as `retries` or `execution_timeout`.
    """
    collecting = {name: value for name, value in pytest_keywords.items() if name in _COLLECTING}
    with TaskGroup(group_id) as group:
        plan = PlanTestsOperator(
            task_id="plan", project=project, shards=shards, changed_since=changed_since, **collecting
        )
        tests = PytestOperator.partial(
            task_id="tests",
            project=project,
            map_index_template="{{ task.shard.label }}",
            **pytest_keywords,
            **(on or {}),
        ).expand(shard=plan.output)
        merge = MergeTestsOperator(task_id="merge", plan=plan.task_id, shards=tests.task_id, project=project)
        plan >> tests >> merge
    return group


def release_group(  # noqa: PLR0913  the public contract
    group_id: str,
    model: str,
    version: str,
    *,
    tests: Sequence[DAGNode],
    criteria: Sequence[Criterion],
    alias: str = "champion",
    approval: bool = False,
    approvers: Sequence[Mapping[str, str]] = (),
    approval_timeout: timedelta | None = None,
    check: Callable[[str], Any] | None = None,
    canary: timedelta | None = None,
    copy_to: str = "",
    **gate_keywords: Any,
) -> TaskGroup:
    """
    Judge a version, let a person approve, promote it, check it where it serves, and take it back if that fails.

    The tasks are `gate`, `approve`, `promote`, `check`, `roll_back` and `released`, below *group_id*. How
    they end, where `-` is skipped and `x` upstream_failed:

    ===================================  =======  =======  =======  =======  =========  ========  =======
    what happens                         gate     approve  promote  check    roll_back  released  DAG run
    ===================================  =======  =======  =======  =======  =========  ========  =======
    all is well                          success  success  success  success  -          success   success
    a criterion does not hold            failed   x        x        x        -          x         failed
    the same, with `on_reject="skip"`    -        -        -        -        -          -         success
    a person rejects, or time is up      success  success  -        -        -          -         success
    the decision no longer holds         success  success  failed   x        -          x         failed
    the check fails                      success  success  success  failed   success    failed    failed
    the same, and the alias has been     success  success  success  failed   failed     x         failed
    moved by somebody else
    ===================================  =======  =======  =======  =======  =========  ========  =======

    With *canary* there are, between approval and promotion, `canary` (the alias `canary` points at the
    version), `canary_check`, `hold` (no worker waits) and `canary_check_again`; what comes after the one
    that fails is upstream_failed up to `check` and `released`, and the alias never moves. `end_canary`
    takes `canary` away, however that ended.

    Args:
        group_id: The group's id.
        model: The registered model.
        version: The version that wants to be promoted.
        tests: The tasks and groups whose suites are the evidence; the gate comes after them.
        criteria: What must hold, as in `GateOperator`.
        alias: The alias to move.
        approval: Whether a person has to approve, who sees the decision as a table.
        approvers: Who may, as `{"id": ..., "name": ...}`; empty: who may answer for the DAG.
        approval_timeout: After this time nobody has approved; None: there is no limit but the
            evidence's `max_age`.
        check: Called with `models:/<model>@<alias>`, makes the tasks that ask the promoted model; they
            all have to succeed. None for `PromotedTestOperator`. With *canary* called three times.
        canary: How long the version is on trial before it is promoted; None for no trial.
        copy_to: Another registered model: the version is copied there, and the alias of that one
            moves. The trial is the version's own, before it is copied.
        **gate_keywords: For `GateOperator`: `max_age`, `on_reject`, `subject`.

    Raises:
        ConfigurationError: There are approvers and no approval; evidence is too old when the trial
            ends; or *check* makes no task.
    """
    _must_make_sense(approval or not (approvers or approval_timeout), canary, gate_keywords.get("max_age"))
    to = f"{copy_to}@{alias}" if copy_to else alias
    with TaskGroup(group_id) as group:
        gate = GateOperator(task_id="gate", model=model, version=version, criteria=criteria, alias=to, **gate_keywords)
        list(tests) >> gate
        ask, answer = [], None
        if approval:
            ask = [_approve(gate, f"{model} version {version}", to, approvers, approval_timeout)]
            answer = _output(ask[0])
        trial = _trial(model, gate, answer, check, canary) if canary else []
        promote = PromoteOperator(
            task_id="promote",
            model=model,
            version=version,
            alias=alias,
            decision=_output(gate),
            copy_to=copy_to,
            approval=answer,
        )
        checked = _checked("check", check, f"models:/{copy_to or model}@{alias}", promote, gate)
        checks = [task.task_id for task in checked.iter_tasks()]
        roll_back = UndoOperator(task_id="roll_back", promotion=_output(promote), checks=checks)
        released = ReleasedOperator(task_id="released", promotion=_output(promote), undone=_output(roll_back))
        chain(gate, *ask, *trial, promote, checked, roll_back, released)
        if trial:
            promote >> WithdrawOperator(task_id="end_canary", promotion=_output(trial[0]))
    return group


def _output(task: Any) -> Any:
    """Give what a task will return, for a templated field."""
    return task.output


def _must_make_sense(approvable: bool, canary: timedelta | None, max_age: timedelta | None) -> None:  # noqa: FBT001
    if not approvable:
        msg = "release_group: approvers, or a timeout, and approval=False: nobody would be asked. Set approval=True."
        raise ConfigurationError(msg)
    if canary and max_age and max_age <= canary:
        msg = f"release_group: after a trial of {canary}, all evidence is older than max_age={max_age}: make it longer."
        raise ConfigurationError(msg)


def _approve(
    gate: BaseOperator,
    subject: str,
    target: str,
    approvers: Sequence[Mapping[str, str]],
    timeout: timedelta | None,
) -> BaseOperator:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    return ApprovalOperator(
        task_id="approve",
        subject=f"Promote {subject} to {target}?",
        body=_Table(gate),
        defaults=ApprovalOperator.REJECT,
        assigned_users=list(approvers) or None,
        response_timeout=timeout,
    )


def _trial(
    model: str, gate: BaseOperator, answer: Any, check: Callable[[str], Any] | None, duration: timedelta
) -> list[Any]:
    """Make the tasks of a trial, in their order."""
    uri = f"models:/{model}@{_CANARY}"
    canary = CanaryOperator(task_id="canary", decision=_output(gate), alias=_CANARY, approval=answer)
    first = _checked("canary_check", check, uri, canary, gate)
    hold = HoldOperator(task_id="hold", duration=duration)
    return [canary, first, hold, _checked("canary_check_again", check, uri, canary, gate)]


def _checked(
    stage: str, check: Callable[[str], Any] | None, uri: str, moved: BaseOperator, gate: BaseOperator
) -> TaskGroup:
    """Make the tasks that ask what *moved* has put an alias at."""
    with TaskGroup(stage) as group:
        if check:
            check(uri)
        else:
            PromotedTestOperator(task_id="serves", promotion=_output(moved), decision=_output(gate))
    if not group.children:
        msg = f"release_group: check({uri!r}) has made no task: return an operator."
        raise ConfigurationError(msg)
    return group


class _Table:
    """
    The decision as a table, for a templated field.

    Args:
        gate: Whose decision.
    """

    def __init__(self, gate: BaseOperator) -> None:
        self._gate = gate

    def __str__(self) -> str:
        return f"<the decision of {self._gate.task_id}>"

    def resolve(self, context: Context) -> str:
        """Write it, when the task runs; nothing in it is taken for markup."""
        from airflow_mltest.core.decision import Decision, as_markdown

        return as_markdown(Decision.from_dict(self._gate.output.resolve(context)))
