"""One edit after the other: which tests fail after it, and which of those each tool would have run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.code.subjects import git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from airflow_mltest.core.collected import Collected
    from airflow_mltest.core.records import Records
    from benchmarks.code.ours import Ours
    from benchmarks.code.runs import Run, Warm
    from benchmarks.code.theirs import Testmon

_USAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """
    What one edit showed.

    Args:
        name: The edit.
        failing: Tests that fail after it and did not before; a file that cannot be collected is one.
        selected: Tool -> what it runs: tests, and files that it could not collect.
        total: How many tests there are.
        seconds: What the selected tests take, as a share of all: tool -> 0...1.
        everything: Why we select everything, where we do.
        reasons: Why we select a test.
        refused: A `conftest.py` cannot be imported, so that pytest does not start: whoever runs anything is told.
    """

    name: str
    failing: frozenset[str] = frozenset()
    selected: Mapping[str, frozenset[str]] = field(default_factory=dict)
    total: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    everything: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False

    def missed(self, tool: str) -> set[str]:
        """Name what fails and would not have been run."""
        selected = self.selected[tool]
        files = {test.partition("::")[0] for test in selected}
        return {unit for unit in self.failing if unit not in selected and ("::" in unit or unit not in files)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """
    A project with its baseline, in a git work tree that is edited and set back.

    Args:
        warm: Where its tests run.
        folder: The work tree.
        args: What pytest is called with when everything runs.
        baseline: All tests, before any edit.
        collected: The same, as we collect them.
        records: What we recorded then.
        ours: Our selection.
        testmon: Theirs; None: it is not asked.
        recollect: Whether every edit may change what is collected; else only one that breaks a file does.
    """

    warm: Warm
    folder: Path
    args: Sequence[str]
    baseline: Run
    collected: Collected
    records: Records
    ours: Ours
    testmon: Testmon | None
    recollect: bool

    def judge(self, name: str, edit: Callable[[Path], None]) -> Judged:
        """Edit, run everything, ask each tool, and set back."""
        edit(self.folder)
        try:
            truth = self.warm.run(self.folder, self.args)
            if truth.code == _USAGE:
                return Judged(name=name, refused=True)
            anew = self.recollect or truth.broken or set(truth.collected) != set(self.baseline.collected)
            collected = self.ours.collect() if anew else self.collected
            recorded = self.ours.select(collected, [self.records])
            static = self.ours.select(collected, [])
            broken = frozenset(collected.broken)
            selected = {
                "recorded": frozenset(recorded.reasons) | broken,
                "static": frozenset(static.reasons) | broken,
                "testmon": frozenset(self.testmon.select()) if self.testmon else frozenset(),
            }
        finally:
            self._set_back()
        return Judged(
            name=name,
            failing=frozenset(truth.failed - self.baseline.failed) | _lost(truth, self.baseline),
            selected=selected,
            total=len(collected.tests),
            seconds={tool: self._share(tests) for tool, tests in selected.items()},
            everything=recorded.everything,
            reasons=dict(recorded.reasons),
        )

    def selected(self, edit: Callable[[Path], None]) -> set[str]:
        """Edit, tell what we select with records, and set back; no test is run."""
        edit(self.folder)
        try:
            collected = self.ours.collect()
            return set(self.ours.select(collected, [self.records]).reasons) | set(collected.broken)
        finally:
            self._set_back()

    def _set_back(self) -> None:
        git(self.folder, "checkout", "--quiet", "--", ".")
        git(self.folder, "clean", "--quiet", "-d", "--force")

    def _share(self, tests: frozenset[str]) -> float:
        durations = self.baseline.durations
        return sum(durations.get(test, 0.0) for test in tests) / (sum(durations.values()) or 1.0)


def _lost(truth: Run, baseline: Run) -> frozenset[str]:
    """Name what was to run and never ended, as when the process died: it fails, too."""
    return frozenset() if truth.code in (0, 1) else frozenset(truth.collected) - truth.outcomes.keys() - baseline.failed
