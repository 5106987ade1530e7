"""Is every answer a number or a class, and every probability a probability?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.agreement import Said
from airflow_mltest.checks.model.asking import BATCH_ROWS
from airflow_mltest.checks.model.classes import gives_classes
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject

_NAMED = 5
_MOST_COLUMNS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteOutputs:
    """
    Every answer is finite or a known class, and probabilities lie in 0 to 1 and sum to 1.

    Asked about the rows, and about extreme ones of valid types: the first row with one number after the
    other at its least and its greatest in the data, and with all of them there at once.

    Args:
        rows: How many rows to ask about; None for all.
        classes: Classes that the model may answer and the rows lack. Those of its probabilities need
            not be named.
        tolerance: How far a sum of probabilities may be from 1.
    """

    rows: int | None = None
    classes: tuple[Any, ...] = ()
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if (self.rows is not None and self.rows < 1) or not self.tolerance >= 0:
            msg = f"FiniteOutputs: rows is 1 or more and tolerance 0 or more, not {self.rows} and {self.tolerance}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Look at what it says of the rows, and then of extreme ones."""
        if self.rows is not None and self.rows < len(subject.rows):
            chosen = subject.rng().permutation(len(subject.rows))[: self.rows]
            subject = replace(subject, rows=subject.rows.iloc[chosen], _kept={})
        extremes = _extremes(subject.features)
        detail = self._of_the_rows(subject) or self._of_extremes(subject, extremes)
        outcome = Outcome.FAILED if detail else Outcome.PASSED
        detail = detail or f"{len(subject.rows)} rows and {len(extremes)} extreme ones are answered as they should be"
        return Case(name="finite_outputs", outcome=outcome, detail=detail)

    def _of_the_rows(self, subject: ModelSubject) -> str:
        try:
            said = Said(answers=subject.predictions, scores=subject.scores)
        except ConfigurationError as error:
            if error.__cause__ is not None:  # it raised: there are no answers to judge
                raise
            return f"{error}{_not_finite(subject, subject.features)}"
        of_rows, of_answers = _type_of(subject.labels), _type_of(said.answers)
        if of_rows != of_answers:
            return f"the answers are {of_answers}, such as {said.answers[0]!r}, and the target is {of_rows}"
        return self._fault(subject, said, subject.features)

    def _of_extremes(self, subject: ModelSubject, extremes: pd.DataFrame) -> str:
        if extremes.empty:
            return ""
        try:
            said = Said(answers=subject.ask(extremes), scores=subject.ask_scores(extremes))
        except ConfigurationError as error:
            rows = "" if error.__cause__ else _not_finite(subject, extremes)
            return f"of extreme rows: {error}{rows}"
        return self._fault(subject, said, extremes)

    def _fault(self, subject: ModelSubject, said: Said, rows: pd.DataFrame) -> str:
        """Say what is wrong with finite answers; empty if nothing is."""
        if said.scores is not None:
            ends = said.scores.min(axis=1), said.scores.max(axis=1)
            outside = (ends[0] < -self.tolerance) | (ends[1] > 1 + self.tolerance)
            if outside.any():
                return f"probabilities are below 0 or above 1 in {_named(rows, outside)}"
            sums = said.scores.sum(axis=1)
            off = np.abs(sums - 1) > self.tolerance
            if off.any():
                return f"probabilities do not sum to 1 in {_named(rows, off)}; there to {sums[off][0]:.6g}"
        if not gives_classes(subject):
            return ""
        known = {*subject.labels.tolist(), *self.classes}
        answered = set(said.answers.tolist())
        unknown = answered - known
        # A class that happens to be absent from the rows has its column of probabilities all the same.
        if not unknown or (said.scores is not None and said.scores.shape[1] >= len(known | answered)):
            return ""
        strange = np.array([answer in unknown for answer in said.answers.tolist()])
        what = ", ".join(sorted(map(str, unknown))[:_NAMED])
        return (
            f"{what} is answered to {_named(rows, strange)}, and is none of the target's {len(known)} classes: "
            "if the data happens to lack it, name it in `classes`"
        )


def _type_of(values: np.ndarray) -> str:
    from pandas.api.types import infer_dtype

    found = infer_dtype(values, skipna=True)
    words = {"string": "text", "integer": "numbers", "floating": "numbers", "boolean": "numbers", "decimal": "numbers"}
    return words.get(found, "numbers" if found == "mixed-integer-float" else found)


def _extremes(rows: pd.DataFrame) -> pd.DataFrame:
    """Make rows that are extreme and of valid types; the index says in which way."""
    ends: dict[Any, tuple[Any, Any]] = {}
    for name in rows.columns[:_MOST_COLUMNS]:
        if rows[name].dtype.kind in "fiu":
            values = rows[name].dropna()
            values = values[np.isfinite(values.to_numpy(dtype=float))]
            if len(values):
                ends[name] = values.min(), values.max()
    extremes = rows.iloc[np.zeros(2 * len(ends) + 2 if ends else 0, dtype=int)].copy()
    for place, (name, (least, most)) in enumerate(ends.items()):
        values = extremes[name].copy()
        values.iloc[[2 * place, -2]] = least
        values.iloc[[2 * place + 1, -1]] = most
        extremes[name] = values
    ways = [f"{name} at its {end}" for name in ends for end in ("least", "greatest")]
    extremes.index = [*ways, "every number at its least", "every number at its greatest"][: len(extremes)]
    return extremes


def _named(rows: pd.DataFrame, wrong: Any) -> str:
    names = ", ".join(str(name) for name in rows.index[wrong][:_NAMED])
    more = int(wrong.sum()) - _NAMED
    return f"{int(wrong.sum())} rows: {names}" + (f" and {more} more" if more > 0 else "")


def _not_finite(subject: ModelSubject, rows: pd.DataFrame) -> str:
    """Name the rows of which it said NaN, infinity or nothing; empty if there are none."""
    import pandas as pd

    wrong = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows.iloc[start : start + BATCH_ROWS]
        for given in (subject.model.predict(batch.copy()), subject.model.scores(batch.copy())):
            values = np.asarray(given)
            if given is None or len(values) != len(batch):
                continue
            bad = pd.isna(values) | (np.isinf(values) if values.dtype.kind == "f" else False)
            wrong[start : start + len(batch)] |= bad.reshape(len(batch), -1).any(axis=1)
    return f" No numbers in {_named(rows, wrong)}." if wrong.any() else ""
