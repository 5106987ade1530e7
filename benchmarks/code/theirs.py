"""What others select, decide and cost: pytest-testmon and pytest-split, as they are published."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.code.runs import Run, Warm

# testmon reads the cache plugin's option, so that it cannot be without that plugin.
_ARGS = ("-q", "--tb=no", "--continue-on-collection-errors", "-W", "ignore", "-p", "testmon.pytest_testmon")
_SPLIT = """
import collections, json, sys
from pytest_split.algorithms import Algorithms
Item = collections.namedtuple("Item", "nodeid")
order = json.load(sys.stdin)
items = [Item(test) for test in order["tests"]]
groups = {}
for name in order["algorithms"]:
    split = Algorithms[name].value(order["count"], items, dict(order["durations"]))
    groups[name] = [[item.nodeid for item in group.selected] for group in split]
print(json.dumps(groups))
"""


class Testmon:
    """
    pytest-testmon with its own database, which a later selection only reads.

    Args:
        warm: Where it runs.
        folder: The project.
        scratch: An empty folder of its own.
        args: What pytest is called with.
    """

    def __init__(self, warm: Warm, folder: Path, scratch: Path, args: Sequence[str]) -> None:
        self._warm = warm
        self._folder = folder
        self._data = scratch / "testmondata"
        self._kept = scratch / "kept"
        self._args = (*_ARGS, "-o", f"cache_dir={scratch / 'cache'}", *args)

    def record(self) -> Run:
        """Run all tests, and keep what each of them touched; the run's cost is the recording's."""
        for path in self._data.parent.glob("testmondata*"):
            path.unlink()
        run = self._run("--testmon", alarm=False)
        with closing(sqlite3.connect(self._data)) as data:  # what it wrote last may not be in the file itself yet
            data.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy2(self._data, self._kept)
        return run

    def select(self) -> set[str]:
        """Tell which tests it runs, as the project is now, and which files it could not collect."""
        for path in self._data.parent.glob("testmondata*"):
            path.unlink()
        shutil.copy2(self._kept, self._data)
        run = self._run("--testmon", "--testmon-forceselect", "--testmon-nocollect", "--collect-only")
        return set(run.collected) | set(run.broken)

    def _run(self, *options: str, alarm: bool = True) -> Run:
        return self._warm.run(
            self._folder, [*self._args, *options], env={"TESTMON_DATAFILE": str(self._data)}, alarm=alarm, frozen=True
        )


def split(
    python: str, tests: Sequence[str], durations: Mapping[str, float], count: int, algorithms: Sequence[str]
) -> dict[str, list[list[str]]]:
    """
    Deal *tests* as pytest-split does.

    Args:
        python: The interpreter that it is installed for.
        tests: In the order in which they were collected.
        durations: Recorded seconds of those that were.
        count: How many groups.
        algorithms: Their names.
    """
    order = {"tests": list(tests), "durations": dict(durations), "count": count, "algorithms": list(algorithms)}
    run = subprocess.run(
        [python, "-c", _SPLIT], input=json.dumps(order), capture_output=True, text=True, check=True
    )  # fmt: skip
    groups: dict[str, list[list[str]]] = json.loads(run.stdout)
    return groups
