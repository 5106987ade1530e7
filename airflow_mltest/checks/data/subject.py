"""The rows that a data check looks at, and those that it compares them with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.model.violations import plain
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

REDACTED = "redacted"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """
    What a data check's `run` is given.

    Args:
        rows: The data under test.
        reference: The data it should resemble, such as what the model was trained on, if any.
        seed: For everything that draws.
        redact: Columns of which no value is shown, nor what tells one, such as a median; `*` for all.
        on_progress: Told of long work: how much of it is done, of how much.
    """

    rows: pd.DataFrame
    reference: pd.DataFrame | None = None
    seed: int = 0
    redact: Sequence[str] = ()
    on_progress: Callable[[int, int], None] = field(default=lambda *_: None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.redact, str):
            msg = f"redact={self.redact!r} is one text: give a list of columns, [{self.redact!r}]."
            raise ConfigurationError(msg)

    def hides(self, name: object) -> bool:
        """Say whether no value of a column may be shown."""
        return "*" in self.redact or str(name) in self.redact

    def shown(self, rows: pd.DataFrame, name: Any, place: int) -> Any:
        """Give the value of column *name* at *place* of one of the tables as a case may show it; strict JSON."""
        return REDACTED if self.hides(name) else plain(rows[name].iloc[place])

    def label(self, rows: pd.DataFrame, place: int) -> Any:
        """Name a row by its index; by its place, counted from 0, where the index may be a column that is not shown."""
        from pandas import RangeIndex

        hidden = any(name is None or self.hides(name) for name in rows.index.names)
        if self.redact and hidden and not isinstance(rows.index, RangeIndex):
            return int(place)
        return plain(rows.index[place])

    def rng(self) -> np.random.Generator:
        """Give a generator of this subject's seed: a check's luck does not depend on the others."""
        return np.random.default_rng(self.seed)

    def progress(self, done: int, total: int) -> None:
        """Tell how far long work is; as often as you like."""
        self.on_progress(done, total)

    def column(self, name: str) -> pd.Series[Any]:
        """
        Give a column of the rows.

        Raises:
            ConfigurationError: There is none of that name; the message has the nearest one.
        """
        return column_of(self.rows, name, "the data")

    def need_reference(self, what: str) -> pd.DataFrame:
        """
        Give the reference to *what* cannot do without it.

        Raises:
            ConfigurationError: There is none, or it has no rows.
        """
        if self.reference is None or self.reference.empty:
            msg = f"{what} compares with a reference that has rows: give the operator a `reference`."
            raise ConfigurationError(msg)
        return self.reference
