"""Failures that say the same, but for numbers, names in quotes, addresses and paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTED = re.compile(r"'[^']{0,200}'|\"[^\"]{0,200}\"|`[^`]{0,200}`")
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.@%+-]+){2,}")
_DIGEST = re.compile(r"\b0x[0-9a-f]+\b|\b(?=[0-9a-f-]*\d)[0-9a-f]{7,}(?:-[0-9a-f]{4,})*\b", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case that has not passed: where, which, and what it said."""

    dag_id: str
    run_id: str
    task_id: str
    test: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """
    Failures with one cause, most likely.

    Args:
        message: What all of them say, with a mark where they differ.
        failures: The failures, in the order in which they were given.
    """

    message: str
    failures: tuple[Failure, ...]

    @property
    def tests(self) -> int:
        """How many tests they are of."""
        return len({(one.dag_id, one.task_id, one.test) for one in self.failures})


def clusters(failures: Iterable[Failure]) -> tuple[Cluster, ...]:
    """Put *failures* together by what the first line of each says; the most frequent first."""
    found: dict[str, list[Failure]] = {}
    for failure in failures:
        found.setdefault(normalised(failure.said), []).append(failure)
    told = [Cluster(message=message, failures=tuple(some)) for message, some in found.items()]
    return tuple(sorted(told, key=lambda one: (-len(one.failures), one.message)))


def normalised(message: str) -> str:
    """Give the first line of *message*, with a mark in place of what differs from run to run."""
    line = message.strip().partition("\n")[0][: _LONGEST * 2]
    for pattern, mark in ((_QUOTED, "…"), (_PATH, "/…"), (_DIGEST, "#"), (_NUMBER, "#")):
        line = pattern.sub(mark, line)
    return " ".join(line.split())[:_LONGEST] or "(no message)"
