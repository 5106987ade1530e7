"""What a start can lead to, whatever values it meets at run time."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_mltest.core.graph import Graph, Node


class Reach:
    """
    Which of several starts can lead to a node; all are followed at once.

    Args:
        graph: What leads where.
        starts: Nodes that are begun with together.
    """

    def __init__(self, graph: Graph, starts: Iterable[frozenset[Node]]) -> None:
        self._starts = list(dict.fromkeys(starts))
        self._reached = _flow(graph, self._starts)

    def hits(self, nodes: Mapping[Node, str]) -> dict[frozenset[Node], str]:
        """Give the starts that can lead to any of *nodes*, each with the words of the first."""
        found: dict[frozenset[Node], str] = {}
        known = 0
        for node, words in nodes.items():
            new = self._reached.get(node, 0) & ~known
            known |= new
            while new:
                lowest = new & -new
                found[self._starts[lowest.bit_length() - 1]] = words
                new ^= lowest
        return found


def _flow(graph: Graph, starts: Iterable[Iterable[Node]]) -> dict[Node, int]:
    """Give each node with the *starts* that can lead to it, as bits: start 3 is the fourth bit."""
    reached: dict[Node, int] = defaultdict(int)
    for number, nodes in enumerate(starts):
        for node in nodes:
            reached[node] |= 1 << number
    edges, importing, gates = graph.edges, graph.importing, graph.gates
    waiting = dict.fromkeys(reached)
    while waiting:
        now, waiting = waiting, {}
        for node in now:
            bits = reached[node]
            targets = edges.get(node, ())
            for target in (*targets, *importing[node]) if node in importing else targets:
                known = reached[target]
                if target in gates:
                    first, second = gates[target]
                    new = known | (reached[first] & reached[second])
                else:
                    new = known | bits
                if new != known:
                    reached[target] = new
                    waiting[target] = None
    return reached
