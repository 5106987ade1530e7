"""Measure what is promised of code tests, beside what others do: `python -m benchmarks.code [section ...]`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.code.subjects import FEATURE_ENGINE, IMBLEARN, NETWORKX
from benchmarks.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.code.mutations import Base
    from benchmarks.code.subjects import Subject

_VENV = Path(__file__).parents[2] / ".venv-bench" / "bin" / "python"


class Bench:
    """
    The sections, and what they share.

    Args:
        table: Where they print.
        scratch: An empty folder.
        options: What the command line says.
    """

    def __init__(self, table: Table, scratch: Path, options: argparse.Namespace) -> None:
        self._table = table
        self._scratch = scratch
        self._python: str = options.python
        self._count: int = options.mutations
        self._seed: int = options.seed
        self._repository: Path | None = options.repository
        self._bases: dict[str, Base] = {}

    @property
    def sections(self) -> dict[str, Callable[[], None]]:
        """Name -> what runs it."""
        return {
            "catalogue": self.catalogue,
            "crashes": self.crashes,
            "overheads": self.overheads,
            "recording": self.recording,
            "shards": self.shards,
            "mutations": self.mutations,
            "commits": self.commits,
            "polling": self.polling,
        }

    def catalogue(self) -> None:
        """Break a small project in every way that is known to fool such tools."""
        from benchmarks.code.catalogue import catalogue

        catalogue(self._table, self._folder("catalogue"), self._python)

    def crashes(self) -> None:
        """Lose nothing."""
        from benchmarks.code.crashes import crashes

        crashes(self._table, self._folder("crashes"))

    def overheads(self) -> None:
        """Cost little."""
        from benchmarks.code.overheads import overheads

        overheads(self._table, self._folder("overheads"))

    def recording(self) -> None:
        """Record at next to no cost."""
        from benchmarks.code.recording import recording

        self._table.section("Recording")
        for subject in self._subjects:
            recording(self._table, subject, self._base(subject).folder, self._python)

    def shards(self) -> None:
        """Balance, and keep files together."""
        from benchmarks.code.shards import shards

        self._table.section("Shards; theirs: pytest-split")
        for subject in self._subjects:
            shards(self._table, subject.name, self._base(subject).baseline.durations, self._python)

    def mutations(self) -> None:
        """Miss nothing, and select little."""
        from benchmarks.code.mutations import mutations, tell_all

        self._table.section("Mutations; theirs: pytest-testmon")
        judged = []
        for subject in self._subjects:
            base = self._base(subject)
            judged += mutations(self._table, base, count=self._count, seed=self._seed)
        tell_all(self._table, judged)

    def commits(self) -> None:
        """Select little of real commits from a cold start."""
        from benchmarks.code.commits import commits

        if self._repository is None:
            self._table.section("Real commits")
            self._table.note("not measured: give `--repository`, a clone of feature_engine with its history")
            return
        commits(self._table, self._folder("commits"), FEATURE_ENGINE, python=self._python, repository=self._repository)

    def polling(self) -> None:
        """Ask a remote once."""
        from benchmarks.code.polling import polling

        polling(self._table, self._folder("polling"))

    @property
    def _subjects(self) -> tuple[Subject, ...]:
        """feature_engine publishes its tests in its repository only; imbalanced-learn ships them."""
        return (NETWORKX, FEATURE_ENGINE if self._repository else IMBLEARN)

    def _base(self, subject: Subject) -> Base:
        """Record a package once, for all sections that need it."""
        if subject.name not in self._bases:
            from benchmarks.code.mutations import record_base

            repository = self._repository if subject is FEATURE_ENGINE else None
            self._bases[subject.name] = record_base(
                subject, self._folder(subject.name), python=self._python, repository=repository
            )
        return self._bases[subject.name]

    def _folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir()
        return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections that are asked for, or all; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.code", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help="catalogue, crashes, overheads, ...; none: all")
    parser.add_argument("--python", default=str(_VENV), help="an interpreter with requirements-code.txt installed")
    parser.add_argument("--repository", type=Path, help="a clone of feature_engine with its history")
    parser.add_argument("--mutations", type=int, default=60, help="how many edits of each package")
    parser.add_argument("--seed", type=int, default=1, help="which edits")
    options = parser.parse_args(arguments)
    if not Path(options.python).exists():
        parser.error(f"there is no interpreter {options.python}: `make bench-code` makes it")
    table = Table()
    with tempfile.TemporaryDirectory(prefix="mltest-bench-code-", ignore_cleanup_errors=True) as folder:
        os.environ.update(AIRFLOW_HOME=folder, AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING", OMP_NUM_THREADS="1")
        sections = Bench(table, Path(folder), options).sections
        unknown = [name for name in options.sections if name not in sections]
        if unknown:
            parser.error(f"there is no section {unknown[0]!r}: {', '.join(sections)}")
        for name in options.sections or sections:
            sections[name]()
    for what in table.missed:
        print(f"MISSED: {what}")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
