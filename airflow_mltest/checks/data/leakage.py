"""Does the training set know what the test set asks?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.data.finding import Finding, case_of, judge_share
from airflow_mltest.checks.data.joins import common_columns, key_codes, names_of
from airflow_mltest.checks.data.moments import to_utc
from airflow_mltest.checks.data.shared_rows import SharedRows
from airflow_mltest.checks.data.subject import REDACTED
from airflow_mltest.checks.data.target_leakage import find_giveaways
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject
    from airflow_mltest.core.outcome import Case

_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """
    The data (a test set) holds nothing that the reference (the training set) has seen.

    Asked are: rows that are equal; rows that are equal but for noise; and where they are named, keys that both have,
    rows from before the end of the training set, and columns that give the target away alone. Rows that agree by
    chance, since there are few columns of few values, are not counted: pairs that agree in all but one column tell how
    many agree in all by chance.

    Args:
        keys: The columns that together say whom or what a row is about, and that both must not share. A column that
            numbers the rows belongs here, too: with it, no row equals its copy.
        time: The column of a row's time; rows from before the reference's last are leaks.
        target: The column to predict.
        columns: Which to compare row by row; None: all that both have but *keys* and *time*.
        near: How far a number may be off in a copied row, as a share of its column's spread; 0: not at all.
        maximum: The greatest share of rows that may be leaks of each kind.
        most_told: The most that one column may tell of the target: 0 is nothing, 1 is all.
        confidence: That the true share is not beyond the end that is compared, a share.
        max_seconds: For each search for shared rows; one that takes longer tells what it found, and is inconclusive.
    """

    keys: str | Sequence[str] = ()
    time: str | None = None
    target: str | None = None
    columns: Sequence[str] | None = None
    near: float = 0.01
    maximum: float = 0.0
    most_told: float = 0.95
    confidence: float = 0.95
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        require_confidence("Leakage", self.confidence)
        if not (0 <= self.maximum < 1 and 0 < self.most_told < 1):
            msg = "Leakage: maximum is a share from 0 to below 1, and most_told one between 0 and 1; "
            msg += f"not {self.maximum} and {self.most_told}."
            raise ConfigurationError(msg)
        if not (0 <= self.near < math.inf and self.max_seconds > 0):
            msg = f"Leakage: near is 0 or more and max_seconds above 0, not {self.near} and {self.max_seconds}."
            raise ConfigurationError(msg)

    def run(self, subject: DataSubject) -> Case:
        """Look for each kind of leak."""
        reference = subject.need_reference("Leakage")
        notes: list[str] = []
        findings = list(self._findings(subject, reference, notes))
        return case_of("leakage", findings, notes=notes)

    def _findings(self, subject: DataSubject, reference: pd.DataFrame, notes: list[str]) -> Iterator[Finding]:
        keys = names_of(self.keys)
        aside = (*keys, *((self.time,) if self.time is not None else ()))
        columns = common_columns(reference, subject.rows, self.columns, without=aside)
        rows = SharedRows(
            columns=columns, maximum=self.maximum, confidence=self.confidence, max_seconds=self.max_seconds
        )
        yield rows.find(subject, reference, 0.0)
        if self.near:
            yield rows.find(subject, reference, self.near)
        if keys:
            yield self._shared_keys(subject, reference, keys, notes)
        if self.time is not None:
            yield self._out_of_order(subject, reference, self.time, notes)
        if self.target is not None:
            yield find_giveaways(
                reference,
                subject.rows,
                [name for name in common_columns(reference, subject.rows, None) if name not in {self.target, *aside}],
                target=self.target,
                maximum=self.most_told,
                confidence=self.confidence,
            )

    def _shared_keys(
        self, subject: DataSubject, reference: pd.DataFrame, keys: Sequence[str], notes: list[str]
    ) -> Finding:
        known, asked = key_codes(reference, subject.rows, keys)
        missing = int((asked < 0).sum())
        if missing == len(asked):
            msg = f"key {', '.join(keys)} is missing in all {len(asked)} rows: nobody can tell whom they are about."
            raise ConfigurationError(msg)
        if missing:
            notes.append(f"{missing} rows have no {', '.join(keys)}, and were not looked for")
        shared = np.isin(asked, known[known >= 0])
        different, name = len(np.unique(asked[shared])), ", ".join(keys)
        return judge_share(
            "keys_shared",
            int(shared.sum()),
            len(asked) - missing,
            what=f"rows have the {name} of a row of the reference, {different} different ones",
            maximum=self.maximum,
            confidence=self.confidence,
            examples=[
                {"row": subject.label(subject.rows, place)}
                | {key: subject.shown(subject.rows, key, place) for key in keys}
                for place in np.flatnonzero(shared)[:_EXAMPLES]
            ],
        )

    def _out_of_order(self, subject: DataSubject, reference: pd.DataFrame, name: str, notes: list[str]) -> Finding:
        tables = {"the reference": reference, "the data": subject.rows}
        both = {what: to_utc(column_of(table, name, what), name) for what, table in tables.items()}
        trained, asked = both["the reference"], both["the data"]
        notes += [f"{name} of {what}: {found.note()}" for what, found in both.items() if found.naive]
        end, dated = trained.moments.max(), asked.moments.notna()
        if trained.moments.notna().sum() == 0 or not dated.any():
            msg = f"column {name!r} holds no time in the data or in the reference: the order cannot be judged."
            raise ConfigurationError(msg)
        if not dated.all():
            notes.append(f"{int((~dated).sum())} rows have no {name}, and were not judged by it")
        early = (asked.moments < end).to_numpy()
        hidden = subject.hides(name)
        when = "" if hidden else f"{end:%Y-%m-%d %H:%M:%S %Z}, "
        return judge_share(
            "rows_before_end_of_training",
            int(early.sum()),
            int(dated.sum()),
            what=f"rows are from before {when}the end of the reference",
            maximum=self.maximum,
            confidence=self.confidence,
            examples=[
                {
                    "row": subject.label(subject.rows, place),
                    name: REDACTED if hidden else str(asked.moments.iloc[place]),
                }
                for place in np.flatnonzero(early)[:_EXAMPLES]
            ],
        )
