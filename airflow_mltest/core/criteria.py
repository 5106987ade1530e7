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

    def __post_init__(self) -> None:
        if not (self.model and self.version and self.digest):
            msg = f"nothing to judge: model {self.model!r}, version {self.version!r}, digest {self.digest!r}; name all."
            raise ConfigurationError(msg)
        if self.now.utcoffset() is None:
            msg = f"the moment of judgement, {self.now}, has no time zone: pass `datetime.now(UTC)`."
            raise ConfigurationError(msg)


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
        suite, problem = _usable(self.suite, evidence, candidate)
        answered = suite.passed or (self.accept_inconclusive and suite.outcome is Outcome.INCONCLUSIVE)
        holds = answered and not problem
        return Finding(criterion=f"suite {self.suite}", holds=holds, seen=problem or _told(suite), wanted=wanted)


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
        if not bounds or not all(math.isfinite(bound) for bound in bounds):
            msg = f"{self} asks for nothing: give a finite minimum, a finite maximum, or both."
            raise ConfigurationError(msg)

    def judge(self, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
        """Compare, where a number that is missing or NaN is within no bounds."""
        name = f"{self.suite}: {self.metric}"
        limits = (("at least", self.minimum), ("at most", self.maximum))
        wanted = " and ".join(f"{word} {bound}" for word, bound in limits if bound is not None)
        suite, problem = _usable(self.suite, evidence, candidate)
        value = metrics_of(suite).get(self.metric, math.nan)
        # Not `value < minimum`: NaN is below nothing, and would open the gate.
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        seen = problem or ("not measured" if math.isnan(value) else str(value))
        return Finding(criterion=name, holds=above and below and not problem, seen=seen, wanted=wanted)


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

    def __post_init__(self) -> None:
        # An edited "approved" is no approval.
        if self.approved and not (self.findings and all(finding.holds is True for finding in self.findings)):
            msg = f"the decision on {self.model} {self.version} says approved, its findings do not: run the gate again."
            raise ConfigurationError(msg)

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
    def from_dict(cls, document: Any) -> Decision:
        """
        Read back what `to_dict` gave, and nothing else.

        Raises:
            ConfigurationError: It is not a decision.
        """
        try:
            findings = tuple(Finding(**finding) for finding in document["findings"])
            decision = cls(**{**document, "findings": findings})
            texts = (decision.model, decision.version, decision.digest, decision.decided_at)
            if decision.to_dict() != document or not all(isinstance(text, str) for text in texts):
                raise TypeError("a field is missing, or of another type")  # noqa: EM101, TRY003, TRY301  told below
        except (AttributeError, KeyError, TypeError) as error:
            msg = f"this is not a decision of GateOperator, pass its output: {str(document)[:200]!r} ({error})"
            raise ConfigurationError(msg) from error
        return decision


def decide(criteria: Sequence[Criterion], evidence: Sequence[Evidence], candidate: Candidate) -> Decision:
    """
    Judge every criterion, and what no criterion may leave out.

    That is: there is a criterion, and evidence; no two suites have one name; no suite has failed or
    is broken, whether a criterion names it or not; every suite is whole and fresh; and every suite
    that tested a model tested this version with these artifacts. What gates said is no evidence.
    """
    pieces = [piece for piece in evidence if piece.suite.kind != "gate"]
    pieces.sort(key=lambda piece: (piece.suite.name, piece.digest, piece.address))
    findings = [_judge(criterion, pieces, candidate) for criterion in criteria]
    for name, there in (("criteria", criteria), ("evidence", pieces)):
        if not there:
            findings.append(Finding(criterion=name, holds=False, seen="none", wanted="at least one"))
    # `SuitePassed` asks for more than `_not_against`; any other criterion may have asked for less.
    strictly = {criterion.suite for criterion in criteria if type(criterion) is SuitePassed}
    findings += [_not_against(piece, pieces, candidate) for piece in pieces if piece.suite.name not in strictly]
    return Decision(
        model=candidate.model,
        version=candidate.version,
        digest=candidate.digest,
        champion=candidate.champion,
        approved=all(finding.holds for finding in findings),
        findings=tuple(findings),
        evidence={piece.suite.name: {"address": piece.address, "digest": piece.digest} for piece in pieces},
        decided_at=candidate.now.isoformat(),
    )


def _judge(criterion: Criterion, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
    """Ask a criterion, which may be a user's; what it cannot say yes to does not hold."""
    try:
        finding = criterion.judge(evidence, candidate)
        # Not `bool(...)`: NaN is true. The rest becomes text, since the decision travels as JSON.
        holds = bool(finding.holds == True)  # noqa: E712  numpy's True is another one
        texts = {key: str(getattr(finding, key)) for key in ("criterion", "seen", "wanted")}
    except Exception as error:  # noqa: BLE001  a user's code: whatever it raises is no yes
        seen = f"{type(error).__name__}: {error}"
        return Finding(criterion=type(criterion).__name__, holds=False, seen=seen, wanted="an answer")
    return Finding(holds=holds, **texts)


def _not_against(piece: Evidence, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
    """Judge a suite that need not have passed: it may not speak against the version."""
    suite, wanted = piece.suite, "neither failed nor broken, and about this version"
    _, problem = _usable(suite.name, evidence, candidate)
    holds = not problem and suite.outcome not in {Outcome.FAILED, Outcome.BROKEN}
    return Finding(criterion=f"suite {suite.name}", holds=holds, seen=problem or _told(suite), wanted=wanted)


def _usable(name: str, evidence: Sequence[Evidence], candidate: Candidate) -> tuple[Suite, str]:
    """Give the one suite of that name, and why it is no evidence; empty when it is."""
    found = [piece.suite for piece in evidence if piece.suite.name == name]
    if not found:
        return Suite(
            name=name, kind="code"
        ), f"missing; there is {', '.join(piece.suite.name for piece in evidence) or 'nothing'}"
    if len(found) > 1:
        return found[0], f"{len(found)} suites have this name: which of them counts?"
    return found[0], _problem(found[0], candidate)


def _problem(suite: Suite, candidate: Candidate) -> str:
    """Say why *suite* is no evidence for *candidate*; empty when it is."""
    if suite.incomplete:
        return f"incomplete: {suite.incomplete}"
    if suite.started_at.utcoffset() is None:
        return "its time has no time zone, so its age is unknown"
    try:
        ended_at = suite.started_at + timedelta(seconds=suite.duration_s)
    except (OverflowError, ValueError):
        return f"it took {suite.duration_s} s, so its age is unknown"
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
