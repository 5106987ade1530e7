import json
import logging
import runpy
import socket
from pathlib import Path

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.hooks.mlflow import _EXTRAS, MlflowHook
from airflow_mltest.integrations.mlflow_access import MlflowAccess
from airflow_mltest.provider import get_provider_info

serving = runpy.run_path(str(Path(__file__).parents[1] / "mlflow_server.py"))["serving"]


@pytest.fixture
def connect(monkeypatch):
    """Define the connection that the hook is to use."""

    def connect(conn_id="mlflow_default", **fields):
        connection = {"conn_type": "mlflow", **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return connect


def test_host_is_the_tracking_uri(connect, tmp_path):
    connect(host=f"sqlite:///{tmp_path}/m.db")

    assert MlflowHook().get_conn().versions("m") == []


def test_connection_that_is_named_goes_before_the_setting_before_the_default(connect, monkeypatch):
    connect("mlflow_default", host="sqlite:///default.db")
    connect("mlflow_prod", host="sqlite:///prod.db")
    connect("mlflow_own", host="sqlite:///own.db")
    assert MlflowHook().get_conn().tracking_uri == "sqlite:///default.db"

    monkeypatch.setenv("AIRFLOW__MLTEST__MLFLOW_CONN_ID", "mlflow_prod")
    assert MlflowHook().get_conn().tracking_uri == "sqlite:///prod.db"
    assert MlflowHook("mlflow_own").get_conn().tracking_uri == "sqlite:///own.db"


def test_connection_without_a_host_says_what_to_set(connect):
    connect()

    with pytest.raises(ConfigurationError, match="'mlflow_default' has no host"):
        MlflowHook().get_conn()


@pytest.mark.parametrize("host", ["mlflow.example.com", "ada:SECRET@mlflow:5000"])
def test_host_without_a_scheme_is_refused_and_not_shown(connect, host):
    connect(host=host)

    with pytest.raises(ConfigurationError, match=r"has a host without http:// before it: set it to") as caught:
        MlflowHook().get_conn()
    assert "SECRET" not in str(caught.value)


def test_credentials_and_extras_become_the_access(connect, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "both.pem").write_text("")
    more = {"verify": f"{tmp_path}/ca.pem", "client_cert": f"{tmp_path}/both.pem", "timeout_s": 2.5, "max_retries": 0}
    password, token = "SECRET-of-ada", "TOKEN-of-ada"
    connect(host="http://mlflow:5000", login="ada", password=password, extra={"token": token, **more})

    assert MlflowHook().get_conn()._access == MlflowAccess(username="ada", password=password, token=token, **more)


@pytest.mark.parametrize("said, means", [(True, True), (False, False), ("false", False), ("True", True), ("", True)])
def test_verify_is_what_a_file_or_a_form_says(connect, said, means):
    connect(host="http://mlflow:5000", extra={"verify": said})

    assert MlflowHook().get_conn()._access.verify is means


@pytest.mark.parametrize(
    "extra, said",
    [
        ({"verfy": True}, "an extra verfy, which nobody reads: there are token, verify, client_cert"),
        (
            {"verify": "/nowhere/ca.pem"},
            "verify .* has to be true, false or a file that is here, not '/nowhere/ca.pem'",
        ),
        ({"verify": 1}, "verify .* has to be true, false or a file"),
        ({"client_cert": "/nowhere.pem"}, "client_cert .* has to be a file that is here"),
        ({"timeout_s": "10"}, "timeout_s .* has to be a number of seconds above zero, not '10'"),
        ({"timeout_s": 0}, "timeout_s .* not 0"),
        ({"timeout_s": True}, "timeout_s .* not True"),
        ({"max_retries": 1.5}, "max_retries .* has to be a whole number"),
        ({"max_retries": -1}, "max_retries .* has to be a whole number"),
        ({"token": 123456}, r"token .* has to be a text\."),
        ({"token": "123456\n"}, "token has a space, a line's end"),
    ],
)
def test_extra_that_cannot_be_is_named(connect, extra, said):
    connect(host="http://mlflow:5000", extra=extra)

    with pytest.raises(ConfigurationError, match=said) as caught:
        MlflowHook().get_conn()
    assert "123456" not in str(caught.value)


def test_form_of_the_connection_has_a_field_for_each_extra():
    fields = get_provider_info()["connection-types"][0]["conn-fields"]

    assert list(fields) == list(_EXTRAS)


def test_test_button_makes_a_real_call(connect, tmp_path):
    connect(host=f"sqlite:///{tmp_path}/m.db")
    works, _ = MlflowHook().test_connection()
    connect(host="http://127.0.0.1:9")
    down, why = MlflowHook().test_connection()

    assert works
    assert not down
    assert "http://127.0.0.1:9" in why


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


def test_test_button_is_not_content_with_a_server_that_only_lives(connect, server, monkeypatch):
    # /health answers everybody; what it would not say is told apart in words.
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *args: resolve("127.0.0.1" if host == "mlflow" else host, *args)
    )
    told = {}
    for name, fields in {
        "right": {"host": server.uri, "login": server.user, "password": server.password},
        "wrong": {"host": server.uri, "login": server.user, "password": "SECRET-and-wrong"},
        "nobody": {"host": server.uri},
        "name": {"host": f"http://mlflow:{server.port}", "login": server.user, "password": server.password},
        "path": {"host": f"{server.uri}/health", "login": server.user, "password": server.password},
    }.items():
        connect(**fields)
        told[name] = MlflowHook().test_connection()

    assert told.pop("right") == (True, "MLflow answers, and lets this user read its models.")
    assert [works for works, _ in told.values()] == [False] * 4
    words = {name: why for name, (_, why) in told.items()}
    assert [name for name, why in words.items() if "does not know who asks" in why] == ["wrong", "nobody"]
    assert "does not want to be called by that name, start it with this host in --allowed-hosts" in words["name"]
    assert "is no MLflow, check the connection's host" in words["path"]
    assert not [why for why in words.values() if "SECRET" in why or server.password in why]


def test_secrets_are_not_in_what_is_shown_of_a_hook_or_a_connection(connect, server, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    spoken = logging.getLogger("urllib3.connectionpool")
    monkeypatch.setattr(spoken, "disabled", False)
    monkeypatch.setattr(spoken, "propagate", True)
    caplog.set_level(logging.DEBUG, spoken.name)
    connect(host=server.uri, login=server.user, password=server.password, extra={"token": "TOKEN-of-the-test"})
    hook = MlflowHook()
    hook.get_conn().versions("m")

    shown = repr(hook) + repr(vars(hook)) + repr(hook.get_conn()) + repr(vars(hook.get_conn())) + caplog.text
    assert "model-versions/search" in shown
    assert server.password not in shown
    assert "TOKEN-of-the-test" not in shown
