"""pyarrow: whether a CSV file is whole: pandas fills short lines, and renames columns of the same name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_mltest.checks.columns import require_distinct
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from typing import IO


def refuse_broken_csv(file: IO[bytes], name: str) -> None:
    """
    Read *file* once without keeping anything of it.

    Raises:
        ConfigurationError: A line has more or fewer fields than the header, the text is not UTF-8, or
            two columns have the same name.
    """
    with extra("data", provides="pyarrow"):
        from pyarrow import ArrowException, csv, string
    parse = csv.ParseOptions(newlines_in_values=True)
    read = csv.ReadOptions(use_threads=False)  # it names the line then
    try:
        header = csv.open_csv(file, read_options=read, parse_options=parse).schema.names
        file.seek(0)
        types = csv.ConvertOptions(column_types=dict.fromkeys(header, string()))
        for _ in csv.open_csv(file, read_options=read, parse_options=parse, convert_options=types):
            pass
    except ArrowException as error:
        # Without the line itself, whose values may be nobody's business.
        words = re.sub(r"(got [0-9]+):.*", r"\1", str(error), flags=re.DOTALL)
        msg = f"{name!r} cannot be read as csv: {words}"
        raise ConfigurationError(msg) from error
    require_distinct(header, repr(name))
