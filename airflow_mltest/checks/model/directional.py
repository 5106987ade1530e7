"""Do the answers move the right way when one column does?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_mltest.checks.model.agreement import LAST_BITS
from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.violations import Changed, require_share, violation_case
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Directional:
    """
    An answer moves one way only when a column does: a later departure never means less risk.

    What is watched is the probability of a class, or the number that the model answers where it gives
    no probabilities. Rows whose value is missing do not move, and are not counted. With
    `max_violations=0` one wrong move fails.

    Args:
        column: What is moved; the model takes it.
        by: What is added to it: a number, or a `Timedelta` for a time; or a function of the column
            that gives the moved one.
        expects: Which way nothing may be lost.
        of: The class whose probability is watched; None for the greater of two.
        max_violations: The greatest share of rows that may move the wrong way.
        tolerance: A move the wrong way by no more than this does not count.
        confidence: That the true share is not beyond the end that is compared, a share.
    """

    column: str
    by: Any
    expects: Literal["not_lower", "not_higher"]
    of: Any = None
    max_violations: float = 0.0
    tolerance: float = LAST_BITS
    confidence: float = 0.95

    def __post_init__(self) -> None:
        what = f"Directional({self.column!r})"
        require_share(what, maximum=self.max_violations, tolerance=self.tolerance, confidence=self.confidence)
        if self.expects not in {"not_lower", "not_higher"}:
            msg = f"{what}: expects is 'not_lower' or 'not_higher', not {self.expects!r}."
            raise ConfigurationError(msg)

    @property
    def _what(self) -> str:
        moved = "changed" if callable(self.by) else f"moved by {self.by}"
        return f"are answered {self.expects.removeprefix('not_')} with {self.column} {moved}"

    def run(self, subject: ModelSubject) -> Case:
        """Move the column, ask, and count what moved the wrong way."""
        rows, name = subject.features, f"directional({self.column})"
        subject.column(self.column)
        if self.column not in rows.columns:
            msg = f"the model does not take {self.column!r}: it takes {', '.join(map(str, rows.columns))}."
            raise ConfigurationError(msg)
        place = self._place(subject)
        before = subject.predictions if place is None else _scores(subject)[:, place]
        moved = self._moved(rows[self.column])
        counted = (moved.notna() & rows[self.column].notna() & (moved != rows[self.column])).to_numpy(dtype=bool)
        if not counted.any():
            msg = f"no value of {self.column!r} moves: there is nothing that the answers could follow."
            raise ConfigurationError(msg)
        after = rows[counted].assign(**{self.column: moved[counted]})
        try:
            answers_after = subject.ask(after) if place is None else _given(subject.ask_scores(after))[:, place]
        except ConfigurationError as error:
            return Case(name=name, outcome=Outcome.FAILED, detail=f"moved rows are not answered: {error}")
        changed = Changed(before=rows[counted], after=after, answers=before[counted], answers_after=answers_after)
        gained = answers_after.astype(float) - changed.answers.astype(float)
        wrong = gained < -self.tolerance if self.expects == "not_lower" else gained > self.tolerance
        return violation_case(
            name, wrong, changed, what=self._what, maximum=self.max_violations, confidence=self.confidence
        )

    def _place(self, subject: ModelSubject) -> int | None:
        """Find the column of the probabilities to watch; None where it is the answer itself."""
        answers = Answers.of(subject, scores=True)
        if answers.scores is None:
            if self.of is not None or answers.predictions.dtype.kind not in "fiub":
                msg = f"{subject.model.uri} gives no probabilities, and {self._asked_for(answers)} no order."
                raise ConfigurationError(msg)
            return None
        classes = answers.classes.tolist()
        if len(classes) != answers.scores.shape[1]:
            msg = f"{subject.model.uri} knows {answers.scores.shape[1]} classes and the data has "
            msg += f"{', '.join(map(str, classes))}: nobody can tell which probability is whose."
            raise ConfigurationError(msg)
        if self.of is None and len(classes) > 2:  # noqa: PLR2004
            msg = f"Directional({self.column!r}): of several classes, name the one to watch in `of`: {classes}."
            raise ConfigurationError(msg)
        if self.of is not None and self.of not in classes:
            msg = f"Directional({self.column!r}): of is one of {classes}, not {self.of!r}."
            raise ConfigurationError(msg)
        return len(classes) - 1 if self.of is None else classes.index(self.of)

    def _asked_for(self, answers: Answers) -> str:
        return (
            f"class {self.of!r} alone has"
            if self.of is not None
            else f"answers such as {answers.predictions[0]!r} have"
        )

    def _moved(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Move a column, which keeps its type."""
        import pandas as pd

        move: Callable[[Any], Any] = self.by if callable(self.by) else lambda values: values + self.by
        # In wider numbers first: what an int8 cannot hold would come round at its other end.
        values = column.astype("int64") if column.dtype.kind in "iu" and not column.isna().any() else column
        try:
            wide = pd.Series(move(values), index=column.index)
            moved = wide.astype(column.dtype)
            fits = column.dtype.kind not in "iu" or bool((wide == moved).all())
        except Exception as error:
            msg = f"Directional: {self.column!r} of type {column.dtype} cannot be moved by {self.by!r}: {error}"
            raise ConfigurationError(msg) from error
        if not fits:
            msg = f"Directional: {self.column!r} is {column.dtype}, and what it is moved to does not fit there."
            raise ConfigurationError(msg)
        return moved


def _scores(subject: ModelSubject) -> np.ndarray:
    return _given(subject.scores)


def _given(scores: np.ndarray | None) -> np.ndarray:
    if scores is None:
        msg = "the model gives probabilities for some rows, and none for others."
        raise ConfigurationError(msg)
    return scores
