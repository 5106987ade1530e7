"""The catalogue: edits of a small project, each of which breaks tests in its own way."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from benchmarks.code.edits import Judge, Judged
from benchmarks.code.ours import Ours
from benchmarks.code.runs import PLAIN, Warm
from benchmarks.code.scenarios import HARMLESS, PROJECT, REFERENCE, Scenario
from benchmarks.code.subjects import begin
from benchmarks.code.theirs import Testmon
from benchmarks.code.traps import TRAPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.table import Table

# One of the edits makes an error of a warning.
_ARGS = tuple(arg for arg in PLAIN if arg not in ("-W", "ignore"))


def catalogue(table: Table, scratch: Path, python: str) -> None:
    """Apply each scenario, and print who selects every test that fails after it."""
    with Warm(python) as warm:
        judge = prepare(warm, scratch, python)
        for title, scenarios in (("the reference's scenarios", REFERENCE), ("traps of our own", TRAPS)):
            table.section(f"Catalogue: {title}")
            _told(table, title, [_judged(table, judge, scenario) for scenario in scenarios])
        table.section("Catalogue: edits that change nothing")
        for scenario in HARMLESS:
            judged = judge.judge(scenario.name, scenario.apply)
            ours, theirs = len(judged.selected["recorded"]), len(judged.selected["testmon"])
            static = len(judged.selected["static"])
            table.row(f"{scenario.name}: tests selected", f"{ours}", f"{theirs}", goal="0", kept=not ours)
            table.note(f"without records {static}")


def prepare(warm: Warm, scratch: Path, python: str, *, testmon: bool = True) -> Judge:
    """Lay the project, and record it once with each tool."""
    folder, kept = scratch / "catalogue", scratch / "catalogue-testmon"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    begin(folder)
    kept.mkdir()
    ours = Ours(python, folder)
    theirs = Testmon(warm, folder, kept, ()) if testmon else None
    if theirs:
        theirs.record()
    records = ours.record()
    return Judge(
        warm=warm, folder=folder, args=_ARGS, baseline=warm.run(folder, _ARGS), collected=ours.collect(),
        records=records, ours=ours, testmon=theirs, recollect=True,
    )  # fmt: skip


def _judged(table: Table, judge: Judge, scenario: Scenario) -> Judged:
    judged = judge.judge(scenario.name, scenario.apply)
    if judged.failing != set(scenario.failing):
        table.row(f"{scenario.name}: fails as written", "no", goal="as written", kept=False)
        table.note(f"written {sorted(scenario.failing)}, seen {sorted(judged.failing)}")
    missed, theirs = judged.missed("recorded"), judged.missed("testmon")
    counts = [len(judged.selected[tool]) for tool in ("recorded", "testmon")]
    ours = f"{'missed' if missed else 'yes'} {counts[0]}"
    table.row(
        f"{scenario.name} ({len(judged.failing)} fail)", ours, f"{'missed' if theirs else 'yes'} {counts[1]}",
        goal=f"of {judged.total} tests", kept=not missed,
    )  # fmt: skip
    if missed:
        table.note(f"missed: {sorted(missed)}")
    if judged.missed("static"):
        table.note(f"missed without records: {sorted(judged.missed('static'))}")
    return judged


def _told(table: Table, title: str, judged: Sequence[Judged]) -> None:
    for tool, whose in (("recorded", "ours, with records"), ("static", "ours, without records")):
        ours, theirs = (sum(not one.missed(name) for one in judged) for name in (tool, "testmon"))
        table.row(
            f"{title}: fully caught, {whose}", f"{ours}", f"{theirs}", goal=f"{len(judged)} of {len(judged)}",
            kept=tool == "static" or ours == len(judged),
        )  # fmt: skip
        share = sum(len(one.selected[tool]) / one.total for one in judged) / len(judged)
        their_share = sum(len(one.selected["testmon"]) / one.total for one in judged) / len(judged)
        table.row(
            f"{title}: mean share selected, {whose}", f"{share:.1%}", f"{their_share:.1%}", ratio=share / their_share
        )
