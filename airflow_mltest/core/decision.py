"""Whether a version may be promoted, as a value that travels: to a task, to a person, into the registry."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CELL = 300
_MARKUP = re.compile(r"[\\`*_\[\]|~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one criterion saw, beside what it wanted."""

    criterion: str
    holds: bool
    seen: str
    wanted: str


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
        evidence: Address and digest of each report, by the suite's name; those of shards by
            `name[map_index]`.
        decided_at: When, as ISO 8601.
        target: Where the version would go, `model@alias`: the champion is the version there.
        expires_at: When the first of the evidence becomes too old, as ISO 8601; empty: never.
        subject: What the evidence was about besides the version, where all of it agrees: `commit`,
            `data_digest`, ...
    """

    model: str
    version: str
    digest: str
    champion: str | None
    approved: bool
    findings: tuple[Finding, ...]
    evidence: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    decided_at: str = ""
    target: str = ""
    expires_at: str = ""
    subject: Mapping[str, str] = field(default_factory=dict)

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
            if decision.to_dict() != document or not decision._well_formed():
                raise TypeError("a field is missing, or of another type")  # noqa: EM101, TRY003, TRY301  told below
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            msg = f"this is not a decision of GateOperator, pass its output: {str(document)[:200]!r} ({error})"
            raise ConfigurationError(msg) from error
        return decision

    def _well_formed(self) -> bool:
        texts = [self.model, self.version, self.digest, self.decided_at, self.target, self.expires_at]
        for found in (self.subject, *self.evidence.values()):
            texts += [*found, *found.values()]
        return (
            all(isinstance(text, str) for text in texts)
            and isinstance(self.approved, bool)
            and isinstance(self.champion, str | None)
            and all(found.keys() == {"address", "digest"} for found in self.evidence.values())
            and (not self.expires_at or datetime.fromisoformat(self.expires_at).utcoffset() is not None)
        )


def as_markdown(decision: Decision) -> str:
    """Show a decision to a person: the verdict, a row for each finding, and the evidence."""
    verdict = "approved" if decision.approved else "refused"
    target = _cell(decision.target) or "what production serves"
    champion = "nothing" if decision.champion is None else f"version {_cell(decision.champion)}"
    until = f", on evidence that counts until {_cell(decision.expires_at)}" if decision.expires_at else ""
    subject = {"artifacts": decision.digest, **decision.subject}
    about = [f"{_cell(key)} {_cell(value)}" for key, value in subject.items()]
    lines = [
        f"### {_cell(decision.model)} version {_cell(decision.version)} is {verdict}",
        "",
        f"To become {target}, in place of {champion}. Decided at {_cell(decision.decided_at)}{until}.",
        "",
        f"About {', '.join(about)}.",
        "",
        "| | criterion | seen | wanted |",
        "|---|---|---|---|",
    ]
    for finding in decision.findings:
        cells = map(_cell, (finding.criterion, finding.seen, finding.wanted))
        lines.append(f"| {'✅' if finding.holds else '❌'} | {' | '.join(cells)} |")
    lines += ["", "Evidence:", ""]
    for name, found in decision.evidence.items():
        lines.append(f"- {_cell(name)}: {_cell(found['address'])} ({_cell(found['digest'])})")
    return "\n".join(lines if decision.evidence else [*lines, "- none"]) + "\n"


def _cell(text: str) -> str:
    """Write a text on one line, short, and so that it says the same in Markdown as it says here."""
    line = " ".join(str(text).split())
    short = line if len(line) <= _CELL else f"{line[: _CELL - 1]}…"
    return html.escape(_MARKUP.sub(r"\\\g<0>", short), quote=False)
