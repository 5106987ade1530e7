import runpy
import socket
import time
from pathlib import Path

import pytest

from airflow_mltest import http_client
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.http_client import HttpClient

listening = runpy.run_path(str(Path(__file__).parent / "listener.py"))["listening"]
SECRET = "s3cret-of-the-client"


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setattr(http_client, "_FIRST_WAIT_S", 0.02)
    with listening() as listener:
        yield listener


@pytest.fixture
def client(listener):
    headers = {"Authorization": f"Bearer {SECRET}"}
    with HttpClient(listener.url, name="the server", headers=headers, secrets=[SECRET], patience_s=0.5) as client:
        yield client


def test_server_with_an_error_or_too_much_to_do_is_asked_again(listener, client):
    listener.answer_next(503, 500, 429)

    assert client.send("POST", "/x", json={"a": 1}).status_code == 201
    assert [(one.method, one.path, one.body) for one in listener.asked] == [("POST", "/x", {"a": 1})] * 4


def test_refusal_is_an_answer_and_is_asked_for_once(listener, client):
    listener.answer(404)

    assert client.send("GET", "/x").status_code == 404
    assert len(listener.asked) == 1


def test_server_that_asks_for_time_is_given_it(listener, client):
    client._patience_s = 5
    listener.answer_next(429, retry_after=1)
    began_s = time.monotonic()

    assert client.send("GET", "/x").status_code == 201
    assert time.monotonic() - began_s >= 1


def test_patience_ends_and_says_what_the_server_said_without_the_secret(listener, client):
    listener.answer(502, f"down, said to {SECRET}")

    with pytest.raises(
        BrokenRunError, match=r"the server at http://127.* does not answer GET /x: 502 down, said to \*\*\*"
    ):
        client.send("GET", "/x")
    assert len(listener.asked) > 2


def test_server_that_is_not_there_is_told_so_within_the_time_that_is_left():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    began_s = time.monotonic()

    with (
        HttpClient(url, name="the server", until_s=time.monotonic() + 1) as client,
        pytest.raises(BrokenRunError, match=r"ConnectError.*refused"),
    ):
        client.send("GET", "/x")
    assert time.monotonic() - began_s < 3


def test_server_that_never_answers_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        began_s = time.monotonic()
        with HttpClient(url, name="the server", patience_s=1) as client, pytest.raises(BrokenRunError, match="Timeout"):
            client.send("GET", "/x")
    assert time.monotonic() - began_s < 5


def test_credentials_do_not_follow_a_redirect(listener, client):
    with listening() as other:
        listener.answer(302, location=f"{other.url}/y?token=1")

        with pytest.raises(ConfigurationError, match=r"sends GET /x to http://127.*/y: give the URL"):
            client.send("GET", "/x")
        assert not other.asked


@pytest.mark.parametrize("url", ["", "airflow:8080", "ftp://airflow", "https://"])
def test_url_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError, match="the URL of the server is"):
        HttpClient(url, name="the server")


def test_url_with_a_password_is_refused_without_telling_it():
    with pytest.raises(ConfigurationError, match="user or password in it") as refused:
        HttpClient(f"https://me:{SECRET}@airflow", name="the server")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("secret", [f"{SECRET}\n", f"{SECRET}ä"])
def test_secret_that_no_header_can_carry_is_refused_without_telling_it(secret):
    with pytest.raises(ConfigurationError, match="line break") as refused:
        HttpClient("https://airflow", name="the server", secrets=[secret])
    assert SECRET not in str(refused.value)
