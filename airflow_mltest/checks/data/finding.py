"""What one of several questions about a table found, and all of them as one case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.model.violations import judged_share
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.figure import Figure, Matrix

_WORST_FIRST = (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One answer among several that make up a case.

    Args:
        outcome: Passed, failed or inconclusive.
        words: What was seen, and what was allowed; empty if that is told for several findings at once.
        measurements: The numbers behind it.
        examples: Rows that show it; strict JSON.
        figures: Pictures.
    """

    outcome: Outcome
    words: str
    measurements: tuple[Measurement, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = field(default=())
    figures: tuple[Figure | Matrix, ...] = ()


def judge_share(  # noqa: PLR0913  what was counted, and in which words it is told
    name: str, hits: int, rows: int, *, what: str, maximum: float, confidence: float, examples: Sequence[Any] = ()
) -> Finding:
    """
    Make a finding of the share of rows that are wrong, as `judged_share` judges it.

    Args:
        name: The measurement's.
        hits: Rows that are wrong.
        rows: Rows that could be; at least one.
        what: What a wrong row does: "differ".
        maximum: The greatest share that is allowed.
        confidence: That the true share is not beyond the end that is compared, a share.
        examples: Rows that show it.
    """
    outcome, share, rest = judged_share(name, hits, rows, maximum=maximum, confidence=confidence)
    words = f"{hits} of {rows} {what} ({share.value:.3g}, at most {share.high:.3g}; {maximum:g} allowed){rest}"
    return Finding(outcome=outcome, words=words, measurements=(share,), examples=tuple(examples))


def case_of(
    name: str, findings: Sequence[Finding], *, notes: Sequence[str] = (), facts: Mapping[str, Any] | None = None
) -> Case:
    """
    Make one case of several findings: as bad as the worst, which is told first.

    Args:
        name: The case's.
        findings: At least one.
        notes: What else is worth telling.
        facts: What else is worth keeping.
    """
    ordered = sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.outcome))
    examples = [dict(example) for finding in ordered for example in finding.examples]
    return Case(
        name=name,
        outcome=ordered[0].outcome,
        detail="\n".join(filter(None, dict.fromkeys([*(finding.words for finding in ordered), *notes]))),
        measurements=tuple(measurement for finding in findings for measurement in finding.measurements),
        facts={**(facts or {}), **({"examples": examples} if examples else {})},
        figures=tuple(figure for finding in ordered for figure in finding.figures),
    )
