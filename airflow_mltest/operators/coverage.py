"""The coverage of a run, whole and of the change, as cases."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.outcome import Case


def coverage_cases(data: Sequence[Any], folder: Path, *, base: str = "", whole: bool = True) -> tuple[Case, ...]:
    """
    Count what the tests of several processes have covered.

    Args:
        data: Files of coverage.py, on disk or in the report store.
        folder: The project, whose own configuration of coverage.py counts.
        base: The commit whose difference to the project is counted apart; empty: none.
        whole: Whether all tests ran: the figure of some is told, and not held against the project's bound.
    """
    from airflow_mltest.core.coverage import cases_of
    from airflow_mltest.integrations.coverage_data import combine

    with tempfile.TemporaryDirectory(prefix="mltest-coverage-") as aside:
        files = []
        for path in data:
            files.append(Path(aside) / f"{path.parent.name}.{path.name}")  # a damaged one is named by its shard
            files[-1].write_bytes(path.read_bytes())
        return cases_of(combine(files, folder=folder, changed_lines=_changed_lines(folder, base)), whole=whole)


def _changed_lines(folder: Path, base: str) -> Mapping[str, set[int]] | None:
    """Number the lines that differ from *base*, by path relative to *folder*; None where that cannot be told."""
    from airflow_mltest.integrations.git_repository import WorkTree

    if not base:
        return None
    with WorkTree(folder) as tree:
        try:
            changed = tree.changed_lines(base)
        except ConfigurationError:
            return None
        prefix = f"{tree.prefix}/" if tree.prefix else ""
        return {path.removeprefix(prefix): lines for path, lines in changed.items() if path.startswith(prefix)}
