"""What one of several questions about a table found, and all of them as one case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import measured, rows_needed, verdict, would_decide

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
    Judge the share of rows that are wrong, bounded exactly.

    With *maximum* 0 one row fails, and none passes: no number of rows proves a share of 0. How many could still be
    wrong is in the interval.

    Args:
        name: The measurement's.
        hits: Rows that are wrong.
        rows: Rows that could be; at least one.
        what: What a wrong row does: "differ".
        maximum: The greatest share that is allowed.
        confidence: That the true share is not beyond the end that is compared, a share.
        examples: Rows that show it.
    """
    interval = clopper_pearson(hits, rows, confidence)
    at_zero = Outcome.FAILED if hits else Outcome.PASSED
    outcome = verdict(interval, maximum=maximum) if maximum else at_zero
    words = f"{hits} of {rows} {what} ({hits / rows:.3g}, at most {interval.high:.3g}; {maximum:g} allowed)"
    if outcome is Outcome.INCONCLUSIVE:
        needed = rows_needed(hits / rows, interval, rows, maximum=maximum)
        words += would_decide(needed)
    return Finding(
        outcome=outcome,
        words=words,
        measurements=(measured(name, hits / rows, interval, maximum=maximum),),
        examples=tuple(examples),
    )


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
