"""pandas: CSV in one file or many, whole or in batches, with columns of the same types in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.table_csv import checked_csv, opened_csv
from airflow_mltest.integrations.table_files import BYTES_A_VALUE, rows_a_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from airflow_mltest.integrations.table_files import Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Type:
    """
    How a part of the rows gets the type that a column has in all of them.

    Args:
        read: What pandas is told to read; empty: it may infer.
        made: What its values are made of after that; empty: nothing else.
    """

    read: str = ""
    made: str = ""


# Without slots: types are found once, when they are first needed.
@dataclass(frozen=True, kw_only=True)
class CsvFiles:
    """
    Rows of one or many files with the same columns.

    Args:
        paths: Where the files are, checked before.
        name: What to call them in errors.
        columns: Their names, in order.
        rows: How many there are.
        bytes_in_memory: About what a data frame of all rows would take.
    """

    paths: Sequence[Readable]
    name: str
    columns: list[str]
    rows: int
    bytes_in_memory: int

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """
        Read all rows, of *columns* or of all.

        Raises:
            ConfigurationError: A column of several files has no type that is right for all of them.
        """
        import pandas as pd

        names = self.columns if columns is None else list(columns)
        if len(self.paths) > 1:
            return pd.concat([*self.batches(names)] or [pd.DataFrame(columns=names)], ignore_index=True)
        with opened_csv(self.paths[0]) as file:
            # In one go: in parts, a column of mixed types would have a type a part.
            rows: pd.DataFrame = pd.read_csv(file, usecols=names, low_memory=False)
        return rows if list(rows.columns) == names else rows[names]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """
        Read the rows in parts of about 32 MiB, each with the types that the whole would have.

        Raises:
            ConfigurationError: A column has no such type.
        """
        names = self.columns if columns is None else list(columns)
        types = {name: self._types[name] for name in names}
        made = {name: one.made for name, one in types.items() if one.made}
        for part in self._parts(names, {name: one.read for name, one in types.items() if one.read}):
            yield part[names].astype(made)

    @cached_property
    def _types(self) -> Mapping[str, _Type]:
        """Look at all rows once."""
        kinds: dict[str, set[str]] = {name: set() for name in self.columns}
        for part in self._parts(self.columns, {}):
            for name in self.columns:
                kinds[name].add(_kind(part[name]))
        return {name: self._type(name, kinds[name]) for name in self.columns}

    def _type(self, name: str, kinds: set[str]) -> _Type:
        found = _common(kinds)
        if found is None:
            msg = f"column {name!r} of {self.name} holds whole numbers beyond 64 bits beside others or gaps: what type "
            msg += "that is depends on the order of the rows, so give Parquet, which says it, or another spelling."
            raise ConfigurationError(msg)
        return found

    def _parts(self, names: Sequence[str], read: Mapping[str, str]) -> Iterator[pd.DataFrame]:
        import pandas as pd

        rows = rows_a_batch(self.bytes_in_memory / max(1, self.rows))
        for path in self.paths:
            with opened_csv(path) as file:
                parts = pd.read_csv(file, usecols=list(names), dtype=dict(read), chunksize=rows, low_memory=False)
                yield from (part for part in parts if len(part))


def open_csv(paths: Sequence[Readable], name: str) -> CsvFiles:
    """
    Open the files at *paths* as one.

    Raises:
        ConfigurationError: One is no CSV, breaks off, or has other columns than the first.
    """
    sizes = [checked_csv(path) for path in paths]
    headers = [_header(path) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        other = {*headers[0]} ^ {*header}
        if other:
            msg = f"{path} has other columns than {paths[0]}: {', '.join(sorted(other))}."
            raise ConfigurationError(msg)
    rows = sum(size.rows for size in sizes)
    return CsvFiles(
        paths=paths,
        name=name,
        columns=headers[0],
        rows=rows,
        bytes_in_memory=max(rows * len(headers[0]) * BYTES_A_VALUE, sum(size.bytes_of_text for size in sizes)),
    )


def _header(path: Readable) -> list[str]:
    import pandas as pd

    with opened_csv(path) as file:
        return [str(name) for name in pd.read_csv(file, nrows=0).columns]


def _kind(column: pd.Series[Any]) -> str:
    """Tell what pandas took a part of a column for; "gaps" are whole numbers of which some are missing."""
    import pandas as pd

    known = column.dropna()
    if known.empty:
        return "missing"
    if column.dtype == "float64" and len(known) < len(column) and (known % 1 == 0).all():
        return "gaps"
    if column.dtype.kind in "iufb":
        return str(column.dtype)
    inferred = pd.api.types.infer_dtype(known)
    if inferred in {"boolean", "integer"}:
        return f"objects of {inferred}"
    # Numbers that are kept as texts are too large, or too large beside those below 0.
    return "digits" if pd.to_numeric(known, errors="coerce").notna().all() else "text"


def _common(kinds: set[str]) -> _Type | None:
    """Give the type that pandas would take all parts together for; None where that is not settled by them."""
    known = kinds - {"missing"}
    gaps = bool(kinds & {"missing", "gaps", "objects of boolean"})
    if known <= {"int64", "gaps"}:
        # Not read as such: beyond 2**53 a whole number is rounded otherwise than a text.
        return _Type(made="float64" if gaps else "")
    if known <= {"int64", "gaps", "float64"}:
        return _Type(read="float64")
    if known <= {"bool", "objects of boolean"}:
        return _Type(made="object" if gaps else "")
    if kinds == {"uint64"}:
        return _Type()
    if "text" in known or known & {"bool", "objects of boolean"} or kinds == {"digits"}:
        return _Type(read="str")
    return None
