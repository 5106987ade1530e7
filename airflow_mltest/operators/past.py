"""What a run of a plan leaves for the next one."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from airflow_mltest.operators.shard import RECORDS_FILE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Suite
    from airflow_mltest.core.plan import Plan
    from airflow_mltest.core.records import Records

_log = logging.getLogger(__name__)


def keep_past(suite: Suite, plan: Plan, context: Context, *, shards: str) -> str:
    """
    Keep the outcomes, the durations and what each test touched under the plan's commit; give the address.

    Args:
        suite: What all shards said.
        plan: What they ran.
        context: Of the task that merges them.
        shards: The shards' task id, beside whose suites their records lie.
    """
    from airflow_mltest.core.history import past_run_of, past_run_to_document
    from airflow_mltest.core.records import records_to_document
    from airflow_mltest.settings import open_archive

    ti = context["ti"]
    archive = open_archive(plan.project)
    records = _records(context, shards, plan)
    origin = hashlib.sha256(f"{ti.dag_id}\0{ti.run_id}\0{ti.task_id}".encode()).hexdigest()[:12]
    past: dict[str, Any] = {
        "run": past_run_to_document(past_run_of(suite, environment=plan.environment)),
        "records": records_to_document(records) if records else None,
    }
    # What was left out has passed only if it had at the commit that this one was compared with.
    whole = not plan.is_selection or plan.base == archive.last_passed([plan.base])
    return archive.keep(plan.commit, f"{plan.created_at}-{origin}", past, passed=whole and suite.passed)


def _records(context: Context, shards: str, plan: Plan) -> Records | None:
    """Merge what the shards have recorded, over all their tries; what cannot be read is not known."""
    from airflow_mltest.core.records import merge, records_from_document
    from airflow_mltest.settings import open_store

    ti = context["ti"]
    found = []
    for path in open_store().attached(ti.dag_id, ti.run_id, shards, RECORDS_FILE):
        try:
            records = records_from_document(json.loads(gzip.decompress(path.read_bytes())))
        except Exception as error:  # noqa: BLE001  torn, or an object store's own: those tests are judged statically
            _log.warning("what the tests of a shard touched cannot be read from %s: %s", path, error)
            continue
        if records is not None and (records.commit, records.environment) == (plan.commit, plan.environment):
            found.append(records)
    return merge(found) if found else None
