"""What a gate goes by, and why something is no evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CLOCK_SKEW = timedelta(minutes=5)
_ABOUT_A_MODEL = {"model", "deployment"}
_SPEAKS_FOR = {Outcome.PASSED, Outcome.INCONCLUSIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    A finished suite, and where it is kept.

    Args:
        suite: What it said.
        address: Where it can be read.
        digest: `sha256:` of the bytes at the address.
        doubt: Why it is no evidence, whatever it says; empty when nobody found a reason.
        parts: Of a suite that was merged from several, each of them; empty when it is one.
    """

    suite: Suite
    address: str
    digest: str
    doubt: str = ""
    parts: tuple[Evidence, ...] = ()

    @property
    def pieces(self) -> tuple[Evidence, ...]:
        """Its parts; itself when it has none."""
        return self.parts or (self,)

    @property
    def label(self) -> str:
        """Name it, among the parts of one suite."""
        origin = self.suite.origin
        return f"{self.suite.name}[{origin.map_index}]" if origin and origin.map_index >= 0 else self.suite.name

    @property
    def ended_at(self) -> datetime | None:
        """When the first of its parts ended, aware; None where that is not known."""
        ends = [_ended_at(piece.suite) for piece in self.pieces]
        known = [end for end in ends if end and end.utcoffset() is not None]
        return min(known) if len(known) == len(ends) else None

    def named(self, key: str) -> set[str]:
        """Give what its parts say they were about: a `commit`, a `data_digest`; empty when none says it."""
        return {str(piece.suite.subject[key]) for piece in self.pieces if key in piece.suite.subject}

    def __str__(self) -> str:
        suite = self.suite
        counts = ", ".join(f"{count} {name}" for name, count in suite.counts.items() if count)
        failing = ", ".join(case.name for case in suite.failures[:3])
        return f"{suite.outcome} ({counts or 'nothing ran'})" + (f": {failing}" if failing else "")


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
        target: Where it would go: `model@alias`.
        subject: What the evidence has to be about: `commit`, `data_digest`, ...; any of it.
        champion_figures: What the champion's own gate wrote of it, by suite: `data_digest` and
            `metrics`; empty when it wrote nothing that can be read.
    """

    model: str
    version: str
    digest: str
    champion: str | None
    now: datetime
    max_age: timedelta | None = None
    target: str = ""
    subject: Mapping[str, str] = field(default_factory=dict)
    champion_figures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.model and self.version and self.digest):
            msg = f"nothing to judge: model {self.model!r}, version {self.version!r}, digest {self.digest!r}; name all."
            raise ConfigurationError(msg)
        if self.now.utcoffset() is None:
            msg = f"the moment of judgement, {self.now}, has no time zone: pass `datetime.now(UTC)`."
            raise ConfigurationError(msg)


def usable(name: str, evidence: Sequence[Evidence], candidate: Candidate) -> tuple[Evidence, str]:
    """Give the one suite of that name, and why it is no evidence for *candidate*; empty when it is."""
    found = [piece for piece in evidence if piece.suite.name == name]
    if not found:
        there = ", ".join(piece.suite.name for piece in evidence) or "nothing"
        return Evidence(suite=Suite(name=name, kind="code"), address="", digest=""), f"missing; there is {there}"
    if len(found) > 1:
        return found[0], f"{len(found)} suites have this name: which of them counts?"
    piece = found[0]
    problems = ((part, _problem(part.suite, candidate)) for part in piece.pieces)
    of_parts = (f"{part.label}: {problem}" if piece.parts else problem for part, problem in problems if problem)
    # What is incomplete was stopped, and says so better than what Airflow knows of its task.
    incomplete = f"incomplete: {piece.suite.incomplete}" if piece.suite.incomplete else ""
    return piece, incomplete or piece.doubt or next(of_parts, "")


def doubt_of(suite: Suite, digest: str, *, state: str | None, told: str | None) -> str:
    """
    Say why what was read may not be what the last try of its task has said; empty when it is.

    Args:
        suite: What was read.
        digest: `sha256:` of the bytes that were read.
        state: The state of its task in this DAG run, as Airflow has it; None when it has none.
        told: The digest that the task itself gave Airflow; None when it gave none.
    """
    # A person may mark a task as failed, and a try that was skipped leaves an earlier one's suite behind.
    ended = (
        state == "success"
        or (state == "failed" and suite.outcome not in _SPEAKS_FOR)
        or (state == "skipped" and suite.outcome is Outcome.SKIPPED)
    )
    if not ended:
        return f"its task is {state or 'waiting to run'}, and what it says is of an earlier try, or not all of it"
    if not told:
        return "its task has not told Airflow what it kept, so this may be of an earlier try"
    if told != digest:
        return f"altered: it has the digest {digest or 'of nothing'}, and its task kept {told}"
    return ""


def _problem(suite: Suite, candidate: Candidate) -> str:
    """Say why *suite* is no evidence for *candidate*; empty when it is."""
    if suite.started_at.utcoffset() is None:
        return "its time has no time zone, so its age is unknown"
    ended_at = _ended_at(suite)
    if ended_at is None:
        return f"it took {suite.duration_s} s, so its age is unknown"
    if ended_at > candidate.now + _CLOCK_SKEW:
        return f"it ended in the future, at {ended_at.isoformat()}"
    if candidate.max_age is not None and candidate.now - ended_at > candidate.max_age:
        return f"stale: {candidate.now - ended_at} old, and {candidate.max_age} is allowed"
    return _other_thing(suite, candidate)


def _ended_at(suite: Suite) -> datetime | None:
    try:
        return suite.started_at + timedelta(seconds=suite.duration_s)
    except (OverflowError, ValueError):
        return None


def _other_thing(suite: Suite, candidate: Candidate) -> str:
    asked = {key: wanted for key, wanted in candidate.subject.items() if key in suite.subject}
    if suite.kind in _ABOUT_A_MODEL:
        # Last, so that nobody asks for another model than the one that is judged.
        asked |= {"model": candidate.model, "version": candidate.version, "model_digest": candidate.digest}
    for key, wanted in asked.items():
        if suite.subject.get(key) != wanted:
            return f"it tested {key} {suite.subject.get(key) or 'unknown'}, not {wanted}"
    return ""
