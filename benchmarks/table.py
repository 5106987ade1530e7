"""Lines of a table: what was measured, ours, theirs, and whether a promise is kept."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Table:
    """Print lines as they come, and remember which promises are not kept."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def section(self, title: str) -> None:
        """Begin a part."""
        print(f"\n{title}\n{'what':70} {'ours':>10} {'theirs':>10} {'ratio':>7}   goal", flush=True)

    def note(self, text: str) -> None:
        """Say something between the lines."""
        print(f"    {text}", flush=True)

    def row(  # noqa: PLR0913  the columns
        self, what: str, ours: str, theirs: str = "", *, ratio: float | None = None, goal: str = "", kept: bool = True
    ) -> None:
        """
        Print one line.

        Args:
            what: What was measured.
            ours: Our figure, with its unit.
            theirs: Theirs.
            ratio: Ours over theirs, where that says something.
            goal: What was promised.
            kept: Whether we keep it.
        """
        told = "" if ratio is None else f"{ratio:.2f}x"
        missed = "" if kept else "   MISSED"
        print(f"{what:70} {ours:>10} {theirs:>10} {told:>7}   {goal}{missed}", flush=True)
        if not kept:
            self.missed.append(what)

    def ratio(self, what: str, ours: Sequence[float], theirs: Sequence[float], *, most: float | None = None) -> None:
        """Print the median of the ratios of pairs that were measured side by side, in seconds."""
        ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        self.row(
            what, f"{statistics.median(ours):.2f} s", f"{statistics.median(theirs):.2f} s", ratio=ratio,
            goal="(stated)" if most is None else f"<= {most:.2f}", kept=most is None or ratio <= most,
        )  # fmt: skip


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """
    Measure all of *measures* once a round, each time beginning with another one.

    Returns:
        What each of them gave, round by round.
    """
    found: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = list(range(len(measures)))
        for which in order[number % len(order) :] + order[: number % len(order)]:
            found[which].append(measures[which]())
    return found
