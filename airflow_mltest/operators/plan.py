"""Which tests a change can reach, dealt to tasks that run side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf

from airflow_mltest.operators.project import open_project
from airflow_mltest.operators.suite import NO_RETRY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context, RetryPolicy

    from airflow_mltest.core.plan import Plan
    from airflow_mltest.hooks.git import Checkout

PLAN_FILE = "plan.json"
_TOLD = 50


class PlanTestsOperator(BaseOperator):
    """
    Collect a project's tests once, select those that a change can reach, and cut them into shards.

    Returns a list of small dicts for `PytestOperator.partial(...).expand(shard=plan.output)`; the
    list is empty when nothing that changed reaches a test, and the mapped task is then skipped.
    The tests' ids stay in the report store, however many they are.

    Shards are of about equal length by what the tests took in past runs, and keep a file's tests
    together unless that costs more than 5 % of the time. A selection fails open: what cannot be
    judged runs, and the log says why each test was selected.

    Args:
        project: Folder of the project; relative: in the DAG's bundle; or a `Checkout`.
        args: What `python -m pytest` is called with.
        shards: The most tasks there may be, at least 1; a number or a template of one. There are never
            more than `[core] max_map_length`.
        changed_since: A commit or branch, or `"last-passed"`: the newest ancestor whose run passed.
            None: all tests run.
        python: The project's interpreter, as in `PytestOperator`.
        env: Variables added to the environment in which the tests are collected.
    """

    template_fields = ("project", "args", "shards", "changed_since", "python", "env")
    ui_color = "#e3f0e8"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        project: str | Checkout,
        args: Sequence[str] = (),
        shards: int | str = 1,
        changed_since: str | None = None,
        python: str = "",
        env: Mapping[str, str] | None = None,
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.project = project
        self.args = args
        self.shards = shards
        self.changed_since = changed_since
        self.python = python
        self.env = env

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan, keep the plan where the shards find it, and return them."""
        from airflow_mltest.core.plan import plan_to_document
        from airflow_mltest.integrations.pytest_runner import PytestCommand
        from airflow_mltest.planning import plan_tests
        from airflow_mltest.settings import open_archive, open_store

        with open_project(self.project, context) as project:
            command = PytestCommand(
                project=str(project.folder),
                args=tuple(self.args),
                python=self.python,
                env={**project.env, **(self.env or {})},
            )
            plan = plan_tests(
                command,
                shards=_count(self.shards),
                since=self.changed_since or "",
                archive=open_archive,
                name=project.name,
                commit=project.commit,
            )
        ti = context["ti"]
        open_store().write(ti.dag_id, ti.run_id, self.task_id, {PLAN_FILE: json.dumps(plan_to_document(plan))})
        self._tell(plan)
        return shards_of(plan, self.task_id)

    def on_kill(self) -> None:
        """Stop collecting; whoever collects ends the child as it unwinds."""
        raise KeyboardInterrupt

    def _tell(self, plan: Plan) -> None:
        """Say what was selected and why, and who runs it."""
        if plan.everything:
            self.log.warning("All tests run: %s", plan.everything)
        elif plan.is_selection:
            self.log.info(
                "%s of %s tests are reached by what changed since %s",
                len(plan.reasons), len(plan.reasons) + plan.left_out, plan.base,
            )  # fmt: skip
            self.log.info("::group::why each test was selected")
            for test, reason in plan.reasons.items():
                self.log.info("%s: %s", test, reason)
            self.log.info("::endgroup::")
        for file, reason in plan.broken.items():
            self.log.error("%s cannot be collected: %s", file, reason)
        for shard in shards_of(plan, self.task_id)[:_TOLD]:
            self.log.info("shard %s", shard["label"])


def shards_of(plan: Plan, name: str) -> list[dict[str, Any]]:
    """Give each shard as what `PytestOperator` takes: its place in the plan that is kept under *name*."""
    from airflow_mltest.core.plan import label

    return [
        {
            "label": label(plan, number),
            "number": number,
            "of": len(plan.shards),
            "tests": len(shard.tests),
            "seconds": round(shard.seconds, 3),
            "plan": name,
            "digest": plan.digest,
        }
        for number, shard in enumerate(plan.shards, 1)
    ]


def _count(shards: int | str) -> int:
    """Read how many shards there may be; Airflow refuses to map over more than it is configured for."""
    from airflow_mltest.core.errors import ConfigurationError

    try:
        return min(int(shards), conf.getint("core", "max_map_length", fallback=1024))
    except (TypeError, ValueError):
        msg = f"shards is a whole number of 1 or more, not {shards!r}."
        raise ConfigurationError(msg) from None
