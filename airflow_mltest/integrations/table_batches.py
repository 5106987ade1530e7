"""pandas: of rows that are not in memory, those that conditions keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.integrations.pandas_table import select

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from airflow_mltest.integrations.csv_batches import CsvFiles
    from airflow_mltest.integrations.parquet_batches import ParquetFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRows:
    """
    The rows of *files* for which every condition of *where* holds.

    Args:
        files: All rows.
        where: Conditions, each (column, operator, value).
    """

    files: ParquetFiles | CsvFiles
    where: Sequence[Sequence[Any]] = ()

    @property
    def columns(self) -> list[str]:
        """Name the columns, in order."""
        return self.files.columns

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read all rows that are kept, of *columns* or of all."""
        return self._kept(self.files.read(self._needed(columns)), columns)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Read the rows that are kept in parts, none of them empty."""
        for part in self.files.batches(self._needed(columns)):
            rows = self._kept(part, columns)
            if len(rows):
                yield rows

    def _needed(self, columns: Sequence[str] | None) -> list[str]:
        asked = {*self.columns} if columns is None else {*columns}
        conditions = {condition[0] for condition in self.where if condition}
        return [name for name in self.columns if name in asked | conditions]

    def _kept(self, rows: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
        found = select(rows, self.where, self.files.name)
        return found if columns is None else found[[name for name in columns if name in found.columns]]
