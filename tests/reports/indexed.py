"""Report stores and suites for the tests of an index."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(params=["disk", "memory"])
def root(request, tmp_path):
    """A folder, and a store that fsspec keeps in memory."""
    if request.param == "disk":
        return tmp_path
    sdk, io = pytest.importorskip("airflow.sdk"), pytest.importorskip("airflow.sdk.io")
    io.attach("memory", fs=pytest.importorskip("fsspec").filesystem("memory"))
    return sdk.ObjectStoragePath(f"memory://{uuid.uuid4().hex}")


def said(number=0, *outcomes, run=None, task="a", dag="d", map_index=-1, try_number=1, **more):
    """Make the suite of a run that began *number* hours after the start."""
    cases = tuple(Case(name=f"c{place}", outcome=Outcome(one)) for place, one in enumerate(outcomes or ("passed",)))
    origin = Origin(
        dag_id=dag,
        run_id=f"r{number}" if run is None else run,
        task_id=task,
        map_index=map_index,
        try_number=try_number,
    )
    more = {"cases": cases, "started_at": START + timedelta(hours=number)} | more
    return Suite(name=task, kind="code", origin=origin, **more)


def outcomes(runs):
    return [(run.run_id, run.outcome.value) for run in runs]
