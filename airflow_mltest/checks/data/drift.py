"""Is the data still distributed as the reference is, column by column?"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.data.column_kinds import common_kind, kind_of
from airflow_mltest.checks.data.drift_columns import Aspect, Comparison, require_rows
from airflow_mltest.checks.data.drift_verdicts import RANK, excess, judged, measurement, told, undecided, worst
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject

_MOST_FIGURES = 6
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """
    Columns are distributed as in the reference, up to a distance that does not matter, beyond luck.

    A column has drifted when its distance is proven to be above *maximum*, so that of a million rows not
    every trifle counts; it has not when the distance is proven to be at most that. Between the two lies
    `inconclusive`, with the rows that would decide. Over all columns, at most a share of 1 - *confidence*
    of those that are said to have drifted have not (false discovery rate, Benjamini and Hochberg). A column of
    the reference that is missing, or holds another kind of values, has drifted without a number.

    Numbers, times and durations are compared by their order, true or false and categories by their shares. Text
    that hardly repeats is compared by its length and its words. Missing and infinite values do not count
    among the others: their share is compared on its own. Columns are read one by one.

    Args:
        columns: Which; None: all of the reference.
        method: `ks`, Kolmogorov-Smirnov, the greatest gap between cumulative distributions (at most
            0.05 unless you say otherwise); `wasserstein`, in standard deviations of the reference (0.1);
            `psi`, population stability index (0.1), `jensen_shannon` (0.1, base 2) or `chi_squared`, Cramér's
            V (0.1), of ten bins with as many rows of the reference each. `auto` is `ks`, and `chi_squared` where
            there is no order, as all methods do that need one.
        maximum: The most that a distance may be, in the method's unit; None: as above.
        max_missing: By how much the share of missing or infinite values may differ.
        confidence: That what is said is so, a share; see above.
        max_seconds: After this no more columns are compared, and the case is inconclusive at best.

    Source:
        Y. Benjamini and Y. Hochberg (1995), JRSS B 57(1), 289-300, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """

    columns: Sequence[str] | None = None
    method: Literal["auto", "ks", "psi", "jensen_shannon", "chi_squared", "wasserstein"] = "auto"
    maximum: float | None = None
    max_missing: float = 0.05
    confidence: float = 0.95
    max_seconds: float = 600.0

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or (self.columns is not None and not self.columns):
            msg = f"Drift: columns is a list of names, or None for all, not {self.columns!r}."
            raise ConfigurationError(msg)
        Comparison.of("Drift", self.method, self.maximum, self.max_missing, self.confidence)

    def run(self, subject: DataSubject) -> Case:
        """Compare column by column, and judge all of them together."""
        reference = subject.need_reference("Drift")
        comparison = Comparison.of("Drift", self.method, self.maximum, self.max_missing, self.confidence)
        names, changed = self._columns(subject, reference)
        until_s = time.monotonic() + self.max_seconds
        aspects: list[Aspect] = []
        undone: list[str] = []
        for done, name in enumerate(names):
            subject.progress(done, len(names))
            if time.monotonic() > until_s:
                undone = [str(one) for one in names[done:]]
                break
            old, new = reference[name], subject.rows[name]
            kinds = kind_of(old), kind_of(new)
            kind = common_kind(*kinds)
            if kind is None:
                offending = _offending(old, new, hidden=subject.hides(name))
                changed.append(f"{name} held {kinds[0]}, and holds {kinds[1]}{offending}")
            else:
                asked = replace(comparison, hidden=subject.hides(name))
                aspects += asked.aspects(str(name), old, new, kind, subject.rng())
        return self._case(aspects, changed, undone, _trifles(reference, subject.rows, names))

    def _columns(self, subject: DataSubject, reference: pd.DataFrame) -> tuple[list[str], list[str]]:
        """List what to compare, and say what cannot be, for it is not there."""
        require_rows(subject.rows, "Drift")
        if self.columns is not None:
            for name in self.columns:
                column_of(reference, name, "the reference")
                subject.column(name)
            return list(self.columns), []
        there = [name for name in reference.columns if name in subject.rows.columns]
        if not there:
            known = ", ".join(map(str, reference.columns))
            msg = f"Drift: data and reference have no column in common; the reference has {known}."
            raise ConfigurationError(msg)
        return there, [f"{name} is missing" for name in reference.columns if name not in subject.rows.columns]

    def _case(self, aspects: list[Aspect], changed: list[str], undone: list[str], trifles: list[str]) -> Case:
        outcomes = judged(aspects, self.confidence)
        order = sorted(range(len(aspects)), key=lambda one: (RANK[outcomes[one]], -excess(aspects[one])))
        aspects, outcomes = [aspects[one] for one in order], [outcomes[one] for one in order]
        failed, open_ = (
            [one for one, outcome in zip(aspects, outcomes, strict=True) if outcome is wanted]
            for wanted in (Outcome.FAILED, Outcome.INCONCLUSIVE)
        )
        count = len(aspects) - len(failed) - len(open_)
        lines = [*changed, *(f"{told(one)}: has drifted" for one in failed), *(undecided(one) for one in open_)]
        lines = lines[:_MOST_TOLD] + (
            [f"{len(lines) - _MOST_TOLD} more are among the measurements"] if len(lines) > _MOST_TOLD else []
        )
        lines.append(f"{count} of {len(aspects)} comparisons show no drift")
        if undone:
            lines.append(f"not compared within {self.max_seconds:g} s: {', '.join(undone)}")
        outcomes += [Outcome.FAILED] * bool(changed) + [Outcome.INCONCLUSIVE] * bool(undone)
        return Case(
            name="drift",
            outcome=worst(outcomes),
            detail="\n".join(lines + trifles),
            measurements=tuple(measurement(one) for one in aspects),
            figures=tuple(one.figure for one in failed if one.figure)[:_MOST_FIGURES],
        )


def _trifles(reference: pd.DataFrame, rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Tell what differs, and decides nothing."""
    told = []
    extra = [str(name) for name in rows.columns if name not in reference.columns]
    if extra:
        told.append(f"not in the reference: {', '.join(extra)}")
    types = [
        f"{name} ({reference[name].dtype}, now {rows[name].dtype})"
        for name in names
        if str(reference[name].dtype) != str(rows[name].dtype)
    ]
    return told + ([f"stored as another type: {', '.join(types)}"] if types else [])


def _offending(reference: pd.Series, current: pd.Series, *, hidden: bool) -> str:
    """Show the first values that are no numbers, where there were numbers; only their number if they are *hidden*."""
    from pandas import to_numeric
    from pandas.api import types

    if not types.is_numeric_dtype(reference.dtype) or types.is_numeric_dtype(current.dtype):
        return ""
    some = current.dropna().astype(str)
    wrong = some[to_numeric(some, errors="coerce").isna()]
    shown = "" if hidden else f", such as {', '.join(repr(one) for one in wrong.unique()[:3])}"
    return f": {len(wrong)} are no numbers{shown}" if len(wrong) else ""
