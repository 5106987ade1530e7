"""Mutations: single edits of real packages, and the failing tests that each tool would have missed."""

from __future__ import annotations

import shutil
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.code.edits import Judge, Judged
from benchmarks.code.mutants import Mutant, draw
from benchmarks.code.ours import Ours
from benchmarks.code.runs import PLAIN, Run, Warm
from benchmarks.code.subjects import Subject, lay
from benchmarks.code.theirs import Testmon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_mltest.core.collected import Collected
    from airflow_mltest.core.records import Records
    from benchmarks.table import Table

_WORKERS = 2
_MOST = {True: 1.2, False: 2.0}
"""Tests selected over testmon's, by whether the package's import graph is clean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A package with its tests as they are before any edit; what workers copy."""

    subject: Subject
    python: str
    folder: Path
    testmon: Path
    baseline: Run
    collected: Collected
    records: Records


def mutations(table: Table, base: Base, *, count: int, seed: int) -> list[Judged]:
    """Judge *count* edits of a package, and print what was missed and how much was selected."""
    drawn = draw(base.subject.texts(base.folder), count, seed)
    with ProcessPoolExecutor(_WORKERS) as pool:
        parts = [drawn[number::_WORKERS] for number in range(_WORKERS)]
        jobs = [pool.submit(_judge_all, base, part, number) for number, part in enumerate(parts)]
        answers = [one for job in jobs for one in job.result()]
    judged = [one for one in answers if not one.refused]
    if len(answers) > len(judged):
        table.note(
            f"{base.subject.name}: {len(answers) - len(judged)} edits after which no conftest.py can be imported"
        )
    _tell(table, base.subject, judged)
    return judged


def record_base(subject: Subject, scratch: Path, *, python: str, repository: Path | None) -> Base:
    """Lay a package, and run all its tests plainly, with our recorder and with testmon."""
    folder, kept = scratch / subject.name, scratch / f"{subject.name}-testmon"
    folder.mkdir()
    kept.mkdir()
    lay(subject, folder, python=python, repository=repository)
    with Warm(python, subject.preload) as warm:
        runs = [warm.run(folder, [*PLAIN, *subject.tests], frozen=False) for _ in range(2)]
        Testmon(warm, folder, kept, subject.tests).record()
    # A test that fails only sometimes says nothing about an edit.
    unstable = {test for test in runs[0].outcomes if len({run.outcomes.get(test) for run in runs}) > 1}
    outcomes = {test: "failed" if test in unstable else outcome for test, outcome in runs[1].outcomes.items()}
    ours = Ours(python, folder, subject.tests)
    return Base(
        subject=subject, python=python, folder=folder, testmon=kept, baseline=replace(runs[1], outcomes=outcomes),
        collected=ours.collect(), records=ours.record(),
    )  # fmt: skip


def _judge_all(base: Base, mutants: Sequence[Mutant], number: int) -> list[Judged]:
    """Judge *mutants* in a copy of the package of one's own."""
    folder = base.folder.with_name(f"{base.folder.name}-{number}")
    kept = base.testmon.with_name(f"{base.testmon.name}-{number}")
    shutil.copytree(base.folder, folder, symlinks=True)
    shutil.copytree(base.testmon, kept)
    with Warm(base.python, base.subject.preload) as warm:
        judge = Judge(
            warm=warm, folder=folder, args=[*PLAIN, *base.subject.tests], baseline=base.baseline,
            collected=base.collected, records=base.records, ours=Ours(base.python, folder, base.subject.tests),
            testmon=Testmon(warm, folder, kept, base.subject.tests), recollect=False,
        )  # fmt: skip
        return [judge.judge(f"{mutant.kind} {mutant.where}", mutant.apply) for mutant in mutants]


def _tell(table: Table, subject: Subject, judged: Sequence[Judged]) -> None:
    biting = [one for one in judged if one.failing]
    total = judged[0].total
    units = sum(len(one.failing) for one in biting)
    table.row(
        f"{subject.name}: edits, of which make a test fail", f"{len(judged)}", f"{len(biting)}", goal=f"{total} tests"
    )
    for tool, whose in (("recorded", "with records"), ("static", "without records")):
        for what, count in _misses(biting, tool).items():
            theirs = _misses(biting, "testmon")[what]
            table.row(
                f"{subject.name}, {whose}: {what}",
                f"{count}",
                f"{theirs}",
                goal=f"of {units if 'tests' in what else len(biting)}",
            )
        ours, testmon, most = _mean(judged, tool), _mean(judged, "testmon"), _MOST[subject.clean]
        what = f"{subject.name}, {whose}: tests selected, mean share"
        table.row(
            what, f"{ours:.1%}", f"{testmon:.1%}", ratio=ours / testmon,
            goal=f"<= {most}" if tool == "recorded" else "(stated)", kept=tool == "static" or ours <= most * testmon,
        )  # fmt: skip
        table.row(
            f"{subject.name}, {whose}: tests selected, median",
            f"{statistics.median(len(one.selected[tool]) for one in judged):.0f}",
            f"{statistics.median(len(one.selected['testmon']) for one in judged):.0f}",
        )
        table.row(
            f"{subject.name}, {whose}: their share of the suite's seconds",
            *(f"{statistics.fmean(one.seconds[name] for one in judged):.1%}" for name in (tool, "testmon")),
        )
    for one in biting:
        if one.missed("recorded") or one.missed("static"):
            table.note(f"missed by us: {one.name}: {sorted(one.missed('recorded') or one.missed('static'))[:5]}"
                       f"{'' if one.missed('recorded') else ' (without records only)'}")  # fmt: skip


def _misses(biting: Sequence[Judged], tool: str) -> dict[str, int]:
    return {
        "edits with a missed failing test": sum(bool(one.missed(tool)) for one in biting),
        "edits of which nothing was found": sum(one.missed(tool) == one.failing for one in biting),
        "failing tests missed": sum(len(one.missed(tool)) for one in biting),
    }


def _mean(judged: Sequence[Judged], tool: str) -> float:
    return statistics.fmean(len(one.selected[tool]) / one.total for one in judged)


def tell_all(table: Table, judged: Sequence[Judged]) -> None:
    """Print the figures that are promised over all packages together."""
    biting = [one for one in judged if one.failing]
    table.row("all packages: edits that make a test fail", f"{len(biting)}", goal=">= 80", kept=len(biting) >= 80)  # noqa: PLR2004
    ours, theirs = _misses(biting, "recorded"), _misses(biting, "testmon")
    for what, most in (("edits with a missed failing test", 0.02), ("edits of which nothing was found", 0.0)):
        one, other = ours[what] / len(biting), theirs[what] / len(biting)
        table.row(f"all packages: {what}", f"{one:.1%}", f"{other:.1%}", goal=f"<= {most:.0%}", kept=one <= most)
