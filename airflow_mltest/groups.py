"""Several operators as one task group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup

from airflow_mltest.operators.merge import MergeTestsOperator
from airflow_mltest.operators.plan import PlanTestsOperator
from airflow_mltest.operators.pytest import PytestOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltest.hooks.git import Checkout

_COLLECTING = ("args", "python", "env")


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
