"""Is there data about persons where none may be?"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.columns import require_distinct
from airflow_mltest.checks.data.finding import Finding, case_of, judge_share
from airflow_mltest.checks.data.joins import names_of
from airflow_mltest.checks.data.personal_data import KINDS, card_candidates
from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from airflow_mltest.checks.data.subject import DataSubject
    from airflow_mltest.core.outcome import Case

_FIRST = 5
_TOLD = {"email": "e-mail addresses", "card": "card numbers", "phone": "phone numbers", "iban": "bank accounts (IBAN)"}
# Of numbers that are no cards one in ten has a right check digit, and twice as many show that some are cards; of
# fewer numbers than this, nobody can tell.
_BEYOND_CHANCE, _ENOUGH = 0.2, 20
# Floats beyond this have lost digits, and so their check digit.
_EXACT, _SHORTEST_CARD = 2.0**53, 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """
    No text looks like an e-mail address, a card number, a phone number or a bank account; and no number like a card's.

    Card numbers need the first digits, the length and the check digit of one, bank accounts their check digits. Of a
    column of identifiers, one in ten has a right check digit by chance: where not twice as many of them do, that is
    told, and is no fault. What was found is never shown, only in which column and rows.

    Args:
        columns: Where to look; None: everywhere.
        without: Columns where such data may be.
        kinds: Of "email", "card", "phone" and "iban", which to look for.
        maximum: The greatest share of a column's rows that may have some.
        confidence: That the true share is not beyond the end that is compared, a share.
    """

    columns: Sequence[str] | None = None
    without: Sequence[str] = ()
    kinds: Sequence[str] = tuple(KINDS)
    maximum: float = 0.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        require_confidence("Privacy", self.confidence)
        for kind in names_of(self.kinds):
            if kind not in KINDS:
                near = difflib.get_close_matches(kind, KINDS, n=1)
                hint = f" did you mean {near[0]!r}?" if near else ""
                msg = f"Privacy: there is no kind {kind!r};{hint} There are {', '.join(KINDS)}."
                raise ConfigurationError(msg)
        if not (self.kinds and 0 <= self.maximum < 1):
            msg = (
                f"Privacy: kinds are some, and maximum is a share from 0 to below 1; not {self.kinds}, {self.maximum}."
            )
            raise ConfigurationError(msg)

    def run(self, subject: DataSubject) -> Case:
        """Look into each distinct value once."""
        require_distinct(subject.rows.columns, "the data")
        for name in (*(self.columns or ()), *self.without):
            subject.column(name)
        names = [name for name in self.columns or subject.rows.columns if name not in set(self.without)]
        findings: list[Finding] = []
        for done, name in enumerate(names, 1):
            findings += self._findings(subject.rows[name], str(name))
            subject.progress(done, len(names))
        kinds = ", ".join(_TOLD[kind] for kind in names_of(self.kinds))
        quiet = Finding(outcome=Outcome.PASSED, words=f"looked for {kinds} in {len(names)} columns")
        return case_of("privacy", [*findings, quiet])

    def _findings(self, column: pd.Series[Any], name: str) -> list[Finding]:
        texts, codes = _texts(column)
        findings = []
        for kind in names_of(self.kinds) if texts else ():
            if column.dtype.kind in "iuf" and kind != "card":
                continue
            found = np.fromiter((KINDS[kind](text) for text in texts), dtype=bool, count=len(texts))
            rows = np.append(found, False)[codes]  # -1 is missing, or no text
            if rows.any():
                chance = self._by_chance(texts, found) if kind == "card" else ""
                findings.append(self._judge(name, kind, rows, chance))
        return findings

    def _judge(self, name: str, kind: str, rows: np.ndarray, chance: str) -> Finding:
        first = ", ".join(str(place) for place in np.flatnonzero(rows)[:_FIRST])
        finding = judge_share(
            f"privacy[{name},{kind}]",
            int(rows.sum()),
            len(rows),
            what=f"rows of {name} look like {_TOLD[kind]}, counted from 0 rows {first}",
            maximum=self.maximum,
            confidence=self.confidence,
        )
        if chance:
            return Finding(outcome=Outcome.PASSED, words=f"{int(rows.sum())} rows of {name} {chance}")
        return finding

    def _by_chance(self, texts: Sequence[str], found: np.ndarray) -> str:
        """Say that check digits are right no more often than by chance; empty if they are."""
        candidates = sum(bool(card_candidates(text)) for text in texts)
        hits = int(found.sum())
        if candidates < _ENOUGH or clopper_pearson(hits, candidates, self.confidence).low > _BEYOND_CHANCE:
            return ""
        return (
            f"could be card numbers, but of {candidates} numbers of that kind {hits} have a right check digit, "
            "as one in ten has by chance"
        )


def _texts(column: pd.Series[Any]) -> tuple[list[str], np.ndarray]:
    """
    Give a column's distinct texts, and whole numbers that could be a card's, and which of them each row has.

    Returns:
        The texts, and for each row, shape (n,), the place of its own; -1 where there is none.
    """
    import pandas as pd

    if column.dtype.kind in "Mmbc":
        return [], np.empty(0, dtype=int)
    codes, values = pd.factorize(column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column)
    texts = [_text(value) for value in (values.tolist() if hasattr(values, "tolist") else list(values))]
    known = np.array([text is not None for text in texts], dtype=bool)
    places = np.append(np.where(known, np.cumsum(known) - 1, -1), -1)
    return [text for text in texts if text is not None], places[codes]


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= _SHORTEST_CARD:
        if isinstance(value, int):
            return str(value)
        return str(int(value)) if value < _EXACT and value.is_integer() else None
    return None
