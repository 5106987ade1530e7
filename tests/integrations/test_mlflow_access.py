import os

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.mlflow_access import MlflowAccess

VARIABLES = {
    "MLFLOW_TRACKING_USERNAME": "ada",
    "MLFLOW_TRACKING_PASSWORD": "s3cret",
    "MLFLOW_TRACKING_TOKEN": "t0ken",
    "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/both.pem",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}


@pytest.fixture
def variables(monkeypatch):
    """Set MLflow's variables, and no others of them."""
    for key in [key for key in os.environ if key.startswith(("MLFLOW_TRACKING_", "MLFLOW_HTTP_"))]:
        monkeypatch.delenv(key)

    def put(values):
        for key, value in values.items():
            monkeypatch.setenv(key, value)

    return put


def test_what_is_left_out_is_as_mlflows_variables_say(variables):
    variables(VARIABLES)

    assert MlflowAccess().complete() == MlflowAccess(
        username="ada",
        password="s3cret",
        token="t0ken",
        verify="/ca.pem",
        client_cert="/both.pem",
        timeout_s=3,
        max_retries=0,
    )


def test_what_is_said_goes_before_the_variables_and_credentials_are_not_mixed(variables):
    variables(VARIABLES)
    said = MlflowAccess(token="0wn", verify=False, client_cert="/own.pem", timeout_s=1, max_retries=5)

    assert said.complete() == said


def test_without_a_word_and_without_variables_a_server_is_verified_and_waited_for_ten_seconds(variables):
    access = MlflowAccess().complete()

    assert (access.username, access.password, access.token, access.client_cert) == ("", "", "", "")
    assert (access.verify, access.timeout_s, access.max_retries) == (True, 10, 2)


def test_access_in_force_is_the_only_one_and_the_variables_are_as_before_after_it(variables):
    variables(VARIABLES)
    before = dict(os.environ)
    with MlflowAccess(token="0wn", verify=False, client_cert="/own.pem").complete().in_force("http://mlflow:5000"):
        seen = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_TRACKING_")}

    assert seen == {
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "MLFLOW_TRACKING_TOKEN": "0wn",
        "MLFLOW_TRACKING_INSECURE_TLS": "true",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/own.pem",
    }
    assert dict(os.environ) == before


def test_token_that_cannot_be_sent_is_refused_and_not_shown():
    with pytest.raises(ConfigurationError, match="token has a space, a line's end") as caught:
        MlflowAccess(token="t0ken\n")

    assert "t0ken" not in str(caught.value)
    assert "s3cret" not in repr(MlflowAccess(username="ada", password="s3cret", token="s3cret"))
