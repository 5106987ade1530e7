"""Decide from the evidence of the DAG run whether a model version may be promoted; closed unless proven."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltest.core.errors import TestsFailedError
from airflow_mltest.operators.suite import SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_mltest.core.criteria import Criterion, Decision, Evidence, Finding
    from airflow_mltest.core.outcome import Case, Kind, Suite
    from airflow_mltest.core.recording import Recording


class GateOperator(SuiteOperator):
    """
    Judge every criterion on the suites of this DAG run and on the registry, and return the decision.

    Runs when everything before it is done, however that ended: what is missing, stale, about
    another version or not passed is a reason to refuse. Each criterion is a case; the decision and
    the digests of its evidence are written as tags of the model version.

    Args:
        model: The registered model's name.
        version: The version that wants to be promoted.
        criteria: What must hold: `SuitePassed`, `MetricHolds`, or your own.
        max_age: How old evidence may be; None for any age within the DAG run.
        alias: Where it would be promoted to; the version there is what it was compared with.
        on_reject: `"fail"` the task, or `"skip"` it and what follows.
    """

    kind: ClassVar[Kind] = "gate"
    template_fields = ("model", "version", "alias")
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
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.criteria = tuple(criteria)
        self.max_age = max_age
        self.alias = alias
        self.on_reject = on_reject
        self._decision: Decision | None = None

    def record(self, recording: Recording, context: Context) -> None:
        """Gather the evidence, decide, and write the decision where the model is."""
        from airflow_mltest.core.criteria import Candidate, decide
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.hooks.mlflow import MlflowHook

        self._decision = None  # an earlier run's, where one object runs twice, is none of this one's
        if not self.version:
            msg = f"there is no version of {self.model!r} to judge: did the task that registers it succeed?"
            raise ConfigurationError(msg)
        registry = MlflowHook().get_conn()
        candidate = Candidate(
            model=self.model,
            version=self.version,
            digest=registry.digest(self.model, self.version),
            champion=registry.version_of(self.model, self.alias),
            now=datetime.now(UTC),
            max_age=self.max_age,
        )
        recording.about(model=self.model, version=self.version, model_digest=candidate.digest)
        decision = decide(self.criteria, _evidence(context), candidate)
        recording.expect(len(decision.findings))
        for finding in decision.findings:
            recording.add(_case(finding))
        registry.tag(self.model, self.version, _tags(decision))
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


def _evidence(context: Context) -> list[Evidence]:
    """Read the suites of this DAG run, without those of gates; shards count as one."""
    from airflow_mltest.core.criteria import Evidence
    from airflow_mltest.reports.merge import in_force, merge
    from airflow_mltest.settings import open_store

    ti, by_name = context["ti"], defaultdict(list)
    found = open_store().kept(ti.dag_id, ti.run_id)
    counting = set(map(id, in_force(kept.suite for kept in found)))
    for kept in found:
        if kept.suite.kind != "gate" and id(kept.suite) in counting:
            by_name[kept.suite.name].append(kept)
    return [
        Evidence(
            suite=suite,
            address=" ".join(kept.address for kept in by_name[suite.name]),
            digest=" ".join(kept.digest for kept in by_name[suite.name]),
        )
        for name in by_name
        for suite in merge(kept.suite for kept in by_name[name])
    ]


def _case(finding: Finding) -> Case:
    from airflow_mltest.core.outcome import Case, Outcome

    return Case(
        name=finding.criterion,
        outcome=Outcome.PASSED if finding.holds else Outcome.FAILED,
        detail=f"{finding.seen} (wanted {finding.wanted})",
    )


def _tags(decision: Decision) -> dict[str, str]:
    return {
        "mltest.gate": "approved" if decision.approved else "refused",
        "mltest.gate.decision": decision.id,
        "mltest.gate.decided_at": decision.decided_at,
        "mltest.gate.reasons": json.dumps(decision.reasons),
        "mltest.gate.evidence": json.dumps(decision.evidence),
    }
