"""Sections of a benchmark, each a module with a function of its name."""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(package: str, sections: Sequence[str], doc: str | None, arguments: Sequence[str] | None = None) -> int:
    """
    Run the sections of *package* that the command line asks for, or all; 1 if a promise is not kept.

    Args:
        package: Whose modules are the sections.
        sections: Their names, in order.
        doc: What the command is for.
        arguments: The command line's; None: those of this process.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=doc)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(sections)}; none: all")
    chosen = parser.parse_args(arguments).sections
    unknown = [name for name in chosen if name not in sections]
    if unknown:
        parser.error(f"there is no section {unknown[0]!r}: {', '.join(sections)}")
    # Before numpy is loaded: more threads than idle cores make every figure a matter of luck.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MLFLOW_DISABLE_TELEMETRY="true")
    from benchmarks.table import Table

    table = Table()
    for name in chosen or sections:
        with tempfile.TemporaryDirectory(prefix=f"mltest-bench-{name}-") as folder:
            getattr(import_module(f"{package}.{name}"), name)(table, Path(folder))
    for what in table.missed:
        print(f"MISSED: {what}")
    return 1 if table.missed else 0
