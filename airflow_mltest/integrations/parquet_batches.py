"""pyarrow: Parquet in one file or many, whole or in batches, all columns or some."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.checks.columns import require_distinct
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra
from airflow_mltest.integrations.table_files import BYTES_A_VALUE, rows_a_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd


class Placed(Protocol):
    """A path: `pathlib`'s, or one of object storage, which also has `fs` and `path`."""

    def exists(self) -> bool:
        """Say whether there is something at the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetFiles:
    """
    Rows of one or many files with the same columns.

    Args:
        dataset: pyarrow's, of all files; parts of paths like `month=3` are columns.
        name: What to call them in errors.
        nullable: Integer columns in which a value is missing somewhere.
        bytes_in_memory: About what a data frame of all rows would take.
    """

    dataset: Any
    name: str
    nullable: frozenset[str]
    bytes_in_memory: int

    @property
    def columns(self) -> list[str]:
        """Name them, in order, without what pandas keeps an unnamed index in."""
        return [name for name in self.dataset.schema.names if not name.startswith("__index_level_")]

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """
        Read all rows, of *columns* or of all.

        Raises:
            ConfigurationError: A file breaks off, or is not what it says.
            BrokenRunError: Storage failed half way: a retry may help.
        """
        from pyarrow import default_memory_pool

        with _named(self.name):
            default_memory_pool().release_unused()
            table = self.dataset.to_table(columns=None if columns is None else list(columns))
            rows: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
            return rows

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Read the rows in parts of about 32 MiB, each with the types that the whole would have."""
        names = self.columns if columns is None else list(columns)
        rows = rows_a_batch(BYTES_A_VALUE * len(names))
        from pyarrow.dataset import ParquetFragmentScanOptions

        # What is buffered ahead stays until the file ends.
        unbuffered = ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True)
        scanner = self.dataset.scanner(
            columns=names, batch_size=rows, batch_readahead=0, fragment_readahead=0, use_threads=False,
            fragment_scan_options=unbuffered,
        )  # fmt: skip
        with _named(self.name):
            for batch in scanner.to_batches():
                if batch.num_rows:
                    yield self._typed(batch.to_pandas())

    def _typed(self, part: pd.DataFrame) -> pd.DataFrame:
        """Make floats of integers where the whole would be floats, for a value that is missing elsewhere."""
        integers = [name for name in part.columns if name in self.nullable and part[name].dtype.name.islower()]
        return part.astype(dict.fromkeys(integers, "float64"))


def open_parquet(paths: Sequence[Placed], name: str) -> ParquetFiles:
    """
    Open the files at *paths* as one.

    Raises:
        ConfigurationError: One is no Parquet, breaks off, or has other columns than the first.
        BrokenRunError: Storage does not answer.
    """
    with extra("data", provides="pyarrow"):
        from pyarrow import dataset as arrow_dataset
        from pyarrow import fs, parquet
    files = [str(getattr(path, "path", path)) for path in paths]
    storage = getattr(paths[0], "fs", None) or fs.LocalFileSystem()
    with _named(name):
        require_distinct(parquet.read_schema(files[0], filesystem=storage).names, name)
        dataset = arrow_dataset.dataset(
            files, filesystem=storage, format="parquet", partitioning=arrow_dataset.partitioning(flavor="hive")
        )
        fragments = list(dataset.get_fragments())
        _refuse_others(fragments)
        metadata = [fragment.metadata for fragment in fragments]
    groups = [of_file.row_group(number) for of_file in metadata for number in range(of_file.num_row_groups)]
    values = sum(group.num_rows for group in groups) * len(dataset.schema.names)
    return ParquetFiles(
        dataset=dataset,
        name=name,
        nullable=frozenset(_nullable(dataset.schema, groups)),
        bytes_in_memory=max(values * BYTES_A_VALUE, sum(group.total_byte_size for group in groups)),
    )


def _refuse_others(fragments: Sequence[Any]) -> None:
    """Refuse a file with other columns than the first: its own would be passed over, and those it lacks be null."""
    first = {*fragments[0].physical_schema.names}
    for fragment in fragments:
        with _named(fragment.path):
            other = first ^ {*fragment.physical_schema.names}
        if other:
            msg = f"{fragment.path} has other columns than {fragments[0].path}: {', '.join(sorted(other))}."
            raise ConfigurationError(msg)


def _nullable(schema: Any, groups: Sequence[Any]) -> Iterator[str]:
    """Find the integer columns that pandas would read as floats; where statistics are missing, assume that it would."""
    from pyarrow import types

    integers = {field.name for field in schema if types.is_integer(field.type)}
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            statistics = column.statistics
            if column.path_in_schema in integers and (statistics is None or statistics.null_count):
                yield column.path_in_schema


@contextmanager
def _named(name: str) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ConfigurationError, BrokenRunError):
        raise
    except Exception as error:
        msg = f"{name!r} cannot be read as parquet: {type(error).__name__}: {error}"
        # Torn bytes are pyarrow's own error, or an OSError that no system call made.
        torn = isinstance(error, ArrowException) or (type(error) is OSError and error.errno is None)
        raise (ConfigurationError if torn else BrokenRunError)(msg) from error
