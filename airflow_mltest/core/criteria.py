"""What the evidence must show before a model may pass."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Outcome, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CLOCK_SKEW = timedelta(minutes=5)
_ABOUT_A_MODEL = {"model", "deployment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    A finished suite, and where it is kept.

    Args:
        suite: What it said.
        address: Where it can be read.
        digest: `sha256:` of the bytes at the address.
    """

    suite: Suite
    address: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    The version that wants to be promoted, and the moment of judgement.

    Args:
        model: The registered model.
        version: Its version.
        digest: Of the version's artifacts, as the registry has them now.
        champion: The version it would replace; None on a first release.
        now: The moment of judgement, aware.
        max_age: How old evidence may be; None for any age.
    """

    model: str
    version: str
    digest: str
    champion: str | None
    now: datetime
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one criterion saw, beside what it wanted."""

    criterion: str
    holds: bool
    seen: str
    wanted: str


class Criterion(Protocol):
    """A condition on evidence: any frozen dataclass with `judge` is one."""

    def judge(self, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
        """Say whether it holds; what it raises means that it does not."""


@dataclass(frozen=True, slots=True)
class SuitePassed:
    """
    The suite is there, whole, fresh, about this very version, and passed.

    Args:
        suite: Its name: the task id.
        accept_inconclusive: Take "the data cannot tell" for a yes.
    """

    suite: str
    accept_inconclusive: bool = False

    def judge(self, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
        """Look at the one piece of evidence of that name."""
        wanted = "passed, or inconclusive" if self.accept_inconclusive else "passed"
        found, problem = _usable(self.suite, evidence, candidate)
        if found is None or problem:
            return Finding(criterion=f"suite {self.suite}", holds=False, seen=problem, wanted=wanted)
        outcome = found.suite.outcome
        holds = outcome is Outcome.PASSED or (self.accept_inconclusive and outcome is Outcome.INCONCLUSIVE)
        return Finding(criterion=f"suite {self.suite}", holds=holds, seen=_told(found.suite), wanted=wanted)


@dataclass(frozen=True, slots=True)
class MetricHolds:
    """
    A number that a suite measured is within its bounds.

    Args:
        suite: The suite's name.
        metric: The number's name, as in the suite's metrics.
        minimum: The least it may be.
        maximum: The most it may be.
    """

    suite: str
    metric: str
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if not bounds or any(math.isnan(bound) for bound in bounds):
            msg = f"MetricHolds({self.suite!r}, {self.metric!r}) needs a minimum or a maximum that is a number."
            raise ConfigurationError(msg)

    def judge(self, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
        """Compare, where a number that is missing or NaN is within no bounds."""
        name = f"{self.suite}: {self.metric}"
        limits = (("at least", self.minimum), ("at most", self.maximum))
        wanted = " and ".join(f"{word} {bound:g}" for word, bound in limits if bound is not None)
        found, problem = _usable(self.suite, evidence, candidate)
        if found is None or problem:
            return Finding(criterion=name, holds=False, seen=problem, wanted=wanted)
        value = metrics_of(found.suite).get(self.metric, math.nan)
        # Not `value < minimum`: NaN is below nothing, and would open the gate.
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        seen = "not measured" if math.isnan(value) else f"{value:.6g}"
        return Finding(criterion=name, holds=above and below, seen=seen, wanted=wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    Whether a version may be promoted, and everything that this rests on.

    Args:
        model: The registered model.
        version: The version that was judged.
        digest: Of its artifacts when it was judged.
        champion: The version it was judged against; None on a first release.
        approved: Whether every criterion holds.
        findings: What each criterion saw.
        evidence: Address and digest of each suite, by the suite's name.
        decided_at: When, as ISO 8601.
    """

    model: str
    version: str
    digest: str
    champion: str | None
    approved: bool
    findings: tuple[Finding, ...]
    evidence: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    decided_at: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not: each criterion that does not hold, with what it saw."""
        return tuple(f"{f.criterion}: {f.seen} (wanted {f.wanted})" for f in self.findings if not f.holds)

    @property
    def id(self) -> str:
        """Name this decision: a hash over all of it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Give it as strict JSON."""
        return asdict(self) | {"findings": [asdict(finding) for finding in self.findings]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Decision:
        """
        Read back what `to_dict` gave.

        Raises:
            ConfigurationError: It is not a decision.
        """
        try:
            findings = tuple(Finding(**finding) for finding in document["findings"])
            decision = cls(**{**document, "findings": findings})
        except (TypeError, KeyError) as error:
            msg = f"this is not a decision of GateOperator, pass its output: {str(document)[:200]!r} ({error})"
            raise ConfigurationError(msg) from error
        # An edited "approved" is no approval.
        if decision.approved and not (findings and all(finding.holds is True for finding in findings)):
            msg = f"the decision on {decision.model} {decision.version} says approved, its findings do not."
            raise ConfigurationError(msg)
        return decision


def decide(criteria: Sequence[Criterion], evidence: Sequence[Evidence], candidate: Candidate) -> Decision:
    """
    Judge every criterion, and what no criterion may leave out.

    That is: there is a criterion, and evidence; no suite that was run in the same DAG run has
    failed or is broken, whether a criterion names it or not; and every suite that tested a model
    tested this version with these artifacts.
    """
    findings = [_judge(criterion, evidence, candidate) for criterion in criteria]
    if not criteria:
        findings.append(Finding(criterion="criteria", holds=False, seen="none", wanted="at least one"))
    named = {getattr(criterion, "suite", None) for criterion in criteria}
    findings += [_other(piece, candidate) for piece in evidence if piece.suite.name not in named]
    return Decision(
        model=candidate.model,
        version=candidate.version,
        digest=candidate.digest,
        champion=candidate.champion,
        approved=all(finding.holds is True for finding in findings),
        findings=tuple(findings),
        evidence={piece.suite.name: {"address": piece.address, "digest": piece.digest} for piece in evidence},
        decided_at=candidate.now.isoformat(),
    )


def _judge(criterion: Criterion, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
    try:
        return criterion.judge(evidence, candidate)
    except Exception as error:  # noqa: BLE001  a user's criterion; what cannot be judged does not hold
        seen = f"{type(error).__name__}: {error}"
        return Finding(criterion=type(criterion).__name__, holds=False, seen=seen, wanted="an answer")


def _other(piece: Evidence, candidate: Candidate) -> Finding:
    """Judge a suite that nobody asked for: it need not pass, but it may not speak against the version."""
    wanted = "no failed or broken case, and about this version"
    problem = _problem(piece.suite, candidate)
    against = bool(piece.suite.failures or piece.suite.incomplete)
    seen = problem or _told(piece.suite)
    return Finding(criterion=f"suite {piece.suite.name}", holds=not problem and not against, seen=seen, wanted=wanted)


def _usable(name: str, evidence: Sequence[Evidence], candidate: Candidate) -> tuple[Evidence | None, str]:
    found = [piece for piece in evidence if piece.suite.name == name]
    if not found:
        return None, "missing"
    if len(found) > 1:
        return None, f"{len(found)} suites have this name"
    return found[0], _problem(found[0].suite, candidate)


def _problem(suite: Suite, candidate: Candidate) -> str:
    """Say why *suite* is no evidence for *candidate*; empty when it is."""
    if not candidate.version:
        return "there is no version to judge"
    if suite.incomplete:
        return f"incomplete: {suite.incomplete}"
    if suite.started_at.tzinfo is None:
        return "its time has no time zone, so its age is unknown"
    ended_at = suite.started_at + timedelta(seconds=suite.duration_s)
    if ended_at > candidate.now + _CLOCK_SKEW:
        return f"it ended in the future, at {ended_at.isoformat()}"
    if candidate.max_age is not None and candidate.now - ended_at > candidate.max_age:
        return f"stale: {candidate.now - ended_at} old, and {candidate.max_age} is allowed"
    return _other_thing(suite, candidate) if suite.kind in _ABOUT_A_MODEL else ""


def _other_thing(suite: Suite, candidate: Candidate) -> str:
    asked = {"model": candidate.model, "version": candidate.version, "model_digest": candidate.digest}
    for key, wanted in asked.items():
        if suite.subject.get(key) != wanted:
            return f"it tested {key} {suite.subject.get(key) or 'unknown'}, not {wanted}"
    return ""


def _told(suite: Suite) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in suite.counts.items() if count and name != "flaky")
    failing = ", ".join(case.name for case in suite.failures[:3])
    return f"{suite.outcome} ({counts or 'nothing ran'})" + (f": {failing}" if failing else "")
