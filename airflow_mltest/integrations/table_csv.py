"""pyarrow: whether a CSV file is whole: pandas fills short lines, and renames columns of the same name."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from airflow_mltest.checks.columns import require_distinct
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltest.integrations.table_files import Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """
    How much a CSV file holds.

    Args:
        rows: Lines below the header.
        bytes_of_text: All its values as texts, unzipped.
    """

    rows: int
    bytes_of_text: int


@contextmanager
def opened_csv(path: Readable) -> Iterator[IO[bytes]]:
    """
    Open a CSV file, zipped or not.

    Raises:
        ConfigurationError: What is read from it breaks off, or is no CSV; the message has the path.
    """
    import gzip
    import zlib

    try:
        with path.open("rb") as raw:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if path.name.endswith(".gz") else raw
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{str(path)!r} cannot be read as csv: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error


def checked_csv(path: Readable) -> Size:
    """
    Read a CSV file once without keeping anything of it.

    Raises:
        ConfigurationError: A line has more or fewer fields than the header, the text is not UTF-8, two
            columns have the same name, or the file breaks off.
    """
    with extra("data", provides="pyarrow"):
        from pyarrow import ArrowException, csv, string
    parse = csv.ParseOptions(newlines_in_values=True)
    read = csv.ReadOptions(use_threads=False)  # it names the line then
    rows = bytes_of_text = 0
    with opened_csv(path) as file:
        try:
            header = csv.open_csv(file, read_options=read, parse_options=parse).schema.names
            file.seek(0)
            types = csv.ConvertOptions(column_types=dict.fromkeys(header, string()))
            for batch in csv.open_csv(file, read_options=read, parse_options=parse, convert_options=types):
                rows += batch.num_rows
                bytes_of_text += batch.nbytes
        except ArrowException as error:
            # Without the line itself, whose values may be nobody's business.
            words = re.sub(r"(got [0-9]+):.*", r"\1", str(error), flags=re.DOTALL)
            msg = f"{str(path)!r} cannot be read as csv: {words}"
            raise ConfigurationError(msg) from error
    require_distinct(header, repr(str(path)))
    return Size(rows=rows, bytes_of_text=bytes_of_text)
