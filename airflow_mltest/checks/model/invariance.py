"""Do the answers stay the same when what must not matter changes?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.agreement import LAST_BITS, differ
from airflow_mltest.checks.model.violations import Changed, require_share, violation_case
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariance:
    """
    Answers do not change with what must not matter: a protected column, an id, the case of a text.

    Only rows that the change really changes are counted. With `max_changed=0` one other answer fails.

    Args:
        columns: Columns whose values are dealt out anew among the rows, together.
        change: Or: takes the data frame that the model is given, and gives as many rows with the same
            columns, in the same order.
        max_changed: The greatest share of rows that may be answered otherwise.
        tolerance: How far numbers may be apart and still be the same answer, relative to their size.
        confidence: That the true share is not beyond the end that is compared, a share.
    """

    columns: tuple[str, ...] | str = ()
    change: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    max_changed: float = 0.0
    tolerance: float = LAST_BITS
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_share("Invariance", maximum=self.max_changed, tolerance=self.tolerance, confidence=self.confidence)
        if bool(self.columns) == (self.change is not None):
            msg = "Invariance needs either columns, whose values are dealt out anew, or a change of the rows."
            raise ConfigurationError(msg)

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.columns,) if isinstance(self.columns, str) else tuple(self.columns)

    @property
    def _name(self) -> str:
        return f"invariance({', '.join(self._names) or getattr(self.change, '__name__', 'change').strip('<>')})"

    def run(self, subject: ModelSubject) -> Case:
        """Change, ask, and count the answers that differ."""
        rows, answers = subject.features, subject.predictions
        if self.change is None:
            taken = [name for name in self._names if subject.column(name).name in rows.columns]
            if not taken:
                detail = f"the model does not take {', '.join(self._names)}: its answers cannot depend on it"
                return Case(name=self._name, outcome=Outcome.PASSED, detail=detail)
            after = _dealt_out(rows, taken, subject.rng())
        else:
            after = self._changed(rows)
        moved = _moved(rows, after)
        if not moved.any():
            msg = f"{self._name} changed none of {len(rows)} rows: nothing is shown by answers that stay the same."
            raise ConfigurationError(msg)
        before, after = rows[moved], after[moved]
        try:
            answers_after = subject.ask(after)
        except ConfigurationError as error:
            detail = f"changed rows are not answered: {error}"
            return Case(name=self._name, outcome=Outcome.FAILED, detail=detail)
        changed = Changed(before=before, after=after, answers=answers[moved], answers_after=answers_after)
        wrong = differ(changed.answers, answers_after, tolerance=self.tolerance)
        return violation_case(
            self._name,
            wrong,
            changed,
            what="are answered otherwise",
            maximum=self.max_changed,
            confidence=self.confidence,
        )

    def _changed(self, rows: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        assert self.change is not None  # noqa: S101  `run` asks only then
        try:
            after = self.change(rows.copy())
        except Exception as error:
            msg = f"{self._name} raised {type(error).__name__} when it changed the rows: {error}"
            raise ConfigurationError(msg) from error
        if not isinstance(after, pd.DataFrame) or len(after) != len(rows) or set(after.columns) != set(rows.columns):
            msg = f"{self._name} must give {len(rows)} rows with the columns {', '.join(map(str, rows.columns))}; "
            shape = (
                f" of shape {after.shape}, {', '.join(map(str, after.columns))}" if hasattr(after, "columns") else ""
            )
            msg += f"it gave {type(after).__name__}{shape}."
            raise ConfigurationError(msg)
        if not after.index.equals(rows.index) and not after.index.equals(pd.RangeIndex(len(rows))):
            msg = f"{self._name} gave rows with another index: they are in another order, or others."
            raise ConfigurationError(msg)
        return after[list(rows.columns)].set_axis(rows.index)


def _dealt_out(rows: pd.DataFrame, names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    after, order = rows.copy(), rng.permutation(len(rows))
    for name in names:
        after[name] = rows[name].array[order]
    return after


def _moved(before: pd.DataFrame, after: pd.DataFrame) -> np.ndarray:
    """Say which rows differ in any column, shape (n,); what is missing in both does not."""
    moved = np.zeros(len(before), dtype=bool)
    for name in before.columns:
        if before[name].equals(after[name]):
            continue
        # As objects: two categories, or a text and a number, cannot be compared otherwise.
        one, other = (frame[name].astype(object) for frame in (before, after))
        moved |= (one.ne(other) & ~(one.isna() & other.isna())).to_numpy(dtype=bool)
    return moved
