"""A connection to MLflow, as its registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry


class MlflowHook(BaseHook):
    """
    Work with the models of an MLflow server, or of a local SQLite store.

    The connection's host is the tracking URI, its login and password or the `token` in its extras
    are the credentials.

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
            ConfigurationError: The connection has no host.
        """
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
        from airflow_mltest.settings import load_settings

        conn_id = self.mlflow_conn_id or load_settings().mlflow_conn_id
        connection = self.get_connection(conn_id)
        if not connection.host:
            msg = f"connection {conn_id!r} has no host: set it to MLflow's tracking URI, such as http://mlflow:5000."
            raise ConfigurationError(msg)
        token = connection.extra_dejson.get("token")
        credentials = {
            "MLFLOW_TRACKING_USERNAME": connection.login,
            "MLFLOW_TRACKING_PASSWORD": connection.password,
            "MLFLOW_TRACKING_TOKEN": token,
        }
        return MlflowRegistry(connection.host, {key: value for key, value in credentials.items() if value})

    def test_connection(self) -> tuple[bool, str]:
        """Ask for a model that cannot exist: an answer of any kind is one, and health checks are not."""
        try:
            self.get_conn().versions("airflow-mltest-connection-test")
        except Exception as error:  # noqa: BLE001  whatever it is, the button shows it
            return False, str(error)
        return True, "MLflow answers, and lets this user read its models."
