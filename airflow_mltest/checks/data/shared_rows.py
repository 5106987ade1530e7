"""Are rows of a test set in the training set, exactly or but for noise?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.data.finding import Finding
from airflow_mltest.checks.data.neighbours import Neighbours, find_neighbours
from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import Interval, measured, rows_needed, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject

_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRows:
    """
    Count the rows that the reference has as well, and take off what chance explains.

    Args:
        columns: Which to compare.
        maximum: The greatest share of copied rows that is allowed.
        confidence: That the true share is not beyond the end that is compared, a share.
        max_seconds: For each search.
    """

    columns: Sequence[str]
    maximum: float
    confidence: float
    max_seconds: float

    def find(self, subject: DataSubject, reference: pd.DataFrame, near: float) -> Finding:
        """Look for rows whose numbers are within *near* spreads of a column; 0: for equal rows."""
        found = find_neighbours(
            reference,
            subject.rows,
            self.columns,
            near=near,
            max_seconds=self.max_seconds,
            progress=subject.progress,
        )
        hits = int((found.place >= 0).sum())
        copied = found.chance.copied(self.confidence)
        seen = clopper_pearson(hits, found.searched, self.confidence)
        interval = Interval.between(seen.low * copied.low, seen.high * copied.high, self.confidence)
        value = hits / found.searched * found.chance.share
        outcome = self._outcome(found, interval, hits)
        if found.searched < len(subject.rows) and outcome is Outcome.PASSED:
            outcome = Outcome.INCONCLUSIVE
        return Finding(
            outcome=outcome,
            words=self._words(found, interval, outcome, near=near, rows=len(subject.rows)),
            measurements=(
                measured("rows_nearly_shared" if near else "rows_shared", value, interval, maximum=self.maximum),
            ),
            examples=() if outcome is Outcome.PASSED else self._examples(subject, reference, found),
        )

    def _outcome(self, found: Neighbours, interval: Interval, hits: int) -> Outcome:
        if self.maximum:
            return verdict(interval, maximum=self.maximum)
        if interval.low > 0:
            return Outcome.FAILED
        # A few that agree where nothing nearly does: too few to say that chance cannot have done it.
        return Outcome.INCONCLUSIVE if hits and not found.chance.nearly else Outcome.PASSED

    def _words(self, found: Neighbours, interval: Interval, outcome: Outcome, *, near: float, rows: int) -> str:
        hits = int((found.place >= 0).sum())
        how = f"but for {near:g} of each column's spread" if near else "exactly"
        words = f"{hits} of {found.searched} rows are in the reference {how}, in {len(self.columns)} columns"
        if hits:
            words += f"; copied are {interval.low:.3g} to {interval.high:.3g} of the rows, {self.maximum:g} allowed"
        if hits and found.chance.share < 1 / 2:
            words += "; chance explains these, so few are the columns or their values: `keys` would tell more"
        if outcome is Outcome.INCONCLUSIVE and found.searched == rows:
            value = hits / rows * found.chance.share
            needed = rows_needed(value, interval, rows, maximum=self.maximum) if self.maximum else None
            words += f"; about {needed} rows would decide" if needed else "; too few to rule out chance"
        if found.searched < rows:
            words += f"; only so many of {rows} rows were looked for in {self.max_seconds:g} seconds"
        return words

    def _examples(self, subject: DataSubject, reference: pd.DataFrame, found: Neighbours) -> tuple[dict[str, Any], ...]:
        # Rows that are equal are shown where those are told; here, those that are not, if there are any.
        shown = np.flatnonzero((found.place >= 0) & (found.distance > 0))[:_EXAMPLES]
        shown = shown if shown.size else np.flatnonzero(found.place >= 0)[:_EXAMPLES]
        return tuple(
            {
                "row": subject.label(subject.rows, place),
                # Column by column: a row of mixed types would make floats of its whole numbers.
                "before": {str(name): subject.shown(reference, name, found.place[place]) for name in self.columns},
                "after": {str(name): subject.shown(subject.rows, name, place) for name in self.columns},
                "row_of_reference": subject.label(reference, found.place[place]),
            }
            for place in shown
        )
