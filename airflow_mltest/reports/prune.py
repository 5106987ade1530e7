"""Remove old runs from a report store, and nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.reports.entry import entry_of, run_key
from airflow_mltest.reports.files import Files, part_of_path
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.walk import files_below, runs_below, suites_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_mltest.core.outcome import Origin
    from airflow_mltest.reports.entry import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """
    A run that was looked into.

    Args:
        folder: Where it lies.
        newest: When its newest suite began, aware; None where that cannot be told, and the run stays.
        files: How many files were removed, or would be.
    """

    folder: Any
    newest: datetime | None
    files: int


def prune(root: Any, *, before: datetime, dry_run: bool = False) -> Iterator[Pruned]:
    """
    Remove the runs whose newest suite began *before* then: suites, attachments, reports and entries of the index.

    A run that has a younger suite, or one that cannot be read, stays whole. Safe beside writers: what
    is written while it looks is not removed, and keeps the rest of its run.

    Args:
        root: The store's, a path of `pathlib` or of object storage.
        before: Runs that are younger stay.
        dry_run: Tell only, and remove nothing.

    Yields:
        Each run that was removed, once it is, and each that stays since its age cannot be told.

    Raises:
        BrokenRunError: The store cannot be read, or something in it not removed.
    """
    files = Files(root)
    files.forget_listings()
    with files.telling("pruned"):
        dag, entries = None, {}
        for run in runs_below(root):
            if run.parent != dag:
                dag, entries = run.parent, _entries(root, run.parent.name)
            # Most runs are young, and their entries say so at one look. Of an id that its folder cuts none is found.
            if any(entry.started_at >= before for entry in entries.get(run_key(unquote(run.name)), ())):
                continue
            found = _prune(run, entries, before, None if dry_run else files)
            if found:
                yield found


def prune_days(root: Any, days: int, *, dry_run: bool) -> Iterator[str]:
    """
    Remove the runs that are older than *days*, and say so in lines.

    Raises:
        ConfigurationError: All runs are to be kept.
        BrokenRunError: See `prune`.
    """
    if days < 1:
        msg = (
            f"runs are kept for {days} days, so none is removed: give --older-than DAYS, or set "
            "`[mltest] retention_days`, to 1 or more."
        )
        raise ConfigurationError(msg)
    done, removed = "would remove" if dry_run else "removed", 0
    for run in prune(root, before=datetime.now(UTC) - timedelta(days=days), dry_run=dry_run):
        if run.newest is None:
            yield f"left, since its age is not known: {run.folder}"
        else:
            removed += 1
            yield f"{done} {run.folder}: {run.files} files, the newest suite of {run.newest:%Y-%m-%d}"
    yield f"{done} {removed} runs that are older than {days} days"


def _prune(run: Any, entries: Mapping[str, list[Entry]], before: datetime, files: Files | None) -> Pruned | None:
    """Look into a run, and remove it if it is old; without *files* only tell."""
    there = set(files_below(run))
    suites = [suite for _, suite, _ in suites_below(run)]
    if not suites or None in suites:
        return Pruned(folder=run, newest=None, files=0)
    known = [suite for suite in suites if suite]
    newest = max(suite.started_at for suite in known)
    if newest >= before:
        return None
    if files:
        files.forget_listings()
        if set(files_below(run)) != there:
            return None
        keys = {run_key(suite.origin.run_id) for suite in known if suite.origin and _lies_in(run, suite.origin)}
        # The entries first: what is left of a run without entries is found the next time.
        _unlink(entry.path for key in keys for entry in entries.get(key, ()))
        _unlink(there)
        _remove_if_empty(run)
    return Pruned(folder=run, newest=newest, files=len(there))


def _lies_in(run: Any, origin: Origin) -> bool:
    """Whether *run* is the folder of *origin*'s run: of a copy, the entries are not its own."""
    return (run.parent.name, run.name) == (part_of_path(origin.dag_id), part_of_path(origin.run_id))


def _entries(root: Any, dag: str) -> dict[str, list[Entry]]:
    """List the entries of the DAG whose folder is called *dag*, by their runs."""
    found: dict[str, list[Entry]] = {}
    folder = Index(root).folder / dag
    for path in files_below(folder) if folder.is_dir() else ():
        entry = entry_of(path)
        if entry:
            found.setdefault(entry.run, []).append(entry)
    return found


def _unlink(paths: Iterable[Any]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _remove_if_empty(folder: Any) -> None:
    # Object storage has no folders, and a folder in which something lies is not removed.
    with contextlib.suppress(Exception):
        for item in list(folder.iterdir()):
            if item.is_dir() and not item.is_symlink():
                _remove_if_empty(item)
        folder.rmdir()
