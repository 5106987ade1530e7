"""What a change reaches by what tests were seen to touch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import compare
from airflow_mltest.core.graph import made_by
from airflow_mltest.core.reach import Reach
from airflow_mltest.core.records import Touched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_mltest.core.changes import Program
    from airflow_mltest.core.collected import CollectedTest
    from airflow_mltest.core.graph import Node
    from airflow_mltest.core.records import Records
    from airflow_mltest.core.roots import Roots


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    What changed, as far as tests may notice.

    Args:
        nodes: Blocks of code, with words for people.
        modules: Modules whose import may have other effects, with words.
        paths: Files whose content changed, and folders in which one is new or gone.
        notable: Files whose change may matter to whoever reads or runs them, with words.
    """

    nodes: Mapping[Node, str]
    modules: Mapping[str, str]
    paths: frozenset[str] = frozenset()
    notable: Mapping[str, str] = field(default_factory=dict)


class Seen:
    """
    Judges tests by their records.

    What may change a test is what it has run, what those functions use that was made at import, and what
    ran once for an earlier test.

    Args:
        program: The project's code.
        roots: Tells where a test begins.
        tests: The tests.
        records: Of the same environment, the newest first.
    """

    def __init__(
        self, program: Program, roots: Roots, tests: Sequence[CollectedTest], records: Sequence[Records]
    ) -> None:
        self._program, self._roots, self._records = program, roots, records
        self._tests = [test for test in tests if any(test.id in one.tests for one in records)]
        # Their functions do not tell that they ran.
        self._silent = {file for one in records for file, touched in one.modules.items() if touched.opaque} - {""}
        # What ran outside of tests, as hooks do, every test stands on.
        self._around = records[0].modules.get("", Touched()) if records else Touched()
        self._ran = {name for one in records for touched in one.tests.values() for name in touched.functions}
        self._ran |= self._around.functions
        self._holding = {test.file for test in tests}
        self._used: dict[str, frozenset[Node]] = {}
        self._files: dict[frozenset[str], frozenset[str]] = {}

    def at_import(self, change: Change) -> dict[Node, str]:
        """Give what is made at import by what changed, where it was seen and cannot be read in the source."""
        found: dict[Node, str] = {}
        for file, touched in [pair for one in self._records for pair in one.modules.items()]:
            made = list(self._program.made_nodes(file))
            reasons = [f"{path} changed, which {file} reads" for path in sorted(_read(touched) & change.paths)]
            ran = {name: change.nodes[name] for name in touched.functions & change.nodes.keys()}
            if ran and not reasons:
                reach = Reach(self._program.graph, (frozenset((node,)) for node in made))
                reasons += [words for name, words in ran.items() if not reach.hits({name: words})]
            for node in made if reasons else ():
                found.setdefault(node, reasons[0])
        return found

    def judge(self, change: Change) -> dict[str, str]:
        """Say of each test that has a true record why it is selected; the reason of one that is not is empty."""
        if not self._tests:
            return {}
        change = replace(change, nodes={**self.at_import(change), **change.nodes})
        made = {
            test.id: frozenset((*self._roots.made(test), *self._roots.around_in(test, self._silent)))
            for test in self._tests
        }
        single = {node for name in self._ran for node in self._uses(name)} | set(self._program.effects())
        reach = Reach(self._program.graph, [*made.values(), *(frozenset((node,)) for node in single)])
        now = self._verdict(reach, change)
        judged: dict[str, str] = {}
        for one in self._records:
            stale = self._verdict(reach, Change(nodes=self._since(one), modules={}))
            unknown = _files(name for touched in one.tests.values() for name in touched.functions) - one.blocks.keys()
            for test in self._tests:
                touched = one.tests.get(test.id)
                if touched is None or test.id in judged or "forks" in touched.opaque:
                    continue
                functions = touched.functions | self._around.functions
                files = self._files_of(touched.functions) | self._roots.files(test)
                if unknown.isdisjoint(files) and not stale.reason(functions, made[test.id], files):
                    judged[test.id] = self._told(test, touched, change) or now.reason(functions, made[test.id], files)
        return judged

    def _told(self, test: CollectedTest, touched: Touched, change: Change) -> str:
        """Say what a test has read that changed, or that it does what no record holds."""
        read = sorted(_read(touched | self._around) & change.paths)
        if read:
            return f"reads {read[0]}, which changed"
        if touched.opaque:
            mine = (words for file, words in change.notable.items() if file == test.file or file not in self._holding)
            for words in mine:
                return f"{touched.opaque}, and so what it reaches is not known: {words}"
        return ""

    def _verdict(self, reach: Reach, change: Change) -> _Verdict:
        hits = reach.hits(change.nodes)
        effects = {
            file: words
            for node in self._program.effects()
            if (words := hits.get(frozenset((node,))))
            for file in (node.partition("::")[0],)
        }
        functions = {name: f"ran {_name(name)}: {change.nodes[name]}" for name in self._ran & change.nodes.keys()}
        for name in self._ran - functions.keys():
            for node in self._uses(name):
                words = hits.get(frozenset((node,)))
                if words:
                    functions[name] = f"ran {_name(name)}, which uses what changed: {words}"
                    break
        return _Verdict(
            functions=functions, starts=hits, files=self._program.spread({**effects, **change.modules})
        )  # fmt: skip

    def _since(self, records: Records) -> dict[Node, str]:
        """Give what differs between the state that was recorded and that before the change."""
        nodes: dict[Node, str] = {}
        for file, known in records.blocks.items():
            now = self._program.blocks_before(file)
            names = compare(known, now)
            if names:
                self._program.note(file, names, known, now, nodes)
        return nodes

    def _files_of(self, functions: frozenset[str]) -> frozenset[str]:
        if functions not in self._files:
            self._files[functions] = frozenset(_files(functions))
        return self._files[functions]

    def _uses(self, function: str) -> frozenset[Node]:
        """Give what a function that ran uses, besides what runs with it."""
        if function not in self._used:
            self._used[function] = frozenset(self._beside(function))
        return self._used[function]

    def _beside(self, function: str) -> Iterator[Node]:
        graph = self._program.graph
        file, _, name = function.partition("::")
        source = self._program.sources.get(file)
        block = source.blocks.get(name) if source else None
        if block is None:
            return
        yield f"{file}::{name.partition('.<locals>.')[0]}()"
        if block.owner:
            yield f"{file}::class {block.owner}"
        for node in graph.edges.get(function, ()):
            other, _, rest = node.partition("::")
            if rest.startswith(("@", "^")) or rest == "*":
                yield node if other in self._silent else made_by(node)
            elif rest.endswith(" =") or rest.startswith("~"):
                yield node
        if function in graph.keeping:
            yield from (*graph.own(file, name), f"{file}::^{block.owner}")
        if "__subclasses__" in block.uses.asked:
            yield from graph.subclasses(function)
        for attribute in block.uses.asked & graph.cached.keys():
            yield from graph.cached[attribute]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """
    What a change reaches.

    Args:
        functions: Functions that ran and that it changes, with the reason.
        starts: Where tests begin, as far as it changes that.
        files: Files whose import it changes.
    """

    functions: Mapping[str, str]
    starts: Mapping[frozenset[Node], str]
    files: Mapping[str, str]

    def reason(self, functions: frozenset[str], made: frozenset[Node], files: frozenset[str] | set[str]) -> str:
        """Say why a test is selected; nothing if it is not."""
        ran = functions & self.functions.keys()
        if ran:
            return self.functions[min(ran, key=lambda name: ("which uses" in self.functions[name], name))]
        if made in self.starts:
            return f"is made of what changed: {self.starts[made]}"
        imported = self.files.keys() & files
        return f"imports what changed: {self.files[min(imported)]}" if imported else ""


def _read(touched: Touched) -> frozenset[str]:
    return touched.files | touched.folders


def _files(functions: Iterable[str]) -> set[str]:
    return {name.partition("::")[0] for name in functions}


def _name(function: str) -> str:
    return function.partition("::")[2]
