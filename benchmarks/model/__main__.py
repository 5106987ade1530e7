"""Measure what is promised of model tests, beside what others do: `python -m benchmarks.model [section ...]`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = ("attacks", "latency", "statistics")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections that are asked for, or all; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)}; none: all")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]!r}: {', '.join(SECTIONS)}")
    # Before numpy is loaded: more threads than idle cores make every figure a matter of luck.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MLFLOW_DISABLE_TELEMETRY="true")
    from importlib import import_module

    from benchmarks.code.table import Table

    table = Table()
    for name in options.sections or SECTIONS:
        with tempfile.TemporaryDirectory(prefix=f"mltest-bench-{name}-") as folder:
            getattr(import_module(f"benchmarks.model.{name}"), name)(table, Path(folder))
    for what in table.missed:
        print(f"MISSED: {what}")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
