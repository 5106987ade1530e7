"""Did serving compute the features that training saw?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.data.differences import Differences, differences
from airflow_mltest.checks.data.finding import Finding, case_of, judge_share
from airflow_mltest.checks.data.joins import common_columns, key_codes, names_of
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject
    from airflow_mltest.core.outcome import Case, Measurement

_EXAMPLES, _SHOWN = 5, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """
    The data (what serving computed) has the values of the reference (what training saw), key by key.

    Each column is judged by the share of its rows that differ, all of them together with the confidence that is asked
    for. Keys that only one of the two has, has twice or not at all are told, and not compared.

    Args:
        keys: The columns that together name a row.
        columns: The features to compare; None: all that both have.
        tolerance: How far two floats may be apart, as a share of the greater.
        maximum: The greatest share of rows in which a column may differ.
        confidence: That no column is called different that is not, a share.
    """

    keys: str | Sequence[str]
    columns: Sequence[str] | None = None
    tolerance: float = 1e-6
    maximum: float = 0.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence("Skew", self.confidence)
        if not names_of(self.keys):
            msg = "Skew: keys is the column, or the columns, that name a row in both tables; there is none."
            raise ConfigurationError(msg)
        if not (0 <= self.maximum < 1 and 0 <= self.tolerance < math.inf):
            msg = "Skew: maximum is a share from 0 to below 1, and tolerance 0 or more; "
            msg += f"not {self.maximum} and {self.tolerance}."
            raise ConfigurationError(msg)

    def run(self, subject: DataSubject) -> Case:
        """Join by key, and compare column by column."""
        reference = subject.need_reference("Skew")
        keys = names_of(self.keys)
        columns = common_columns(reference, subject.rows, self.columns, without=keys)
        pairs = _Pairs.of(reference, subject.rows, keys)
        found: dict[str, Differences] = {}
        for done, name in enumerate(columns, 1):
            one, other = reference[name].iloc[pairs.reference], subject.rows[name].iloc[pairs.rows]
            found[str(name)] = differences(one, other, tolerance=self.tolerance)
            subject.progress(done, len(columns))
        confidence = 1 - (1 - self.confidence) / len(columns)
        findings = [self._judge(name, column, confidence, hidden=subject.hides(name)) for name, column in found.items()]
        same = sum(not column.rows.any() for column in found.values())
        notes = [f"{same} of {len(columns)} columns are the same in all {len(pairs.rows)} rows", *pairs.notes]
        if self.columns is None:
            notes += _only_in_one(reference, subject.rows)
        case = case_of("skew", [*findings, _picture(findings, self.maximum)], notes=notes)
        return _with_examples(case, pairs.examples(subject, reference, keys, found))

    def _judge(self, name: str, found: Differences, confidence: float, *, hidden: bool) -> Finding:
        far = found.how_far(hidden=hidden)
        finding = judge_share(
            f"skew[{name}]",
            int(found.rows.sum()),
            len(found.rows),
            what=f"rows differ in {name}" + (f" {far}" if far else ""),
            maximum=self.maximum,
            confidence=confidence,
        )
        words = finding.words + (f"; it is {found.types}" if found.types else "")
        told = found.rows.any() or finding.outcome is not Outcome.PASSED
        return Finding(outcome=finding.outcome, words=words if told else "", measurements=finding.measurements)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """Rows with the same key: places in the reference and in the data, shape (n,) each, and what was left out."""

    reference: np.ndarray
    rows: np.ndarray
    notes: tuple[str, ...]

    @classmethod
    def of(cls, reference: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str]) -> _Pairs:
        codes = dict(zip(("the reference", "the data"), key_codes(reference, rows, keys), strict=True))
        named, notes = {}, []
        for what, numbers in codes.items():
            missing = int((numbers < 0).sum())
            each, first, counts = np.unique(numbers, return_index=True, return_counts=True)
            usable = (counts == 1) & (each >= 0)
            named[what] = each[usable], first[usable]
            twice = int(((counts > 1) & (each >= 0)).sum())
            notes += [f"{missing} rows of {what} have no {', '.join(keys)}"] if missing else []
            notes += [f"{twice} keys are in {what} more than once, and were not compared"] if twice else []
        (one, first), (other, second) = named.values()
        _, left, right = np.intersect1d(one, other, assume_unique=True, return_indices=True)
        for what, numbers, others in zip(codes, codes.values(), reversed(codes.values()), strict=True):
            alone = np.unique(numbers[(numbers >= 0) & ~np.isin(numbers, others)]).size
            notes += [f"{alone} keys are in {what} only"] if alone else []
        if not left.size:
            msg = f"no key ({', '.join(keys)}) is once in the reference and once in the data: nothing can be compared; "
            raise ConfigurationError(msg + "; ".join(notes) + ".")
        return cls(reference=first[left], rows=second[right], notes=tuple(notes))

    def examples(
        self, subject: DataSubject, reference: pd.DataFrame, keys: Sequence[str], found: Mapping[str, Differences]
    ) -> list[dict[str, Any]]:
        """Show the first rows that differ: the key, and both values of each column that does."""
        differ = np.zeros(len(self.rows), dtype=bool)
        for column in found.values():
            differ |= column.rows
        examples = []
        for place in np.flatnonzero(differ)[:_EXAMPLES]:
            at, was = int(self.rows[place]), int(self.reference[place])
            names = [name for name in subject.rows.columns if str(name) in found and found[str(name)].rows[place]]
            examples.append({
                "row": ", ".join(str(subject.shown(subject.rows, key, at)) for key in keys),
                "before": {str(name): subject.shown(reference, name, was) for name in names},
                "after": {str(name): subject.shown(subject.rows, name, at) for name in names},
            })  # fmt: skip
        return examples


def _only_in_one(reference: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    tables = {"the reference": (reference, rows), "the data": (rows, reference)}
    notes = []
    for what, (table, others) in tables.items():
        alone = [str(name) for name in table.columns if name not in set(others.columns)]
        notes += [f"only {what} has {', '.join(alone)}"] if alone else []
    return notes


def _picture(findings: Sequence[Finding], maximum: float) -> Finding:
    """Draw the columns that differ most; it decides nothing."""
    measured: list[Measurement] = [finding.measurements[0] for finding in findings if finding.measurements[0].value]
    measured.sort(key=lambda measurement: -measurement.value)
    if not measured:
        return Finding(outcome=Outcome.PASSED, words="")
    shown = measured[:_SHOWN]
    series = Series(
        x=tuple(one.name.removeprefix("skew[").removesuffix("]") for one in shown),
        y=tuple(one.value for one in shown),
        low=tuple(one.low or 0.0 for one in shown),
        high=tuple(1.0 if one.high is None else one.high for one in shown),
    )
    figure = Figure(
        title="Rows that differ between training and serving",
        x="column",
        y="share of rows",
        series=(series,),
        bounds=(maximum,),
    )
    return Finding(outcome=Outcome.PASSED, words="", figures=(figure,))


def _with_examples(case: Case, examples: list[dict[str, Any]]) -> Case:
    from dataclasses import replace

    return replace(case, facts={"examples": examples}) if examples else case
