"""One task's part of a plan: what it runs, what an earlier try has answered, and what it leaves for the merge."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.outcome import Case, Origin
    from airflow_mltest.core.plan import Plan
    from airflow_mltest.core.shards import Shard
    from airflow_mltest.reports.store import Store

RECORDS_FILE = "touched.json"
COVERAGE_FILE = "coverage"
# Tells the recorder where the root is, and afterwards us.
_SETTINGS = "settings.json"
_UNUSED_S = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    A shard, and the plan that it is a part of.

    Args:
        plan: The whole plan.
        number: Which of its shards, from 1.
    """

    plan: Plan
    number: int

    @property
    def shard(self) -> Shard:
        """What it runs."""
        return self.plan.shards[self.number - 1]


def read_plan(store: Store, dag_id: str, run_id: str, name: str) -> Plan:
    """
    Read the plan that the task *name* of this run has made.

    Raises:
        BrokenRunError: It is not there.
    """
    from airflow_mltest.core.plan import plan_from_document
    from airflow_mltest.operators.plan import PLAN_FILE

    return plan_from_document(json.loads(store.written(dag_id, run_id, name, PLAN_FILE)))


def read_part(store: Store, origin: Origin, shard: Mapping[str, Any]) -> Part:
    """
    Find the part of the plan that *shard* names.

    Raises:
        ConfigurationError: It is not what `PlanTestsOperator` returns.
        BrokenRunError: The plan is gone, or is another one by now.
    """
    try:
        name, digest, number = shard["plan"], shard["digest"], int(shard["number"])
    except (TypeError, KeyError, ValueError):
        msg = f"shard is one of the dicts that PlanTestsOperator returns, not {shard!r:.200}."
        raise ConfigurationError(msg) from None
    plan = read_plan(store, origin.dag_id, origin.run_id, name)
    if plan.digest != digest or not 1 <= number <= len(plan.shards):
        msg = f"the plan of task {name!r} was made anew since this shard was mapped: clear the shards with it."
        raise BrokenRunError(msg)
    return Part(plan=plan, number=number)


def answered(store: Store, origin: Origin, part: Part) -> tuple[Case, ...]:
    """
    Give what an earlier try of this very shard has answered before it was cut off.

    A try that came to its end is not taken up: whoever runs it again wants it run. What this one
    left open, for want of time, the runner asks again.
    """
    earlier = store.earlier(origin)
    if earlier is None or not earlier.incomplete or earlier.environment.get("plan") != part.plan.digest:
        return ()
    planned = set(part.shard.tests)
    return tuple(case for case in earlier.cases if case.name in planned)


def begin_records(folder: Path, root: Path) -> str:
    """Make the folder into which the recorder writes what tests touch below *root*; give its path."""
    from airflow_mltest.settings import load_settings

    # Code that is compiled anew only when it changes, by whichever task of this worker is first.
    compiled = Path(load_settings().checkout_cache) / "compiled"
    _forget_old(compiled)
    folder.mkdir(parents=True)
    settings = {"root": str(root), "cache": str(compiled)}
    (folder / _SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    return str(folder)


def _forget_old(compiled: Path) -> None:
    """Remove what no task has read for long; another task may be at it, too."""
    with contextlib.suppress(OSError):
        compiled.mkdir(parents=True, exist_ok=True)
        for path in compiled.iterdir():
            if time.time() - path.stat().st_atime > _UNUSED_S:
                path.unlink(missing_ok=True)


def attach_records(origin: Origin, plan: Plan, written: Path) -> None:
    """Keep what the tests touched, as the recorder has *written* it, beside the suite of *origin*."""
    from airflow_mltest.core.blocks import blocks_of
    from airflow_mltest.core.records import records_of, records_to_document
    from airflow_mltest.settings import open_store

    processes = [path.read_text(encoding="utf-8", errors="replace").splitlines() for path in written.glob("*.jsonl")]
    if not processes:
        return
    root = Path(json.loads((written / _SETTINGS).read_text(encoding="utf-8"))["root"])

    def read(path: str) -> str | None:
        try:
            return (root / path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return None

    records = records_of(processes, environment=plan.environment, commit=plan.commit, read=read, blocks_of=blocks_of)
    content = gzip.compress(json.dumps(records_to_document(records), separators=(",", ":")).encode(), mtime=0)
    open_store().attach(origin, RECORDS_FILE, content)


def attach_coverage(origin: Origin, data: Sequence[Path]) -> None:
    """Keep coverage data beside the suite of *origin*, each process's file as it is."""
    from airflow_mltest.settings import open_store

    for number, path in enumerate(data):
        open_store().attach(origin, f"{number}.{COVERAGE_FILE}", path.read_bytes())
