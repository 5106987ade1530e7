"""Which tests a change can reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltest.core.changes import Program
from airflow_mltest.core.configuration import entry_points, rules_all
from airflow_mltest.core.files import Files
from airflow_mltest.core.reach import Reach
from airflow_mltest.core.recorded import Change, Seen
from airflow_mltest.core.roots import Roots, asks_for, lost_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from airflow_mltest.core.collected import Collected, CollectedTest
    from airflow_mltest.core.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    Which tests a change can reach, and why.

    Args:
        reasons: Test id -> why it was selected, in the order in which the tests were collected.
        everything: Why all tests are selected; empty where they are not.
        left_out: How many tests the change cannot reach.
        recorded: How many tests were judged by what they touched when they were recorded.
        static: How many were judged by the source alone.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    everything: str = ""
    left_out: int = 0
    recorded: int = 0
    static: int = 0


def select(  # noqa: PLR0913  what a selection depends on
    collected: Collected,
    *,
    changed: Collection[str],
    before: Callable[[str], str | None],
    after: Callable[[str], str | None],
    paths: Collection[str],
    records: Sequence[Records] = (),
    always: Mapping[str, str] | None = None,
) -> Selection:
    """
    Select the tests that a change can reach; what cannot be told selects them all, and says so.

    Args:
        collected: The tests as they are now.
        changed: Paths that differ between then and now; a rename is one that is gone and one that is new.
        before: Gives the text of a file as it was then; None: it was not there, or is no text.
        after: Gives the text of a file now.
        paths: Every file that is there now.
        records: What earlier runs touched, the newest first. Those of another environment are not used.
        always: Tests that are selected in any case: id -> reason.
    """
    usable = [one for one in records if one.environment == collected.environment]
    reasons: dict[str, str] = {}
    judged: Mapping[str, str] = {}
    everything = next(filter(None, (rules_all(path, before(path), after(path)) for path in sorted(changed))), "")
    if not everything and changed:
        state = _State(collected, sorted(changed), before, after, frozenset(paths))
        seen = Seen(state.program, state.roots, collected.tests, usable)
        judged = seen.judge(state.change)
        reasons = {test: reason for test, reason in judged.items() if reason}
        rest = [test for test in collected.tests if test.id not in judged]
        static, everything = state.by_source(rest, seen.at_import(state.change))
        everything *= len(rest) == len(collected.tests)
        reasons |= static | state.others()
        reasons |= state.beside(reasons)
    if everything:
        reasons = dict.fromkeys((test.id for test in collected.tests), everything)
    reasons |= {**(always or {}), **reasons}
    ordered = {test.id: reasons[test.id] for test in collected.tests if test.id in reasons}
    return Selection(
        reasons=ordered,
        everything=everything,
        left_out=len(collected.tests) - len(ordered),
        recorded=len(judged),
        static=len(collected.tests) - len(judged),
    )


class _State:
    """A project before and after a change."""

    def __init__(
        self,
        collected: Collected,
        changed: Sequence[str],
        before: Callable[[str], str | None],
        after: Callable[[str], str | None],
        paths: frozenset[str],
    ) -> None:
        points = entry_points(
            (path, read(path)) for path in ("pyproject.toml", "setup.cfg") for read in (before, after)
        )
        self._tests, self._changed = collected.tests, frozenset(changed)
        self.program = Program({*paths, *changed}, changed, before, after, collected.modules, points)
        self.roots = Roots(self.program, collected.plugins)
        self._files = Files(self.program, changed, before, paths)
        difference = self.program.difference()
        self.change = Change(
            nodes={**self._files.seen(), **difference.nodes},
            modules=difference.modules,
            paths=frozenset(self._files.touched),
            notable=self._files.notable(difference.nodes),
        )

    def by_source(self, tests: Sequence[CollectedTest], made: Mapping[str, str]) -> tuple[dict[str, str], str]:
        """Judge tests of which nothing is recorded; and say why all of them are selected, if they are."""
        likely, nobodys = self._files.likely() if tests else ({}, "")
        if nobodys:
            why = f"{nobodys} changed, and nothing tells who reads it"
            return {test.id: why for test in tests}, why
        starts = {test.id: frozenset(self.roots.whole(test)) for test in tests}
        effects = {frozenset((node,)): node for node in self.program.effects()}
        hits = Reach(self.program.graph, [*starts.values(), *effects]).hits({**likely, **made, **self.change.nodes})
        acting = {effects[start].partition("::")[0]: words for start, words in hits.items() if start in effects}
        files = self.program.spread({**acting, **self.change.modules})
        found = {}
        for test in tests:
            imported = self.roots.files(test) & files.keys()
            if starts[test.id] in hits:
                found[test.id] = f"may reach what changed: {hits[starts[test.id]]}"
            elif imported:
                found[test.id] = f"imports what changed: {files[min(imported)]}"
        return found, ""

    def others(self) -> dict[str, str]:
        """Select tests for what neither their code nor their record tells."""
        lost = list(lost_fixtures(self.program, {test.file for test in self._tests}))
        return {test.id: reason for test in self._tests for reason in self._other(test, lost)}

    def beside(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """
        Select the tests that share what is set up once with a test that has one of *reasons*.

        What they share is as that test leaves it: an edit that makes `self.graph.copy()` give the graph itself has
        one test change it, and another fail, which copies nothing. No record of the other shows that.
        """
        selected: dict[str, str] = {}
        for test in self._tests:
            for shared in self.roots.shared(test) if test.id in reasons else ():
                selected.setdefault(shared, test.function)
        return {
            test.id: f"shares what {who} sets up with {selected[shared]}, which is selected"
            for test in self._tests
            for shared, who in self.roots.shared(test).items()
            if test.id not in reasons and shared in selected
        }

    def _other(self, test: CollectedTest, lost: Sequence[tuple[str, str, bool]]) -> Iterator[str]:
        if not test.function and test.file in self._changed:
            yield f"stands in {test.file}, which changed"
        for where, name, unasked in lost:
            if test.file.startswith(where) and (unasked or asks_for(self.program, test, name)):
                yield f"its fixture {name} is gone"
