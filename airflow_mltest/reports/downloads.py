"""The report of a run, or of one of its tasks, as a file of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.reports.document import dumps, report_to_document
from airflow_mltest.reports.junit import to_junit
from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import render
from airflow_mltest.reports.parts import kept_of

if TYPE_CHECKING:
    from airflow_mltest.core.outcome import Origin
    from airflow_mltest.reports.store import Store

FILES = {"report.html": "text/html", "report.json": "application/json", "junit.xml": "application/xml"}


def download(store: Store, origin: Origin, name: str) -> bytes:
    """
    Write one of `FILES` anew from what is kept.

    Args:
        store: Where suites are kept.
        origin: The run, and its task; without a task id it is all of the run, map index -1 is all instances.
        name: Which file.
    """
    suites = kept_of(store, origin)
    report = report_of(origin.task_id or "report", suites, dag_id=origin.dag_id, run_id=origin.run_id)
    if name == "report.html":
        text = render(report)
    elif name == "junit.xml":
        text = to_junit(report)
    else:
        text = dumps(report_to_document(report))
    return text.encode("utf-8", "replace")
