"""The shards of one plan as one suite: nothing lost, nothing counted twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltest.operators.suite import SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Case, Kind, Suite
    from airflow_mltest.core.plan import Plan
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.hooks.git import Checkout


class MergeTestsOperator(SuiteOperator):
    """
    Merge what the shards of a plan have answered, and say what they have not.

    Runs when everything before it is done, however that ended. A planned test that no shard has
    reported is a broken case, and names the shard. Its suite stands for those of the shards in
    reports and gates, under the name of its task group. What the run teaches (durations,
    outcomes, what each test touched, whether the commit passed) is kept for the next plan.

    A failing test that past runs know to be flaky says so (`facts["flaky"]`); the flaky tests of
    this commit and its ancestors are named in the log and in the suite's environment.

    Skips when the plan was empty, since nothing that changed reaches a test.

    Args:
        plan: The task id of the `PlanTestsOperator`.
        shards: The task id of the mapped `PytestOperator`.
        project: As the shards have it; the sources for which coverage is counted.
    """

    kind: ClassVar[Kind] = "code"
    template_fields = ("plan", "shards", "project")
    ui_color = "#e3f0e8"

    def __init__(
        self, *, plan: str, shards: str, project: str | Checkout, trigger_rule: str = "all_done", **kwargs: Any
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, **kwargs)
        self.plan = plan
        self.shards = shards
        self.project = project
        self._nothing = ""

    @property
    def suite_name(self) -> str:
        """The task group's, which is what a reader knows."""
        return str(self.task_id.rpartition(".")[0] or self.task_id)

    def record(self, recording: Recording, context: Context) -> None:
        """Read the shards' suites, compare them with the plan, and keep what the next one needs."""
        from airflow_mltest.core.outcome import Case, Outcome
        from airflow_mltest.core.plan import NOTHING_REACHED
        from airflow_mltest.operators.shard import read_plan
        from airflow_mltest.settings import open_store

        ti, store = context["ti"], open_store()
        plan = read_plan(store, ti.dag_id, ti.run_id, self.plan)
        recording.stands_for = self.shards
        recording.about(commit=plan.commit)
        recording.under(plan=plan.digest)
        self._nothing = "" if plan.shards else f"nothing that changed since {plan.base[:12]} reaches a test"
        if self._nothing:
            recording.add(Case(name=NOTHING_REACHED, outcome=Outcome.SKIPPED, detail=self._nothing))
            return
        kept = [kept.suite for kept in store.kept(ti.dag_id, ti.run_id)]
        digest = plan.digest  # it takes a while where there are many tests
        _take(recording, plan, [suite for suite in kept if _is_shard(suite, self.shards, digest)])
        self._keep_past(recording, plan, context)  # before the cases that are no tests
        self._count_coverage(recording, plan, context)
        self._name_flaky(recording, plan)

    def verdict(self, suite: Suite, address: str) -> Exception | None:
        """Skip what had nothing to run; else judge as every suite is judged."""
        return AirflowSkipException(self._nothing) if self._nothing else super().verdict(suite, address)

    def _count_coverage(self, recording: Recording, plan: Plan, context: Context) -> None:
        """Merge the coverage data of the shards, where there are any."""
        from airflow_mltest.operators.coverage import coverage_cases
        from airflow_mltest.operators.project import open_project
        from airflow_mltest.operators.shard import COVERAGE_FILE
        from airflow_mltest.settings import open_store

        ti = context["ti"]
        data = open_store().attached(ti.dag_id, ti.run_id, self.shards, COVERAGE_FILE)
        if data:
            with open_project(self.project, context, commit=plan.commit) as project:
                for case in coverage_cases(data, project.folder, base=plan.base, whole=not plan.left_out):
                    recording.add(case)

    def _keep_past(self, recording: Recording, plan: Plan, context: Context) -> None:
        """Leave what the next plan needs; a store that cannot be written is no reason to lose the verdict."""
        from airflow_mltest.core.errors import BrokenRunError
        from airflow_mltest.operators.past import keep_past

        try:
            keep_past(recording.suite(), plan, context, shards=self.shards)
        except BrokenRunError as error:
            self.log.warning("The next plan will not know of this run: %s", error)

    def _name_flaky(self, recording: Recording, plan: Plan) -> None:
        """Say which tests are flaky: by past runs, or because they passed only when asked again."""
        now = {
            case.name: "in quarantine" if "quarantine" in case.facts else "passed only when asked again"
            for case in recording.cases
            if case.flaky
        }
        flaky = {**plan.flaky, **now}
        if flaky:
            recording.under(flaky=flaky)
            lines = "\n".join(f"{test}: {how}" for test, how in sorted(flaky.items()))
            self.log.warning("%s flaky tests:\n%s", len(flaky), lines)


def _is_shard(suite: Suite, task_id: str, digest: str) -> bool:
    """Tell a shard of the plan with this digest from those of a plan that was made before it in the same run."""
    return (
        suite.origin is not None and suite.origin.task_id == task_id and suite.environment.get("plan", digest) == digest
    )


def _take(recording: Recording, plan: Plan, suites: list[Suite]) -> None:
    """Record what the shards have answered: loudly what has not passed, and what is missing."""
    from airflow_mltest.reports.merge import merge

    recording.expect(len(plan.tests) + len(plan.broken))
    for suite in merge(suites):
        recording.under(**{**suite.environment, "plan": plan.digest})
        failures = set(map(id, suite.failures))
        recording.recall(case for case in suite.cases if id(case) not in failures)
        for case in suite.failures:
            known = plan.flaky.get(case.name)
            recording.add(replace(case, facts={**case.facts, "flaky": known}) if known else case)
    told = {case.name for case in recording.cases}
    for case in _missing(plan, told, {suite.origin.map_index: suite for suite in suites if suite.origin}):
        recording.add(case)


def _missing(plan: Plan, told: set[str], suites: dict[int, Suite]) -> Iterator[Case]:
    """Name each planned test that nobody has reported, and each shard that did not end though its tests did."""
    from airflow_mltest.core.outcome import Case, Outcome

    for index, shard in enumerate(plan.shards):
        suite = suites.get(index)
        name = f"shard {index + 1}/{len(plan.shards)}"
        reason = (
            suite.incomplete if suite else "never reported: its task did not run, or was killed before it could say so"
        )
        left = [test for test in shard.tests if test not in told]
        for test in left:
            detail = f"was planned for {name}, which {reason or 'ended without it'}"
            yield Case(name=test, outcome=Outcome.BROKEN, detail=detail)
        if reason and not left:
            yield Case(name=f"({name})", outcome=Outcome.BROKEN, detail=reason)
