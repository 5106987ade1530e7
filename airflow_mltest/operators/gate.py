"""Decide from the evidence of the DAG run whether a model version may be promoted; closed unless proven."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltest.core.errors import ConfigurationError, TestsFailedError
from airflow_mltest.operators.states import states_of
from airflow_mltest.operators.suite import SUMMARY_KEY, SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_mltest.core.criteria import Criterion
    from airflow_mltest.core.decision import Decision, Finding
    from airflow_mltest.core.evidence import Candidate, Evidence
    from airflow_mltest.core.outcome import Case, Kind, Suite
    from airflow_mltest.core.ports import Registry
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.reports.store import Kept


class GateOperator(SuiteOperator):
    """
    Judge every criterion on the suites of this DAG run and on the registry, and return the decision.

    Runs when everything before it is done, however that ended: what is missing, stale, altered,
    still running, about another version or not passed is a reason to refuse. Each criterion is a
    case; the decision and the digests of its evidence are written as tags of the model version.

    Args:
        model: The registered model's name.
        version: The version that wants to be promoted.
        criteria: What must hold: `SuitePassed`, `MetricHolds`, `MetricAgainstChampion`, or your own.
        max_age: How old evidence may be; None for any age within the DAG run.
        alias: Where it would be promoted to; the version there is what it is compared with. Of
            another model, to which the version would be copied: `other-model@alias`.
        on_reject: `"fail"` the task, or `"skip"` it and what follows.
        subject: What the evidence has to be about, such as the `commit` or the `data_digest`: at
            least one suite has to name each, and none may name another value.
    """

    kind: ClassVar[Kind] = "gate"
    template_fields = ("model", "version", "alias", "subject")
    ui_color = "#f7e3e0"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        model: str,
        version: str,
        criteria: Sequence[Criterion],
        max_age: timedelta | None = None,
        alias: str = "champion",
        on_reject: Literal["fail", "skip"] = "fail",
        subject: Mapping[str, str] | None = None,
        trigger_rule: str = "all_done",
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, **kwargs)
        self.model = model
        self.version = version
        self.criteria = tuple(criteria)
        self.max_age = max_age
        self.alias = alias
        self.on_reject = on_reject
        self.subject = subject
        self._decision: Decision | None = None

    def record(self, recording: Recording, context: Context) -> None:
        """Gather the evidence, decide, and write the decision where the model is."""
        from airflow_mltest.core.criteria import decide
        from airflow_mltest.core.gate_tags import gate_tags
        from airflow_mltest.hooks.mlflow import MlflowHook

        self._decision = None  # an earlier run's, where one object runs twice, is none of this one's
        registry = MlflowHook().get_conn()
        candidate = self.candidate(registry)
        recording.about(model=self.model, version=self.version, model_digest=candidate.digest)
        evidence = _evidence(context)
        decision = decide(self.criteria, evidence, candidate)
        recording.expect(len(decision.findings))
        for finding in decision.findings:
            recording.add(_case(finding))
        registry.tag(self.model, self.version, gate_tags(decision, evidence, candidate))
        self._decision = decision

    def result(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return the decision; without one, a refusal that `PromoteOperator` takes for none."""
        return self._decision.to_dict() if self._decision else {"approved": False, "reasons": [summary["incomplete"]]}

    def verdict(self, suite: Suite, address: str) -> Exception | None:
        """Refuse by name of what did not hold."""
        if self._decision is None or self._decision.approved:
            return super().verdict(suite, address)
        msg = f"{self.model} version {self.version} is refused: {'; '.join(self._decision.reasons)}; see {address}"
        return TestsFailedError(msg) if self.on_reject == "fail" else AirflowSkipException(msg)

    def candidate(self, registry: Registry) -> Candidate:
        """Ask the registry who wants to be promoted, and whom it would replace."""
        from airflow_mltest.core.evidence import Candidate
        from airflow_mltest.core.gate_tags import champion_figures

        if not self.version:
            msg = f"there is no version of {self.model!r} to judge: did the task that registers it succeed?"
            raise ConfigurationError(msg)
        if not isinstance(self.subject, Mapping | None):
            msg = f"the evidence's subject is {self.subject!r:.200}: give a mapping, such as {{'commit': '...'}}."
            raise ConfigurationError(msg)
        other, _, alias = self.alias.rpartition("@")
        model = other or self.model
        # A model that a first copy will make is not there yet.
        champion = registry.version_of(model, alias) if model == self.model or registry.versions(model) else None
        return Candidate(
            model=self.model,
            version=self.version,
            digest=registry.digest(self.model, self.version),
            champion=champion,
            now=datetime.now(UTC),
            max_age=self.max_age,
            target=f"{model}@{alias}",
            subject={str(key): str(value) for key, value in (self.subject or {}).items()},
            champion_figures=champion_figures(registry.tags(model, champion)) if champion else {},
        )


class _Tasks:
    """
    What Airflow knows of the tasks of this DAG run.

    Args:
        context: The gate's.
    """

    def __init__(self, context: Context) -> None:
        self._ti = context["ti"]
        self._states: dict[str, Mapping[int, str | None]] = {}

    def doubt(self, kept: Kept) -> str:
        """Say why what the store holds may not be what its task has said; empty when it is."""
        from airflow_mltest.core.evidence import doubt_of

        origin = kept.suite.origin
        if origin is None:
            return "no task says that it kept this"
        summary = self._ti.xcom_pull(task_ids=origin.task_id, key=SUMMARY_KEY, map_indexes=origin.map_index)
        told = summary.get("digest") if isinstance(summary, Mapping) else None
        return doubt_of(kept.suite, kept.digest, state=self._state(origin.task_id, origin.map_index), told=told)

    def _state(self, task_id: str, map_index: int) -> str | None:
        if task_id not in self._states:
            self._states[task_id] = states_of(self._ti, task_id)
        return self._states[task_id].get(map_index)


def _evidence(context: Context) -> list[Evidence]:
    """Read the suites of this DAG run, without those of gates; shards count as one."""
    from airflow_mltest.core.evidence import Evidence
    from airflow_mltest.reports.merge import in_force, merge
    from airflow_mltest.settings import open_store

    ti, tasks, by_name = context["ti"], _Tasks(context), defaultdict(list)
    found = [kept for kept in open_store().kept(ti.dag_id, ti.run_id) if kept.suite.kind != "gate"]
    counting = set(map(id, in_force(kept.suite for kept in found)))
    behind = defaultdict(list)
    for kept in found:
        one = Evidence(suite=kept.suite, address=kept.address, digest=kept.digest, doubt=tasks.doubt(kept))
        if id(kept.suite) in counting:
            by_name[kept.suite.name].append(one)
        elif kept.suite.origin:
            # Another suite stands for it, and is worth as much as what it has read.
            behind[kept.suite.origin.task_id].append(one)
    return [
        _one(suite, parts, behind[suite.stands_for] if suite.stands_for else [])
        for parts in by_name.values()
        for suite in merge(part.suite for part in parts)
    ]


def _one(suite: Suite, parts: Sequence[Evidence], behind: Sequence[Evidence]) -> Evidence:
    """Give a suite with what it was merged from."""
    from airflow_mltest.core.evidence import Evidence

    doubts = [
        f"{part.label}: {part.doubt}" if part.label != suite.name else part.doubt
        for part in (*parts, *behind)
        if part.doubt
    ]
    return Evidence(
        suite=suite,
        address=" ".join(part.address for part in parts),
        digest=" ".join(part.digest for part in parts),
        doubt="; ".join(doubts),
        parts=tuple(parts) if len(parts) > 1 else (),
    )


def _case(finding: Finding) -> Case:
    from airflow_mltest.core.outcome import Case, Outcome

    return Case(
        name=finding.criterion,
        outcome=Outcome.PASSED if finding.holds else Outcome.FAILED,
        detail=f"{finding.seen} (wanted {finding.wanted})",
    )
