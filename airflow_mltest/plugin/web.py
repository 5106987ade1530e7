"""The routes of the pages: who may read the DAG may read its reports."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from airflow.api_fastapi.core_api.security import GetUserDep  # noqa: TC002  FastAPI reads it
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

import airflow_mltest.reports
from airflow_mltest.core.outcome import Origin, Outcome
from airflow_mltest.plugin.access import LOGIN, OF_DAG, readable
from airflow_mltest.plugin.known import airflows
from airflow_mltest.reports.comparison import compare
from airflow_mltest.reports.downloads import FILES, download
from airflow_mltest.reports.grid import Choice, grid
from airflow_mltest.reports.index import Index
from airflow_mltest.reports.opened import Look
from airflow_mltest.reports.page import template
from airflow_mltest.reports.run_page import render_run
from airflow_mltest.reports.task_page import render_task
from airflow_mltest.settings import open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_mltest.reports.airflows import Airflows
    from airflow_mltest.reports.store import Store

_HEADERS = {
    # A report shows what tests printed: nothing in it may run or load anything but our own script.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
_FAILED = (
    "The report store cannot be read, or what lies there cannot be shown. The API server's log says why; check "
    "`[mltest] report_root`, and the connection that it names."
)
_log = logging.getLogger(__name__)
_Text = Annotated[str, Query(max_length=1_000)]
_Outcome = Literal["", "passed", "failed", "inconclusive", "broken", "skipped"]
_File = Literal["report.html", "report.json", "junit.xml"]


def create_app(
    store_of: Callable[[], Store] = open_store, known_of: Callable[[str, str], Airflows] = airflows
) -> FastAPI:
    """
    Build the application. Nothing in it acts on anything.

    Args:
        store_of: Gives the report store; the deployment's own, unless a test brings one.
        known_of: Gives what Airflow knows of a run of a DAG; as its database says, unless a test knows better.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[LOGIN])
    app.middleware("http")(_protect)
    _add_listings(app, store_of)
    _add_runs(app, store_of, known_of)
    return app


def _add_listings(app: FastAPI, store_of: Callable[[], Store]) -> None:
    @app.get("/overview")
    def overview(
        user: GetUserDep, dag: _Text = "", kind: _Text = "", outcome: _Text = "", model: _Text = ""
    ) -> HTMLResponse:
        """Show the suites of all DAGs that the user may read."""
        index = Index(store_of().root)
        choice = Choice(dag=dag, kind=kind, outcome=outcome, model=model)
        shown = grid(index, readable(user, index.dags()), choice)
        return _page("overview.html.j2", grid=shown, choice=choice, outcomes=[*Outcome])

    @app.get("/suite", dependencies=OF_DAG)
    def suite(dag_id: _Text, task_id: _Text) -> HTMLResponse:
        """Show the last runs of one suite."""
        shown = grid(Index(store_of().root), [dag_id], Choice(dag=dag_id, task=task_id))
        return _page("suite.html.j2", grid=shown, dag_id=dag_id, task_id=task_id)

    @app.get("/compare", dependencies=OF_DAG)
    def compare_runs(dag_id: _Text, run_id: _Text = "", other: _Text = "") -> HTMLResponse:
        """Show two runs of a DAG beside each other."""
        index = Index(store_of().root)
        runs = dict.fromkeys(run.run_id for task_id in index.tasks(dag_id) for run in index.runs(dag_id, task_id))
        compared = compare(index, dag_id, run_id, other) if run_id and other else []
        return _page("compare.html.j2", dag_id=dag_id, run_id=run_id, other=other, runs=[*runs], compared=compared)

    @app.get("/pages.js")
    def script() -> Response:
        """Give the pages' script."""
        return Response(_script(), media_type="text/javascript")


def _add_runs(app: FastAPI, store_of: Callable[[], Store], known_of: Callable[[str, str], Airflows]) -> None:
    @app.get("/run", dependencies=OF_DAG)
    def run(dag_id: _Text, run_id: _Text) -> HTMLResponse:
        """Show what the suites of a DAG run have said so far."""
        return HTMLResponse(render_run(store_of(), dag_id, run_id, known_of(dag_id, run_id)))

    @app.get("/task", dependencies=OF_DAG)
    def task(origin: Annotated[Origin, Depends(_origin)], look: Annotated[Look | None, Depends(_look)]) -> HTMLResponse:
        """Show what one task has said."""
        return HTMLResponse(render_task(store_of(), origin, known_of(origin.dag_id, origin.run_id), look))

    @app.get("/download/{name}", dependencies=OF_DAG)
    def download_file(name: _File, origin: Annotated[Origin, Depends(_origin)]) -> Response:
        """Give the report of a run, or of one of its tasks, as a file."""
        attached = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(download(store_of(), origin, name), media_type=FILES[name], headers=attached)


def _origin(dag_id: _Text, run_id: _Text, task_id: _Text = "", map_index: _Text = "-1") -> Origin:
    """Read a task; where it is not mapped, Airflow leaves its own placeholder as the map index."""
    known = map_index.isascii() and map_index.isdecimal() and len(map_index) < 10  # noqa: PLR2004
    return Origin(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=int(map_index) if known else -1)


def _look(outcome: _Outcome = "", text: _Text = "", page: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> Look | None:
    return Look(outcome=outcome, text=text, page=page) if page else None


async def _protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        response = await call_next(request)
    except Exception:  # noqa: BLE001  whatever it was, it is logged, and the headers go with the answer
        # What an object store's client raises may name what not every reader is to know.
        _log.exception("%s cannot be shown.", request.url.path)
        response = PlainTextResponse(_FAILED, status_code=500)
    response.headers.update(_HEADERS)
    return response


def _page(name: str, **shown: object) -> HTMLResponse:
    return HTMLResponse(template(name).render(**shown))


@cache
def _script() -> bytes:
    return (Path(airflow_mltest.reports.__file__).parent / "pages.js").read_bytes()
