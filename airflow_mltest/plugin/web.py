"""The routes of the pages: who may read the DAG may read its reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import render
from airflow_mltest.reports.trend import past_of
from airflow_mltest.settings import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.reports.store import Store

_HEADERS = {
    # A report shows what tests printed: nothing in it may run or load anything.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(store_of: Callable[[], Store] = open_store) -> FastAPI:
    """
    Build the application.

    Args:
        store_of: Gives the report store; the deployment's own, unless a test brings one.
    """
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.WEBSITE))],
    )

    @app.get("/run", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))])
    def run(dag_id: str, run_id: str) -> HTMLResponse:
        """Show what the suites of a DAG run have said so far."""
        if dag_id == "~":  # Airflow's own wildcard, for which it checks no single DAG
            raise HTTPException(404, "Name one DAG.")
        store = store_of()
        suites = [kept.suite for kept in store.kept(dag_id, run_id)]
        report = report_of("report", suites, dag_id=dag_id, run_id=run_id)
        return HTMLResponse(render(report, past=past_of(report, store)), headers=_HEADERS)

    return app
