"""The versions of each model that were tested: their figures, and what gates have decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.versions import Measured, over_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_mltest.reports.summary import Summary

_MOST_METRICS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """
    A version of a model.

    Args:
        version: As the registry calls it.
        suites: The newest suite of each task that was asked of it, without gates.
        decision: What the newest gate said; None: no gate has judged it.
    """

    version: str
    suites: Sequence[Summary]
    decision: Summary | None

    @property
    def decided(self) -> str:
        """The decision in a word; empty: there is none."""
        if self.decision is None:
            return ""
        return "approved" if self.decision.outcome is Outcome.PASSED else "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    A model, version by version.

    Args:
        name: Its name in the registry, or its address.
        versions: The newest first.
        figures: Each of the first twelve metrics, by version.
    """

    name: str
    versions: Sequence[Version]
    figures: Mapping[str, Mapping[str, float]]


def models(summaries: Iterable[Summary]) -> list[Model]:
    """Put *summaries* together by the models and versions that they are about; others are passed over."""
    found: dict[str, list[Summary]] = {}
    for summary in summaries:
        subject = summary.suite.subject
        if subject.get("model") and subject.get("version"):
            found.setdefault(subject["model"], []).append(summary)
    return [_model(name, found[name]) for name in sorted(found)]


def _model(name: str, summaries: Sequence[Summary]) -> Model:
    ordered = sorted(summaries, key=lambda summary: summary.suite.started_at)
    by_version: dict[str, list[Summary]] = {}
    for summary in ordered:
        by_version.setdefault(summary.suite.subject["version"], []).append(summary)
    measured = [
        Measured(version=summary.suite.subject["version"], started_at=summary.suite.started_at, metrics=summary.metrics)
        for summary in ordered
        if summary.suite.kind != "gate"
    ]
    versions = [_version(version, some) for version, some in by_version.items()]
    return Model(
        name=name, versions=versions[::-1], figures=dict(list(over_versions(measured).items())[:_MOST_METRICS])
    )


def _version(version: str, summaries: Sequence[Summary]) -> Version:
    # The oldest first: of one task the newest stays.
    newest = {
        (summary.suite.origin.dag_id, summary.suite.origin.task_id): summary
        for summary in summaries
        if summary.suite.origin and summary.suite.kind != "gate"
    }
    gates = [summary for summary in summaries if summary.suite.kind == "gate"]
    return Version(version=version, suites=[*newest.values()], decision=gates[-1] if gates else None)
