"""Who may see what, asked of a real API server with its own login."""

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.store import Store
from airflow_mltest.testing.airflow_database import airflow_database

OPEN_DAG, SECRET_DAG = "open", "secret"
# Of one DAG each; a route that is in neither makes a test fail.
OF_DAG = {
    "/run": {"run_id": "r"},
    "/task": {"run_id": "r", "task_id": "unit"},
    "/suite": {"task_id": "unit"},
    "/compare": {"run_id": "r", "other": "r2"},
    "/download/{name}": {"run_id": "r"},
}
OF_NONE = {"/overview", "/pages.js"}
ROUTES = [(path.format(name="report.json"), more) for path, more in OF_DAG.items()]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serve Airflow's API with its plugins, and two DAGs of which viewers may read one."""
    folder = tmp_path_factory.mktemp("access")
    for dag_id in (OPEN_DAG, SECRET_DAG, "~"):
        for run_id in ("r", "r2"):
            case = Case(name=f"test of {dag_id}", outcome=Outcome.FAILED)
            origin = Origin(dag_id=dag_id, run_id=run_id, task_id="unit")
            Store(folder / "reports").keep(Suite(name="unit", kind="code", cases=(case,), origin=origin))
    with airflow_database(folder / "airflow", home=folder), pytest.MonkeyPatch.context() as patch:
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

        by_role = SimpleAuthManager.is_authorized_dag

        def by_role_and_dag(self, *, details=None, **asked):
            hidden = details is not None and details.id == SECRET_DAG and asked["user"].role != "admin"
            return not hidden and by_role(self, details=details, **asked)

        patch.setattr(SimpleAuthManager, "is_authorized_dag", by_role_and_dag)
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(folder / "passwords.json"))
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of these tests alone" * 3)
        patch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(folder / "reports"))
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture(params=["cookie", "bearer"])
def client(request, server):
    """Make a client of a user with a role, who says who they are as a page does, or as a program does."""

    def make(role):
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=str(role), role=role))
        return with_token(server, request.param, token)

    return make


def with_token(server, way, token):
    how = {"cookies": {"_token": token}} if way == "cookie" else {"headers": {"Authorization": f"Bearer {token}"}}
    return TestClient(server, base_url="http://testserver/mltest", raise_server_exceptions=False, **how)


def test_every_route_is_one_of_those_that_are_tested_here_and_only_reads():
    from airflow_mltest.plugin.web import create_app

    routes = [route for route in create_app().routes if isinstance(route, APIRoute)]

    assert {route.path for route in routes} == OF_DAG.keys() | OF_NONE
    assert [route for route in create_app().routes if not isinstance(route, APIRoute)] == []
    assert all(route.methods == {"GET"} for route in routes)


@pytest.mark.parametrize("path", [path for path, _ in ROUTES] + sorted(OF_NONE))
def test_nobody_reads_anything_without_a_login(server, path):
    nobody = TestClient(server, base_url="http://testserver/mltest", raise_server_exceptions=False)
    answer = nobody.get(path, params={"dag_id": OPEN_DAG, **dict(ROUTES).get(path, {})})

    assert answer.status_code == 401
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("way", ["cookie", "bearer"])
@pytest.mark.parametrize("path", [path for path, _ in ROUTES] + sorted(OF_NONE))
def test_token_that_nobody_issued_opens_nothing(server, path, way):
    answer = with_token(server, way, "garbage").get(path, params={"dag_id": OPEN_DAG, **dict(ROUTES).get(path, {})})

    assert answer.status_code in {401, 403}


@pytest.mark.parametrize("path, more", ROUTES)
def test_page_of_a_dag_is_for_those_who_may_read_its_results(client, path, more):
    open_, secret = ({"dag_id": dag_id, **more} for dag_id in (OPEN_DAG, SECRET_DAG))

    assert client("viewer").get(path, params=open_).status_code == 200
    assert client("viewer").get(path, params=secret).status_code == 403
    assert client("admin").get(path, params=secret).status_code == 200
    assert client(None).get(path, params=open_).status_code == 403


@pytest.mark.parametrize("path, more", ROUTES)
def test_last_of_two_dags_is_the_one_that_is_checked_and_the_one_that_is_shown(client, path, more):
    pairs = [("dag_id", SECRET_DAG), ("dag_id", OPEN_DAG), *more.items()]

    assert client("viewer").get(path, params=pairs[1::-1] + pairs[2:]).status_code == 403
    assert SECRET_DAG not in client("viewer").get(path, params=pairs).text.partition("</style>")[2]


@pytest.mark.parametrize("path, more", ROUTES)
@pytest.mark.parametrize("dag_id, status", [("~", 404), ("", 422), (None, 422)])
def test_no_page_is_of_all_dags(client, path, more, dag_id, status):
    asked = more if dag_id is None else {"dag_id": dag_id, **more}

    assert client("admin").get(path, params=asked).status_code == status


def test_listing_shows_the_dags_that_the_user_may_read_and_offers_no_other(client):
    seen = client("viewer").get("/overview").text
    all_of_it = client("admin").get("/overview").text

    assert "dag_id=open" in seen
    assert SECRET_DAG not in seen
    assert "dag_id=secret" in all_of_it
    assert "test of ~" not in all_of_it
    assert SECRET_DAG not in client("viewer").get("/overview", params={"dag": SECRET_DAG}).text.replace(
        'value="secret"', ""
    )
    assert client(None).get("/overview").status_code == 403


@pytest.mark.parametrize("path", [path for path, _ in ROUTES] + sorted(OF_NONE))
def test_every_answer_forbids_what_a_page_must_not_do(client, path):
    answer = client("viewer").get(path, params={"dag_id": OPEN_DAG, **dict(ROUTES).get(path, {})})
    policy = answer.headers["content-security-policy"].split("; ")

    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'self'", "base-uri 'none'"} <= set(policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "no-store" in answer.headers["cache-control"]


def test_nothing_leads_out_of_the_report_root(client, server, tmp_path_factory):
    admin = client("admin")
    for evil in ("..", "../..", "/etc", "..\\..", "%2e%2e", "a/../../b", "\x00", "=index"):
        for path, more in ROUTES:
            answer = admin.get(path, params={"dag_id": evil, **dict.fromkeys(more, evil)})
            assert answer.status_code == 200
            assert "test of" not in answer.text
    assert admin.get("/download/..%2F..%2Fairflow.cfg", params={"dag_id": OPEN_DAG, "run_id": "r"}).status_code in {
        404,
        422,
    }


def test_no_documentation_of_the_routes_is_served(client):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client("admin").get(path).status_code == 404
