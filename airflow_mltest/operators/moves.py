"""What tasks have in common that move an alias: their pace, their name, and a look at the reports."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltest.core.claims import Pace


def real_pace() -> Pace:
    """Let time pass as it does."""
    from airflow_mltest.core.claims import Pace

    return Pace(clock=time.monotonic, wait=time.sleep)


def who(context: Context) -> str:
    """Name the task, the same in all its tries."""
    ti = context["ti"]
    task = json.dumps([ti.dag_id, ti.run_id, ti.task_id, ti.map_index])
    return hashlib.sha256(task.encode()).hexdigest()[:16]


def digest_at(address: str) -> str | None:
    """
    Hash a report's bytes; None where there is no such report.

    Raises:
        BrokenRunError: The store cannot be read.
    """
    from airflow.sdk import ObjectStoragePath

    from airflow_mltest.core.errors import BrokenRunError
    from airflow_mltest.reports.files import read_whole

    try:
        content = read_whole(ObjectStoragePath(address))
    except FileNotFoundError:
        return None
    except Exception as error:  # an object store raises its client's own
        msg = f"the report at {address} cannot be read: {type(error).__name__}: {error}; nothing was moved."
        raise BrokenRunError(msg) from error
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
