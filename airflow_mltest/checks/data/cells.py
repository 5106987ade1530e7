"""Two samples of names as counts in common cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

OTHER = "(other)"
# Names are chosen among so many rows of each sample: two million distinct ones cost no more than these.
_LOOKED_AT = 20_000
_MOST_NAMES = 1000
# Fewer rows than this to expect in a cell, and its count is not chi-squared: W. G. Cochran (1954).
_FEWEST_EXPECTED = 5
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """
    How many rows of two samples have each name.

    Args:
        names: The names, shape (k,); the last may be what all others are, together.
        reference: Rows of the reference, shape (k,); no cell is empty in both.
        current: Rows of the current sample, likewise.
        covered: Which share of the rows looked at has a name of its own.
    """

    names: tuple[str, ...]
    reference: np.ndarray
    current: np.ndarray
    covered: float

    @classmethod
    def of(cls, reference: pd.Series[Any], current: pd.Series[Any], rng: np.random.Generator) -> Cells:
        """
        Count names that are frequent enough to be compared, and all others together; missing rows do not count.

        Args:
            reference: Names, shape (n,), not all missing.
            current: Names, shape (m,), likewise.
            rng: Chooses the rows among which names are looked for.
        """
        kept, covered = _frequent(reference, current, rng)
        counts = [_counted(one, kept) for one in (reference, current)]
        used = (counts[0] + counts[1]) > 0
        names = np.array([*kept, OTHER], dtype=object)[used]
        return cls(names=tuple(names), reference=counts[0][used], current=counts[1][used], covered=covered)

    @property
    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Which share of each sample has each name, two arrays of shape (k,)."""
        return self.reference / self.reference.sum(), self.current / self.current.sum()

    def moved(self, most: int) -> list[int]:
        """Give the places of the names whose share changed most, those first."""
        reference, current = self.shares
        gaps = np.abs(reference - current)
        return [int(place) for place in np.argsort(-gaps, kind="stable")[:most] if gaps[place] > 0]


def words_of(texts: pd.Series[Any], rng: np.random.Generator) -> pd.Series[Any]:
    """
    Give one word of each text, by chance: rows stay independent, which the words of one text are not.

    At most 20,000 texts are read. A text without words gives "(none)".
    """
    import pandas as pd

    some = _some(texts, rng).dropna()
    luck = rng.random(len(some))
    found = []
    for text, share in zip(some, luck, strict=True):
        words = _WORD.findall(str(text).lower())
        found.append(words[int(share * len(words))] if words else "(none)")
    return pd.Series(found, dtype=object)


def _some(column: pd.Series[Any], rng: np.random.Generator) -> pd.Series[Any]:
    if len(column) <= _LOOKED_AT:
        return column
    return column.iloc[np.sort(rng.choice(len(column), _LOOKED_AT, replace=False, shuffle=False))]


def _frequent(reference: pd.Series[Any], current: pd.Series[Any], rng: np.random.Generator) -> tuple[list[str], float]:
    """Choose names by both samples alike, as if they were of one size: a choice by one would favour it."""
    found = [_some(one, rng).astype(object).value_counts() for one in (reference, current)]
    rows = [max(1, int(one.sum())) for one in found]
    share = (found[0] / rows[0]).add(found[1] / rows[1], fill_value=0) / 2
    least = _FEWEST_EXPECTED / min(rows)
    # By share, then by name: the same data, the same cells.
    chosen = sorted(((-value, str(name)) for name, value in share[share >= least].items()))[:_MOST_NAMES]
    return [name for _, name in chosen], -sum(value for value, _ in chosen)


def _counted(column: pd.Series[Any], kept: list[str]) -> np.ndarray:
    """Count rows of each kept name, and of all others, shape (k + 1,), without listing the others."""
    import pandas as pd

    names = pd.Index(kept, dtype=object)
    if isinstance(column.dtype, pd.CategoricalDtype):
        # One more place for the code of what is missing, -1.
        places = np.append(names.get_indexer(pd.Index(column.cat.categories, dtype=object)), len(kept) + 1)
        found = places[column.cat.codes.to_numpy()]
        found = found[found <= len(kept)]
        return np.bincount(np.where(found < 0, len(kept), found), minlength=len(kept) + 1)
    found = names.astype(column.dtype).get_indexer(pd.Index(column))
    counts = np.bincount(found[found >= 0], minlength=len(kept) + 1)
    counts[-1] = int(column.notna().sum()) - int(counts.sum())
    return counts
