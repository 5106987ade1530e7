import json
import os

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.hooks.mlflow import MlflowHook


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


def test_credentials_are_in_force_during_a_call_only(connect):
    connect(host="sqlite://", login="ada", password="SECRET", extra={"token": "TOKEN"})
    seen = {}
    with MlflowHook().get_conn()._client("x"):
        seen.update({key: value for key, value in os.environ.items() if key.startswith("MLFLOW_TRACKING_")})

    assert seen["MLFLOW_TRACKING_USERNAME"] == "ada"
    assert seen["MLFLOW_TRACKING_PASSWORD"] == "SECRET"
    assert seen["MLFLOW_TRACKING_TOKEN"] == "TOKEN"
    assert "MLFLOW_TRACKING_PASSWORD" not in os.environ


def test_test_button_makes_a_real_call(connect, tmp_path):
    connect(host=f"sqlite:///{tmp_path}/m.db")
    works, _ = MlflowHook().test_connection()
    connect(host="http://127.0.0.1:9")
    down, why = MlflowHook().test_connection()

    assert works
    assert not down
    assert "http://127.0.0.1:9" in why
