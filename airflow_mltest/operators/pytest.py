"""pytest, live case by case, in a child process of the project's own interpreter."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.operators.project import open_project
from airflow_mltest.operators.suite import SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Kind
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.hooks.git import Checkout
    from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner
    from airflow_mltest.operators.project import Project
    from airflow_mltest.operators.shard import Part


class PytestOperator(SuiteOperator):
    """
    Run a project's tests; a test that crashes, hangs or exits costs one case, and the rest still run.

    `execution_timeout` is the budget of the whole suite: shortly before it, the running test is
    broken with every thread's stack, those that did not run are named, and the run counts as one
    that could not finish, so that it is retried as `retries` say. A retry of a shard runs only
    what had not finished.

    =======================================================  ==========================  =============
    what pytest says                                         cases                       Airflow
    =======================================================  ==========================  =============
    0: every test passed or was skipped                      as they ended               success
    0, though tests did not run; a signal; 1 without a case  broken, the rest still run  failed
    1: tests failed                                          failed                      failed
    2: interrupted by a test, or a file is not collected     broken                      failed
    3: an error inside pytest or a plugin                    what ended                  up for retry
    4: wrong usage, a `conftest.py` that does not import     none                        failed
    5: nothing collected                                     none                        failed
    6: more warnings than allowed (pytest 9)                 failed                      failed
    the budget is spent, or the task is stopped              what ended                  up for retry
    =======================================================  ==========================  =============

    "failed" is never retried: the same code fails the same way twice.

    Args:
        project: Folder of the project (its pytest configuration counts), or one test file; relative: in
            the DAG's bundle; or a `Checkout`.
        args: What `python -m pytest` is called with.
        shard: One of those that `PlanTestsOperator` returns, mostly by `.expand(shard=plan.output)`.
        python: The project's interpreter, with pytest in it; a relative path lies in the project;
            empty: the one that runs Airflow.
        env: Variables added to the tests' environment.
        case_timeout_s: Seconds after which a single test is broken, with every thread's stack.
        reruns: How often a failing test is asked again; one that passes only then is flaky.
        coverage: Whether coverage.py, installed in the project's interpreter, counts what the tests run.
    """

    kind: ClassVar[Kind] = "code"
    template_fields = ("project", "args", "shard", "python", "env")
    ui_color = "#e3f0e8"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        project: str | Checkout,
        args: Sequence[str] = (),
        shard: Mapping[str, Any] | None = None,
        python: str = "",
        env: Mapping[str, str] | None = None,
        case_timeout_s: float | None = None,
        reruns: int = 0,
        coverage: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.args = args
        self.shard = shard
        self.python = python
        self.env = env
        self.case_timeout_s = case_timeout_s
        self.reruns = reruns
        self.coverage = coverage
        self._runner: PytestRunner | None = None

    def record(self, recording: Recording, context: Context) -> None:
        """Start pytest and follow it to its end; leave what the merge of the shards needs."""
        from airflow_mltest.integrations.pytest_runner import PytestRunner

        start_s = time.monotonic()
        part = self._part(recording, context)
        commit = part.plan.commit if part else ""
        with (
            open_project(self.project, context, commit=commit) as project,
            tempfile.TemporaryDirectory(prefix="mltest-left-") as left,
        ):
            recording.about(commit=project.commit or commit)
            runner = PytestRunner(self._command(project, part, Path(left), start_s))
            self._runner = runner
            if self._stopped:  # before there was a runner to stop
                runner.stop()
            try:
                runner.run(recording)
            finally:
                if not self._stopped:  # there is no time for it then
                    self._leave(recording, project, part, Path(left))

    def stop(self) -> None:
        """Ask the runner, which ends pytest and all that its tests have started."""
        if self._runner is not None:
            self._runner.stop()

    def _part(self, recording: Recording, context: Context) -> Part | None:
        """Find what this shard runs, and take over what an earlier try of it has answered."""
        from airflow_mltest.operators.shard import answered, read_part
        from airflow_mltest.settings import open_store

        if not self.shard:
            return None
        if not context.get("map_index_template"):  # the label in the UI, where the author chose none
            context["map_index_template"] = "{{ task.shard.label }}"
        origin = recording.origin
        assert origin is not None  # noqa: S101  an operator's always has one
        part = read_part(open_store(), origin, self.shard)
        recording.under(plan=part.plan.digest, shard=self.shard["label"])
        earlier = answered(open_store(), origin, part)
        if earlier:
            self.log.info("%s cases were answered by an earlier try of this shard, and are not run again", len(earlier))
            recording.recall(earlier)
        return part

    def _command(self, project: Project, part: Part | None, left: Path, start_s: float) -> PytestCommand:
        from airflow_mltest.integrations.git_repository import WorkTree
        from airflow_mltest.integrations.pytest_runner import PytestCommand
        from airflow_mltest.operators.shard import begin_records

        budget_s = None
        if self.execution_timeout is not None:
            whole_s = self.execution_timeout.total_seconds()
            # Time to end the child and to keep the suite, before Airflow interrupts that.
            budget_s = max(whole_s - min(10.0, whole_s / 4) - (time.monotonic() - start_s), 0.1)
        own: dict[str, Any] = {}
        if part:
            with WorkTree(project.folder) as tree:
                root = tree.root
            own["files"] = tuple(str(root / file) for file in part.shard.files)
            own["only"] = frozenset(part.shard.tests)
            own["record"] = begin_records(left / "records", root) if part.plan.recording else ""
        return PytestCommand(
            project=str(project.folder),
            args=tuple(self.args),
            python=self.python,
            env={**project.env, **(self.env or {})},
            case_timeout_s=self.case_timeout_s,
            reruns=self.reruns,
            budget_s=budget_s,
            coverage=str(left / "coverage") if self.coverage else "",
            **own,
        )

    def _leave(self, recording: Recording, project: Project, part: Part | None, left: Path) -> None:
        """Keep records and coverage data beside the suite; a task of its own counts its coverage itself."""
        from airflow_mltest.operators.coverage import coverage_cases
        from airflow_mltest.operators.shard import attach_coverage, attach_records

        data = sorted(left.glob("coverage/.coverage*"))
        if part is None:
            for case in coverage_cases(data, project.folder) if data else ():
                recording.add(case)
            return
        assert recording.origin is not None  # noqa: S101  an operator's always has one
        attach_coverage(recording.origin, data)
        try:
            attach_records(recording.origin, part.plan, left / "records")
        except Exception as error:  # noqa: BLE001  without a record, a test is selected by what its source says
            self.log.warning("What these tests touched is not kept: %s: %s", type(error).__name__, error)
