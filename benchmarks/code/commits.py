"""Real commits, without any record: how much of a suite each of them reaches."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from benchmarks.code.ours import Ours
from benchmarks.code.runs import PLAIN, Warm
from benchmarks.code.subjects import Subject, git, lay

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.table import Table

_COUNT = 30
_MOST = 0.05


def commits(table: Table, scratch: Path, subject: Subject, *, python: str, repository: Path) -> None:
    """
    Select for each of the newest commits that touch the package, as for its parent's cold start.

    Args:
        table: Where to print.
        scratch: A folder for the work tree.
        subject: The package; all its tests count.
        python: The interpreter that its dependencies are installed for.
        repository: A clone of its repository, with history.
    """
    folder = lay(subject, scratch / "commits", python=python, repository=repository)
    listed = git(folder, "log", "--no-merges", "-n", str(2 * _COUNT), "--format=%H %s", "--", *subject.sources)
    shares: list[tuple[float, float]] = []
    table.section(f"Real commits of {subject.name}, no records, in test functions; theirs: pytest-impacted")
    with Warm(python, subject.preload) as warm:
        for line in listed.splitlines():
            if len(shares) < _COUNT:
                commit, _, title = line.partition(" ")
                git(folder, "checkout", "--quiet", "--force", commit)
                try:
                    every, ours = _ours(table, Ours(python, folder, ["tests"]), commit)
                except ConfigurationError as error:
                    table.note(f"{commit[:10]} is not counted, its tests cannot be collected: {str(error)[:100]}")
                    continue
                theirs = _theirs(warm, folder, subject, commit)
                shares.append((len(ours) / len(every), len(theirs) / len(every)))
                table.row(f"{commit[:10]} {title[:56]}", *(f"{share:.1%}" for share in shares[-1]))
    for name, figure in (("mean", statistics.fmean), ("median", statistics.median)):
        ours_share, their_share = (figure([pair[which] for pair in shares]) for which in (0, 1))
        promised = name == "median"
        table.row(
            f"{name} share of the suite that one of {len(shares)} commits reaches",
            f"{ours_share:.1%}", f"{their_share:.1%}", ratio=ours_share / (their_share or 1.0),
            goal=f"<= {_MOST:.0%}" if promised else "(stated)", kept=not promised or ours_share <= _MOST,
        )  # fmt: skip


def _ours(table: Table, ours: Ours, commit: str) -> tuple[set[str], set[str]]:
    """Give all test functions, and those that we select for the commit."""
    collected = ours.collect()
    selection = ours.select(collected, [], base=f"{commit}~1")
    if selection.everything:
        table.note(f"everything: {selection.everything}")
    every = _functions(test.id for test in collected.tests)
    return every, every if selection.everything else _functions(selection.reasons)


def _theirs(warm: Warm, folder: Path, subject: Subject, commit: str) -> set[str]:
    """Give those that pytest-impacted selects."""
    args = ["-p", "pytest_impacted.plugin", "--impacted", f"--impacted-module={subject.name}"]
    args += ["--impacted-tests-dir=tests", "--impacted-git-mode=branch", f"--impacted-base-branch={commit}~1"]
    return _functions(warm.run(folder, [*PLAIN, *args, "--collect-only", "tests"]).collected)


def _functions(tests: Iterable[str]) -> set[str]:
    """Take the parameters away: one function with forty of them is one test that a person wrote."""
    return {test.partition("[")[0] for test in tests}
