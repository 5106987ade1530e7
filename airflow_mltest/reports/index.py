"""The last runs of each suite at one look, without opening a report: one small file a try."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Origin, Outcome
from airflow_mltest.reports.entry import entry_names, entry_of, run_key
from airflow_mltest.reports.files import Files, part_of_path, read_whole
from airflow_mltest.reports.merge import WORST_FIRST
from airflow_mltest.reports.summary import summary_content, summary_from_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from airflow_mltest.core.history import PastCase, PastRun
    from airflow_mltest.core.outcome import Suite
    from airflow_mltest.reports.entry import Entry
    from airflow_mltest.reports.summary import Summary

# No DAG has a folder of this name: an id is quoted without a `=`.
_ROOM = "=index"
_UNKNOWN = Origin(dag_id="", run_id="", task_id="")
# Enough that the answers of an object store are waited for together.
_READERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedRun:
    """
    What a task said in one run of its DAG.

    Args:
        run_id: The run.
        entries: Of each mapped instance the newest try, by map index.
    """

    run_id: str
    entries: tuple[Entry, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of its instances."""
        return min((entry.outcome for entry in self.entries), key=WORST_FIRST.index)

    @property
    def counts(self) -> dict[str, int]:
        """How many cases ended how, over all instances; empty while none has ended."""
        return dict(sum((Counter(entry.counts) for entry in self.entries), Counter[str]()))

    @property
    def started_at(self) -> datetime:
        """When the first instance began."""
        return min(entry.started_at for entry in self.entries)

    @property
    def duration_s(self) -> float:
        """Seconds that the longest instance took."""
        return max(entry.duration_s for entry in self.entries)


class Index:
    """
    The suites of a report store in short: `=index/<dag>/<task>/<start>,<outcome>,<counts>,<seconds>,<map>,<try>,<run>`.

    Each try has a file of its own, so that any number of workers may write at the same time and
    nothing is merged in place. A listing tells how each run ended; only of the runs that are shown in
    detail are entries read. It can be missing or wrong without harm: no verdict rests on it, and
    `airflow_mltest.reports.rebuild` makes it anew.

    Args:
        root: The report store's root, a path of `pathlib` or of object storage.
    """

    def __init__(self, root: Any) -> None:
        self._files = Files(root)
        self.folder = root / _ROOM

    def add(self, suite: Suite, digest: str) -> Any:
        """
        Write the entry of *suite*, in place of those that its try had before; give its path.

        Args:
            suite: As it was kept.
            digest: Of the bytes that were kept.

        Raises:
            BrokenRunError: The root cannot be written.
        """
        if suite.origin is None:
            msg = f"suite {suite.name!r} has no origin, so there is no place for it in the index."
            raise ConfigurationError(msg)
        folder = self._place(suite.origin.dag_id, suite.origin.task_id)
        name, *earlier = entry_names(suite, suite.origin)
        self._files.put(folder, name, summary_content(suite, digest))
        for other in earlier:
            with contextlib.suppress(Exception):
                (folder / other).unlink(missing_ok=True)
        return folder / name

    def dags(self) -> list[str]:
        """Give the ids of the DAGs that have entries."""
        self._files.forget_listings()
        folders = sorted(_folders(self.folder), key=lambda folder: str(folder.name))
        return [
            _told(path for task in _folders(folder) for path in task.iterdir()).dag_id
            if "=" in folder.name
            else unquote(folder.name)
            for folder in folders
        ]

    def tasks(self, dag_id: str) -> list[str]:
        """Give the ids of a DAG's tasks that have entries."""
        self._files.forget_listings()
        folders = sorted(_folders(self.folder / part_of_path(dag_id)), key=lambda folder: str(folder.name))
        return [_told(folder.iterdir()).task_id if "=" in folder.name else unquote(folder.name) for folder in folders]

    def runs(self, dag_id: str, task_id: str, *, most: int = 50) -> list[IndexedRun]:
        """
        Give the newest runs of a task, newest first. Costs one listing.

        Args:
            dag_id: The DAG.
            task_id: Its task.
            most: How many runs.
        """
        self._files.forget_listings()
        runs: dict[str, list[Entry]] = {}
        for entry in self.entries(dag_id, task_id):
            runs.setdefault(entry.run, []).append(entry)
        newest = sorted(runs.values(), key=lambda tries: (min(entry.started_at for entry in tries), tries[0].run))
        return [_run(tries) for tries in newest[: -most - 1 : -1]]

    def in_run(self, dag_id: str, run_id: str) -> dict[str, IndexedRun]:
        """Give what each task said in one run, by task id. Costs one listing a task of the DAG."""
        key = run_key(run_id)
        found = {task_id: list(self.entries(dag_id, task_id, key)) for task_id in self.tasks(dag_id)}
        return {task_id: _run(entries) for task_id, entries in found.items() if entries}

    def entries(self, dag_id: str, task_id: str, run: str = "") -> Iterator[Entry]:
        """Give all entries of a task, of all tries and in no order; or of one *run*, as `run_key` gives it."""
        folder = self._place(dag_id, task_id)
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.endswith(f",{run}" if run else "") and (entry := entry_of(path)):
                yield entry

    def details(self, runs: Sequence[IndexedRun]) -> list[list[Summary]]:
        """Read the entries of *runs*, for each its own; what cannot be read is passed over."""
        with ThreadPoolExecutor(_READERS) as readers:
            read = readers.map(_read, [entry.path for run in runs for entry in run.entries])
            return [[one for one in itertools.islice(read, len(run.entries)) if one] for run in runs]

    def _place(self, dag_id: str, task_id: str) -> Any:
        return self.folder / part_of_path(dag_id) / part_of_path(task_id)


def past_of(summaries: Sequence[Summary]) -> PastRun | None:
    """Make one run of the mapped instances of a task; of a case that several asked, the answer that is not a pass."""
    if not summaries:
        return None
    cases: dict[str, PastCase] = {}
    for summary in summaries:
        for test, case in summary.past.cases.items():
            if test not in cases or cases[test].outcome is Outcome.PASSED:
                cases[test] = case
    first = min((summary.past for summary in summaries), key=lambda past: past.started_at)
    # Of several subjects none may be credited or blamed.
    one = len({summary.past.commit for summary in summaries}) == 1
    return replace(first, commit=first.commit if one else "", cases=cases)


def _run(entries: Sequence[Entry]) -> IndexedRun:
    newest: dict[int, Entry] = {}
    # What has ended counts before what was written while it ran.
    for entry in sorted(entries, key=lambda one: (one.try_number, one.started_at, bool(one.counts))):
        newest[entry.map_index] = entry
    chosen = tuple(newest[place] for place in sorted(newest))
    return IndexedRun(run_id=chosen[0].run_id or _told(entry.path for entry in chosen).run_id, entries=chosen)


def _folders(folder: Any) -> Iterator[Any]:
    return (item for item in folder.iterdir() if item.is_dir()) if folder.is_dir() else iter(())


def _told(paths: Iterable[Any]) -> Origin:
    """Read from the first of *paths* that can be read what is too long for a name."""
    read = (_read(path) for path in paths if entry_of(path))
    return next((one.suite.origin for one in read if one and one.suite.origin), _UNKNOWN)


def _read(path: Any) -> Summary | None:
    try:
        return summary_from_content(read_whole(path))
    except Exception:  # noqa: BLE001  an object store raises its client's own, and an entry may be missing
        return None
