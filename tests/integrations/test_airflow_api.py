"""Airflow's API where it does not do what it should; a whole Airflow answers in tests/ci/test_job.py."""

import runpy
from pathlib import Path

import pytest

from airflow_mltest import http_client
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.airflow_api import AirflowApi, Login, Run

listening = runpy.run_path(str(Path(__file__).parents[1] / "listener.py"))["listening"]
PASSWORD = "s3cret-of-the-user"
EXPIRED = {"detail": "Token Expired"}


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setattr(http_client, "_FIRST_WAIT_S", 0.02)
    with listening() as listener:
        yield listener


@pytest.fixture
def api(listener):
    with AirflowApi(f"{listener.url}/sub/", Login(token="first", user="ci", password=PASSWORD)) as api:
        yield api


def test_token_that_has_expired_is_renewed_and_the_request_sent_again(listener, api):
    listener.answer_next(401, body=EXPIRED)
    listener.answer_next(201, body={"access_token": "second"})
    listener.answer(200, {"is_paused": False})

    api.run("on_commit", "ci__1")
    assert [(one.method, one.path, one.headers.get("authorization")) for one in listener.asked] == [
        ("GET", "/sub/api/v2/dags/on_commit", "Bearer first"),
        ("POST", "/sub/auth/token", None),
        ("GET", "/sub/api/v2/dags/on_commit", "Bearer second"),
    ]
    assert listener.asked[1].body == {"username": "ci", "password": PASSWORD}


def test_token_that_is_new_and_not_taken_is_asked_for_once_only(listener, api):
    listener.answer_next(401, body=EXPIRED)
    listener.answer_next(201, body={"access_token": "second"})
    listener.answer(403, {"detail": "Invalid JWT token"})

    with pytest.raises(ConfigurationError, match="does not take the token"):
        api.run("on_commit", "ci__1")
    assert len(listener.asked) == 3


def test_right_that_the_user_does_not_have_is_not_taken_for_a_token(listener, api):
    listener.answer(403, {"detail": "Forbidden"})

    with pytest.raises(ConfigurationError, match="does not allow this user to GET /dags/on_commit: Forbidden"):
        api.run("on_commit", "ci__1")
    assert len(listener.asked) == 1


def test_login_that_is_refused_does_not_repeat_what_was_sent(listener):
    listener.answer(422, {"detail": [{"input": {"password": PASSWORD}}]})

    with (
        AirflowApi(listener.url, Login(user="ci", password=PASSWORD)) as api,
        pytest.raises(ConfigurationError, match="does not let user 'ci' in") as refused,
    ):
        api.run("on_commit", "ci__1")
    assert PASSWORD not in str(refused.value) + repr(Login(user="ci", password=PASSWORD))


def test_start_is_sent_again_until_it_is_answered_and_finds_its_own_run(listener, api):
    listener.answer_next(502)
    listener.answer_next(409, body={"detail": "already exists"})

    Run(api, "on_commit", "ci__1").start({"commit": "c0ffee"})
    body = {"dag_run_id": "ci__1", "logical_date": None, "conf": {"commit": "c0ffee"}}
    assert [(one.path, one.body) for one in listener.asked] == [("/sub/api/v2/dags/on_commit/dagRuns", body)] * 2


def test_list_is_read_page_after_page(listener, api):
    for numbers in (range(100), range(100, 130)):
        dags = [{"dag_id": f"dag_{number}"} for number in numbers]
        listener.answer_next(200, body={"dags": dags, "total_entries": 130})

    assert [dag["dag_id"] for dag in api.pages("/dags", "dags")] == [f"dag_{number}" for number in range(130)]
    assert [one.path.partition("?")[2] for one in listener.asked] == ["limit=100&offset=0", "limit=100&offset=100"]


def test_summary_that_is_gone_again_is_none(listener, api):
    listener.answer(404, {"detail": "not found"})

    assert Run(api, "on_commit", "ci__1").summary("summary", "tests.unit", 3) is None
    assert listener.asked[0].path.endswith("/taskInstances/tests.unit/xcomEntries/summary?map_index=3")


def test_server_that_is_no_airflow_is_told_from_one_that_is(listener, api):
    listener.answer(200, "<html>Welcome</html>")

    with pytest.raises(ConfigurationError, match=r"is not Airflow's API: '<html>Welcome</html>'"):
        api.run("on_commit", "ci__1")


def test_airflow_that_stays_down_is_given_up_without_telling_the_token(listener):
    listener.answer(503, "down; Bearer s3cret-token")

    with (
        AirflowApi(listener.url, Login(token="s3cret-token"), until_s=0) as api,
        pytest.raises(BrokenRunError, match=r"does not answer GET .*down; Bearer \*\*\*"),
    ):
        api.run("on_commit", "ci__1")
    assert len(listener.asked) == 1
