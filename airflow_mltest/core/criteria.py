"""What the evidence must show before a model may pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.evidence import Candidate, Evidence, usable
from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A decision travels through Airflow's database and a person's screen.
_TEXT = 1_000
_TOLD_ELSEWHERE = {"model", "version", "model_digest"}


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
        piece, problem = usable(self.suite, evidence, candidate)
        suite = piece.suite
        answered = suite.passed or (self.accept_inconclusive and suite.outcome is Outcome.INCONCLUSIVE)
        holds = answered and not problem
        return Finding(criterion=f"suite {self.suite}", holds=holds, seen=problem or str(piece), wanted=wanted)


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
        piece, problem = usable(self.suite, evidence, candidate)
        value = metrics_of(piece.suite).get(self.metric, math.nan)
        # Not `value < minimum`: NaN is below nothing, and would open the gate.
        above = self.minimum is None or value >= self.minimum
        below = self.maximum is None or value <= self.maximum
        seen = problem or ("not measured" if math.isnan(value) else str(value))
        return Finding(criterion=name, holds=above and below and not problem, seen=seen, wanted=wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAgainstChampion:
    """
    A number that a suite measured is close enough to what the champion's gate wrote of the champion.

    Both have to be measured on the same data; on a first release there is nothing to compare with,
    and it holds. In the metric's own unit, since a share of a number that may be zero or below means
    nothing. It knows nothing of luck: where the champion can be asked again, the check `NotWorseThan`
    does.

    Args:
        suite: The suite's name, the same in both releases.
        metric: The number's name, as in the suite's metrics.
        max_drop: How far it may be below the champion's, for what should be high.
        max_rise: How far it may be above the champion's, for what should be low.
    """

    suite: str
    metric: str
    max_drop: float | None = None
    max_rise: float | None = None

    def __post_init__(self) -> None:
        given = [bound for bound in (self.max_drop, self.max_rise) if bound is not None]
        if len(given) != 1 or not (math.isfinite(given[0]) and given[0] >= 0):
            msg = f"{self} compares nothing: give either max_drop or max_rise, a finite number of 0 or more."
            raise ConfigurationError(msg)

    def judge(self, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
        """Compare, where a number that is not known of either is close to nothing."""
        piece, problem = usable(self.suite, evidence, candidate)
        value = metrics_of(piece.suite).get(self.metric, math.nan)
        problem = problem or ("not measured" if math.isnan(value) else "")
        seen, holds = problem or f"{value}; no champion", not problem
        if holds and candidate.champion is not None:
            champions, why_not = self._champions(piece, candidate)
            seen = f"{value}; {why_not or f'version {candidate.champion} has {champions}'}"
            holds = not why_not and self._close(value, champions)
        bound = f"{self.max_rise} above" if self.max_drop is None else f"{self.max_drop} below"
        return Finding(
            criterion=f"{self.suite}: {self.metric} against the champion",
            holds=holds,
            seen=seen,
            wanted=f"at most {bound} the champion's, on the same data",
        )

    def _champions(self, piece: Evidence, candidate: Candidate) -> tuple[float, str]:
        """Give the champion's number, and why it is none to compare with; empty when it is."""
        champion, figures = f"version {candidate.champion}", candidate.champion_figures.get(self.suite)
        if not isinstance(figures, Mapping) or not isinstance(figures.get("metrics"), Mapping):
            return math.nan, f"no gate has left figures of {self.suite} on {champion}: let a gate judge it first"
        if piece.named("data_digest") != {figures.get("data_digest")}:
            return math.nan, f"{champion} was measured on other data: measure both here, as the check NotWorseThan does"
        value = figures["metrics"].get(self.metric)
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            return math.nan, f"{champion} has no {self.metric}"
        return float(value), ""

    def _close(self, value: float, champions: float) -> bool:
        # As they are written: 0.4 - 0.1 is more than 0.3 in binary, and would refuse a drop of exactly 0.1.
        mine, theirs, bound = (Decimal(repr(float(x))) for x in (value, champions, self.max_drop or self.max_rise or 0))
        return mine <= theirs + bound if self.max_drop is None else mine >= theirs - bound


def decide(criteria: Sequence[Criterion], evidence: Sequence[Evidence], candidate: Candidate) -> Decision:
    """
    Judge every criterion, and what no criterion may leave out.

    That is: there is a criterion, and evidence; no two suites have one name; no suite has failed or
    is broken, whether a criterion names it or not; every suite is whole and fresh, and what its task
    has kept; every suite that tested a model tested this version with these artifacts; and none is
    of another commit than the rest. What gates said is no evidence.
    """
    pieces = [piece for piece in evidence if piece.suite.kind != "gate"]
    pieces.sort(key=lambda piece: (piece.suite.name, piece.digest, piece.address))
    findings = [_judge(criterion, pieces, candidate) for criterion in criteria]
    for name, there in (("criteria", criteria), ("evidence", pieces)):
        if not there:
            findings.append(Finding(criterion=name, holds=False, seen="none", wanted="at least one"))
    findings += map(_bounded, _about_one_thing(pieces, candidate))
    # `SuitePassed` asks for more than `_not_against`; any other criterion may have asked for less.
    strictly = {criterion.suite for criterion in criteria if type(criterion) is SuitePassed}
    rest = (piece for piece in pieces if piece.suite.name not in strictly)
    findings += (_bounded(_not_against(piece, pieces, candidate)) for piece in rest)
    return Decision(
        model=candidate.model,
        version=candidate.version,
        digest=candidate.digest,
        champion=candidate.champion,
        approved=all(finding.holds for finding in findings),
        findings=tuple(findings),
        evidence={
            part.label if piece.parts else piece.suite.name: {"address": part.address, "digest": part.digest}
            for piece in pieces
            for part in piece.pieces
        },
        decided_at=candidate.now.isoformat(),
        target=candidate.target,
        expires_at=_expires_at(pieces, candidate),
        subject=_agreed(pieces),
    )


def _judge(criterion: Criterion, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
    """Ask a criterion, which may be a user's; what it cannot say yes to does not hold."""
    try:
        finding = criterion.judge(evidence, candidate)
        # Not `bool(...)`: NaN is true. The rest becomes text, since the decision travels as JSON.
        holds = bool(finding.holds == True)  # noqa: E712  numpy's True is another one
        texts = {key: str(getattr(finding, key)) for key in ("criterion", "seen", "wanted")}
    except Exception as error:  # noqa: BLE001  a user's code: whatever it raises is no yes
        holds, seen = False, f"{type(error).__name__}: {error}"
        texts = {"criterion": type(criterion).__name__, "seen": seen, "wanted": "an answer"}
    return _bounded(Finding(holds=holds, **texts))


def _not_against(piece: Evidence, evidence: Sequence[Evidence], candidate: Candidate) -> Finding:
    """Judge a suite that need not have passed: it may not speak against the version."""
    suite, wanted = piece.suite, "neither failed nor broken, and about this version"
    _, problem = usable(suite.name, evidence, candidate)
    holds = not problem and suite.outcome not in {Outcome.FAILED, Outcome.BROKEN}
    return Finding(criterion=f"suite {suite.name}", holds=holds, seen=problem or str(piece), wanted=wanted)


def _about_one_thing(evidence: Sequence[Evidence], candidate: Candidate) -> Iterator[Finding]:
    """Judge what the suites say together: what was asked for, and never two commits."""
    for key in sorted({"commit", *candidate.subject}):
        seen, wanted = sorted(set().union(*(piece.named(key) for piece in evidence))), candidate.subject.get(key)
        if wanted is not None or len(seen) > 1:
            asked = "one for all suites" if wanted is None else wanted or "a value, and the gate was given none"
            yield Finding(criterion=key, holds=seen == [wanted], seen=", ".join(seen) or "unknown", wanted=asked)


def _expires_at(evidence: Sequence[Evidence], candidate: Candidate) -> str:
    ends = [piece.ended_at for piece in evidence]
    known = [end for end in ends if end is not None]
    if candidate.max_age is None or not known:
        return ""
    try:
        return (min(known) + candidate.max_age).isoformat()
    except OverflowError:
        return ""


def _agreed(evidence: Sequence[Evidence]) -> dict[str, str]:
    """Give what all of the evidence that names it was about."""
    keys = {key for piece in evidence for part in piece.pieces for key in part.suite.subject} - _TOLD_ELSEWHERE
    values: dict[str, Any] = {key: set().union(*(piece.named(key) for piece in evidence)) for key in sorted(keys)}
    return {_short(key): _short(found.pop()) for key, found in values.items() if len(found) == 1}


def _bounded(finding: Finding) -> Finding:
    texts = {key: _short(getattr(finding, key)) for key in ("criterion", "seen", "wanted")}
    return Finding(holds=finding.holds, **texts)


def _short(text: str) -> str:
    """Cut a text, and replace what no database takes: half a surrogate pair, and NUL."""
    plain = text.encode("utf-8", errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return plain if len(plain) <= _TEXT else f"{plain[: _TEXT - 1]}…"
