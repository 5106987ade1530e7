"""The routes, with the real security of a real API server's sub-application."""

import pytest
from fastapi.testclient import TestClient

from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    case = Case(name="<script>alert(1)</script>", outcome=Outcome.FAILED, detail="why")
    origin = Origin(dag_id="d", run_id="r", task_id="unit")
    store.keep(Suite(name="unit", kind="code", cases=(case,), origin=origin))
    return store


@pytest.fixture
def app(store):
    from airflow_mltest.plugin.web import create_app

    return create_app(lambda: store)


def test_nobody_reads_a_report_without_a_login(app):
    client = TestClient(app, raise_server_exceptions=False)

    assert client.get("/run?dag_id=d&run_id=r").status_code in {401, 403}
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").status_code == 404


def test_who_may_read_the_dag_sees_the_page_and_nothing_in_it_runs(app):
    for route in app.routes:
        for dependency in getattr(route, "dependant", None).dependencies if hasattr(route, "dependant") else ():
            app.dependency_overrides[dependency.call] = lambda: None
    page = TestClient(app).get("/run?dag_id=d&run_id=r")

    assert page.status_code == 200
    assert "Tests failed" in page.text
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert TestClient(app).get("/run?dag_id=~&run_id=r").status_code == 404
    assert "Not everything could be judged" in TestClient(app).get("/run?dag_id=..&run_id=..").text
