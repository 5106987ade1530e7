"""The webhook, with deliveries of MLflow's own sender, over a real database of Airflow's."""

import itertools
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable
from fastapi.testclient import TestClient
from mlflow.entities.webhook import Webhook, WebhookEvent
from mlflow.webhooks.delivery import _create_webhook_session, _generate_hmac_signature, _send_webhook_request

from airflow_mltest.plugin.webhook import create_app
from airflow_mltest.testing.airflow_database import airflow_database

SECRET = "s3cret-of-the-webhook"
MODEL, URI = "late flights", "mltest://models/late%20flights"
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def airflow(tmp_path_factory):
    """Give an Airflow with a DAG that runs for each version of a model."""
    folder = tmp_path_factory.mktemp("airflow")
    with airflow_database(folder / "airflow", home=folder):
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        schedule = PartitionedAssetTimetable(assets=Asset("late_versions", uri=URI))
        dag = DAG("on_version", schedule=schedule, is_paused_upon_creation=False)
        bag = DagBag(str(folder / "airflow" / "dags"), safe_mode=False, bundle_name="mltest")
        bag.bag_dag(dag)
        DagBundlesManager().sync_bundles_to_db()
        sync_bag_to_db(bag, "mltest", None)
        yield


@pytest.fixture
def client():
    return TestClient(create_app(lambda: SECRET), raise_server_exceptions=False)


def said(**data):
    """Give what MLflow says of the next version."""
    version = str(next(_NUMBERS))
    data = {"name": MODEL, "version": version, "source": f"models:/m-{version}", "run_id": None, "tags": {}, **data}
    return {"entity": "model_version", "action": "created", "timestamp": "2026-01-01T00:00:00+00:00", "data": data}


def signed(body, *, secret=SECRET, age_s=0, delivery="d-1"):
    sent_at = str(int(time.time()) - age_s)
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": sent_at,
        "X-MLflow-Signature": _generate_hmac_signature(secret, delivery, sent_at, body),
    }


def post(client, payload, **how):
    body = payload if isinstance(payload, str) else json.dumps(payload)
    return client.post("/mlflow", content=body, headers=signed(body, **how))


def announced(key=None):
    """Give the partitions of the asset's events, or the events of one."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).order_by(AssetEvent.id)).all()
        return [event.extra for event in events if event.partition_key == key] if key else [*events]


def runs():
    """Let the scheduler make the DAG runs that are due; give the partitions of all there are."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit
    from sqlalchemy import select

    with create_session() as session, prohibit_commit(session) as guard:
        SchedulerJobRunner(Job(), executors=[])._create_dagruns_for_dags(guard, session)
    with create_session() as session:
        return session.scalars(select(DagRun.partition_key)).all()


@pytest.fixture
def api_server(monkeypatch, tmp_path):
    """Serve Airflow's API with its plugins, as `airflow api-server` does; gives its address."""
    from airflow.api_fastapi.app import create_app as create_api
    from airflow.api_fastapi.app import purge_cached_app

    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(tmp_path / "passwords.json"))
    monkeypatch.setenv("AIRFLOW__MLTEST__WEBHOOK_CONN_ID", "mlflow_webhook")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_WEBHOOK", json.dumps({"conn_type": "generic", "password": SECRET}))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_api(apps="core"), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    purge_cached_app()


def test_delivery_of_mlflow_starts_one_run_for_the_version_through_the_api_server_without_a_login(
    api_server, monkeypatch
):
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    created = WebhookEvent("model_version", "created")
    url = f"{api_server}/mltest-webhook/mlflow"
    data = said()["data"]
    with _create_webhook_session() as session:
        for secret, status in ((SECRET, 202), (SECRET, 202), ("another", 401)):
            webhook = Webhook("1", "airflow", url, [created], 0, 0, secret=secret)
            assert _send_webhook_request(webhook, data, created, session).status_code == status

    key = f"models:/{MODEL}/{data['version']}"
    assert runs().count(key) == 1
    assert len(announced(key)) == 1


def test_version_is_announced_once_however_often_and_from_wherever_it_is_told(client):
    payload = said()
    key = f"models:/{MODEL}/{payload['data']['version']}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: post(client, payload, delivery=f"d-{number}"), range(8)))
    assert [answer.status_code for answer in answers] == [202] * 8
    assert sorted(answer.json()["new"] for answer in answers) == [False] * 7 + [True]
    assert runs().count(key) == 1

    again = post(client, payload, delivery="later")
    assert (again.status_code, again.json()) == (202, {"partition_key": key, "new": False})
    assert runs().count(key) == 1


def test_number_that_is_there_again_is_another_version(client):
    payload = said()
    post(client, payload)
    payload["data"]["source"] = "models:/m-of-a-new-registry"
    key = f"models:/{MODEL}/{payload['data']['version']}"

    assert post(client, payload).json() == {"partition_key": key, "new": True}
    assert [event["versions"][key][-8:] for event in announced(key)][1:] == ["registry"]


def test_task_that_announces_what_the_triggerer_finds_is_told(client):
    from airflow._shared.state import AssetScope
    from airflow.models.asset import AssetModel
    from airflow.state import get_state_backend
    from airflow.utils.session import create_session
    from sqlalchemy import select

    payload = said()
    post(client, payload, delivery="d-9")

    with create_session() as session:
        scope = AssetScope(asset_id=session.scalar(select(AssetModel.id).where(AssetModel.uri == URI)))
        key = f"mltest/announced/models:/{MODEL}/{payload['data']['version']}"
        assert json.loads(get_state_backend().get(scope, key, session=session)) == [payload["data"]["source"], "d-9"]


@pytest.mark.parametrize(
    "wrong, why",
    [
        ({"secret": "another"}, "signature"),
        ({"age_s": 600}, "too long ago"),
        ({"age_s": -600}, "clocks differ"),
    ],
)
def test_delivery_that_is_not_signed_here_and_now_is_refused(client, wrong, why, caplog):
    before = len(announced())
    answer = post(client, said(), **wrong)

    assert answer.status_code == 401
    assert why in answer.json()["detail"]
    assert why in caplog.text
    assert len(announced()) == before


@pytest.mark.parametrize("changed", ["X-MLflow-Delivery-Id", "X-MLflow-Timestamp", "X-MLflow-Signature", "body"])
def test_delivery_that_was_altered_or_has_no_signature_is_refused(client, changed):
    body = json.dumps(said())
    headers = signed(body)
    if changed == "body":
        body += " "
    else:
        headers[changed] += "1"

    assert client.post("/mlflow", content=body, headers=headers).status_code == 401
    headers.pop(changed, None)
    assert client.post("/mlflow", content=body, headers={}).status_code == 401
    assert client.post("/mlflow", content=body, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "payload",
    [
        "no JSON",
        "[]",
        "{}",
        {**said(), "action": "deleted"},
        {**said(), "entity": "prompt_version"},
        {**said(), "data": {"name": MODEL}},
        said(version="three"),
        said(name=["late"]),
        said(name="x" * 250),
    ],
)
def test_what_is_no_new_version_is_refused_in_words(client, payload):
    answer = post(client, payload)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(("This is", "The model's name is too long"))


def test_version_of_a_model_that_no_dag_has_an_asset_for_says_which_uri_is_looked_for(client):
    answer = post(client, said(name="early"))

    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "No DAG has an asset with the URI 'mltest://models/early'.",
    )


def test_body_without_end_is_given_up(client):
    assert client.post("/mlflow", content="x" * 1_000_001).status_code == 413


@pytest.mark.parametrize("conn_id", ["", "nobody", "no_password"])
def test_deployment_without_a_secret_has_no_webhook(conn_id, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLTEST__WEBHOOK_CONN_ID", conn_id)
    monkeypatch.setenv("AIRFLOW_CONN_NO_PASSWORD", json.dumps({"conn_type": "generic"}))

    answer = post(TestClient(create_app()), said(), secret="")

    assert answer.status_code == 404
    assert "[mltest] webhook_conn_id" in answer.text
