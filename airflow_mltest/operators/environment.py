"""The worker that a task really runs on, against the environment that production has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.operators.suite import SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_mltest.core.environment import Comparison
    from airflow_mltest.core.outcome import Case, Kind
    from airflow_mltest.core.profile import Profile
    from airflow_mltest.core.recording import Recording

COMPARED = ("cpus", "memory_gib", "gpus", "python", "packages", "env", "image")
_MACHINE = "run it there with `**on(environment)`, on a worker with just these limits, or correct the environment"
_WHAT_TO_DO = {
    "cpus": _MACHINE,
    "memory_gib": _MACHINE,
    "gpus": _MACHINE,
    "python": "build the worker's image on production's Python",
    "packages": "install the worker from the lock file that production is installed from",
    "env": "set it where the worker starts",
    "image": "start the worker from it, named in its variable MLTEST_IMAGE, as `**on(environment)` does for a pod",
}


class EnvironmentTestOperator(SuiteOperator):
    """
    Compare what this task's worker has with what production has, field by field.

    Asks of the process itself: CPUs by affinity and quota, the memory limit of its control group, GPUs,
    Python, packages, environment variables, image. CPUs and memory agree within 2 %, Python in as many
    parts as are given, all else exactly. What cannot be known is inconclusive.

    Args:
        environment: What production has, as `airflow_mltest.placement.Environment`.
        strict: Fields whose difference fails; another's is told and skipped. None: all of them.
    """

    kind: ClassVar[Kind] = "environment"
    ui_color = "#e3eaf7"

    def __init__(self, *, environment: Profile, strict: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.environment = environment
        self.strict = COMPARED if strict is None else tuple(strict)
        _require(self.task_id, environment, self.strict)

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Look once, and answer for each field that was asked for."""
        from airflow_mltest.core.environment import compare, offered

        found = offered(self.environment, os.environ)
        recording.under(worker=found.to_dict(), asked=self.environment.asked())
        compared = compare(self.environment, found)
        recording.expect(len(compared))
        for one in compared:
            recording.add(_case(one, self.strict))


def _require(task_id: str, environment: Profile, strict: Sequence[str]) -> None:
    """Refuse what would compare nothing, when the DAG is parsed."""
    from airflow_mltest.core.spelling import near

    unknown = [name for name in strict if name not in COMPARED]
    if unknown:
        msg = f"{task_id}: strict: {unknown[0]!r} is none of {', '.join(COMPARED)}{near(unknown[0], COMPARED)}"
        raise ConfigurationError(msg)
    if not any(getattr(environment, name) for name in COMPARED):
        msg = f"{task_id}: environment: it asks for none of {', '.join(COMPARED)}, so there is nothing to compare"
        raise ConfigurationError(msg)


def _case(one: Comparison, strict: Sequence[str]) -> Case:
    from airflow_mltest.core.outcome import Case, Outcome

    if one.same:
        return Case(name=one.field, outcome=Outcome.PASSED, detail=one.offered)
    field = one.field.partition("[")[0]
    if field not in strict:
        return Case(name=one.field, outcome=Outcome.SKIPPED, detail=f"{one}; {field!r} is not among the strict fields")
    outcome = Outcome.INCONCLUSIVE if one.same is None else Outcome.FAILED
    return Case(name=one.field, outcome=outcome, detail=f"{one}: {_WHAT_TO_DO[field]}")
