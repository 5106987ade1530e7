"""The name of a suite's entry in the index, which tells how the suite ended."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.reports.files import part_of_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltest.core.outcome import Origin, Suite

_TIME = "%Y%m%dT%H%M%S.%f"
_NAME = re.compile(
    r"(?P<at>\d{8}T\d{6}\.\d{6}),(?P<outcome>[a-z]+),(?P<counts>(?:\d+\.){5}\d+)?,(?P<duration_s>\d+\.\d{3})?,"
    r"(?P<map_index>-?\d+),(?P<try_number>\d+),(?P<run>[^,.]+)",
    re.ASCII,
)
_COUNTED = (*Outcome, "flaky")
# With all that stands before it, and what is added while it is written, a name has 255 bytes at most.
_LONGEST_RUN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    A try of a task, as far as the name of its entry tells.

    Args:
        run: Its run, as `run_key` gives it.
        map_index: Of a mapped task.
        try_number: The try.
        started_at: When it began, aware.
        outcome: How it ended; of one that did not reach its end, how it stood.
        counts: How many cases ended how, by outcome and `flaky`; empty where the suite is incomplete.
        duration_s: Seconds it took; 0 where the suite is incomplete.
        path: Where the entry lies.
    """

    run: str
    map_index: int
    try_number: int
    started_at: datetime
    outcome: Outcome
    counts: Mapping[str, int]
    duration_s: float
    path: Any

    @property
    def run_id(self) -> str:
        """The run's id; empty where it is too long for a name, and only the entry's content tells it."""
        return "" if self.run.startswith("=") else unquote(self.run)


def run_key(run_id: str) -> str:
    """Give the part of an entry's name that is the run's, for no other run the same."""
    part = part_of_path(run_id)
    if len(part) <= _LONGEST_RUN and part != "=":
        return part
    return f"={hashlib.sha256(run_id.encode('utf-8', errors='replace')).hexdigest()[:32]}"


def entry_names(suite: Suite, origin: Origin) -> tuple[str, ...]:
    """
    Give the name of *suite*'s entry, and then those that the same try may have had before it ended.

    While a suite is incomplete its name says little, so that writing it again leaves no second entry.
    """
    at = suite.started_at.astimezone(UTC).strftime(_TIME)
    end = f"{origin.map_index},{origin.try_number},{run_key(origin.run_id)}"
    open_names = tuple(f"{at},{outcome},,,{end}" for outcome in (Outcome.FAILED, Outcome.BROKEN))
    if suite.incomplete:
        return open_names if suite.outcome is Outcome.FAILED else open_names[::-1]
    counts = ".".join(str(suite.counts[name]) for name in _COUNTED)
    return (f"{at},{suite.outcome},{counts},{_seconds(suite.duration_s):.3f},{end}", *open_names)


def entry_of(path: Any) -> Entry | None:
    """Read the name of the entry at *path*; None for any other file."""
    match = _NAME.fullmatch(path.name)
    if not match:
        return None
    try:
        counts = dict(zip(_COUNTED, map(int, match["counts"].split(".")), strict=True)) if match["counts"] else {}
        return Entry(
            run=match["run"],
            map_index=int(match["map_index"]),
            try_number=int(match["try_number"]),
            started_at=datetime.fromisoformat(match["at"]).replace(tzinfo=UTC),
            outcome=Outcome(match["outcome"]),
            counts=counts,
            duration_s=float(match["duration_s"] or 0),
            path=path,
        )
    except ValueError:
        return None


def _seconds(seconds: float) -> float:
    return max(0.0, float(seconds)) if math.isfinite(seconds) else 0.0
