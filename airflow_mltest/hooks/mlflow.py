"""A connection to MLflow, as its registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry


def _is_here(value: Any) -> bool:
    return isinstance(value, str) and Path(value).exists()


# What an extra has to be, and how to say so; true is a number to Python.
_EXTRAS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "token": (lambda value: isinstance(value, str), "a text"),
    "verify": (lambda value: isinstance(value, bool) or _is_here(value), "true, false or a file that is here"),
    "client_cert": (_is_here, "a file that is here"),
    "timeout_s": (lambda value: type(value) in {int, float} and value > 0, "a number of seconds above zero"),
    "max_retries": (lambda value: type(value) is int and value >= 0, "a whole number, zero or more"),
}


class MlflowHook(BaseHook):
    """
    Work with the models of an MLflow server, or of a local SQLite store.

    The connection's host is the tracking URI, its login and password or the `token` in its extras
    are the credentials. More extras: `verify` (true, false, or a file of certificates to trust),
    `client_cert` (a file), `timeout_s` (of a call, with all that is sent again) and `max_retries`.

    Args:
        mlflow_conn_id: The connection; None for the one that `[mltest] mlflow_conn_id` names.
    """

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "mlflow"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id

    def get_conn(self) -> MlflowRegistry:
        """
        Give the registry that the connection names.

        Raises:
            ConfigurationError: The connection has no tracking URI, or an extra that cannot be.
        """
        from airflow_mltest.integrations.mlflow_access import MlflowAccess
        from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
        from airflow_mltest.settings import load_settings

        conn_id = self.mlflow_conn_id or load_settings().mlflow_conn_id
        connection = self.get_connection(conn_id)
        host = connection.host or ""
        if "://" not in host:
            has = "has a host without http:// before it" if host else "has no host"
            msg = f"connection {conn_id!r} {has}: set it to MLflow's tracking URI, such as http://mlflow:5000."
            raise ConfigurationError(msg)
        access = MlflowAccess(
            username=connection.login or "",
            password=connection.password or "",
            **_checked(conn_id, connection.extra_dejson),
        )
        return MlflowRegistry(host, access)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for a model that cannot exist: an answer of any kind is one, and health checks are not."""
        try:
            self.get_conn().versions("airflow-mltest-connection-test")
        except Exception as error:  # noqa: BLE001  whatever it is, the button shows it
            return False, str(error)
        return True, "MLflow answers, and lets this user read its models."


def _checked(conn_id: str, extras: Mapping[str, Any]) -> dict[str, Any]:
    """Take the extras that are set, if they can be what they say."""
    given = {key: value for key, value in extras.items() if value not in (None, "")}
    if unknown := sorted(given.keys() - _EXTRAS.keys()):
        known = ", ".join(_EXTRAS)
        msg = f"connection {conn_id!r} has an extra {', '.join(unknown)}, which nobody reads: there are {known}."
        raise ConfigurationError(msg)
    if isinstance(given.get("verify"), str) and given["verify"].lower() in {"true", "false"}:
        given["verify"] = given["verify"].lower() == "true"  # as a form gives it
    for key, value in given.items():
        fits, wanted = _EXTRAS[key]
        if not fits(value):
            shown = "" if key == "token" else f", not {value!r}"
            msg = f"the extra {key} of connection {conn_id!r} has to be {wanted}{shown}."
            raise ConfigurationError(msg)
    return given
