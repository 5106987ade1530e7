"""Wait until a model has a newer version, or its alias points elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context


class ModelVersionSensor(BaseSensorOperator):
    """
    Wait for a new version of a model, and return its number.

    =======================================================  ==============================
    what happened                                            the sensor
    =======================================================  ==============================
    there is a version with a higher number than those at    succeeds, and returns it: the
    this task's first look                                   newest, if there are several
    with an alias: it points at another version than then    succeeds, and returns it
    neither                                                  goes on waiting
    the registry does not answer                             goes on waiting, and warns
    no such connection, no access; with an alias: no model   fails, without a retry
    =======================================================  ==============================

    Args:
        model: The registered model. Without an alias, it may come into being later.
        alias: Wait for this alias to move, instead; empty: for any new version.
        mlflow_conn_id: The connection; None for the one that `[mltest] mlflow_conn_id` names.
        deferrable: Whether to wait in the triggerer, without a worker.
    """

    template_fields = ("model", "alias", "mlflow_conn_id")
    ui_color = "#f0e8d8"

    def __init__(
        self,
        *,
        model: str,
        alias: str = "",
        mlflow_conn_id: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.alias = alias
        self.mlflow_conn_id = mlflow_conn_id
        self.deferrable = deferrable

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; a registry that does not answer now may do so later."""
        from airflow_mltest.core.errors import BrokenRunError

        try:
            version, _ = self._look(context)
        except BrokenRunError as error:
            self.log.warning("%s: it is asked again.", error)
            version = ""
        return PokeReturnValue(is_done=bool(version), xcom_value=version or None)

    def execute(self, context: Context) -> Any:
        """Look on this worker, or look once and leave the rest to the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        from airflow_mltest.triggers.model_version import RegistryChangeTrigger

        version, known = self._look(context)
        if version:
            return version
        every_s = float(self.poke_interval)
        self.defer(
            trigger=RegistryChangeTrigger(self.model, known, self.alias, self.mlflow_conn_id, every_s),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )
        return None

    def execute_complete(self, context: Context, event: Mapping[str, str]) -> str:  # noqa: ARG002
        """Return what the trigger has seen."""
        self.log.info("%s is version %s now.", self._subject, event["version"])
        return event["version"]

    @property
    def _subject(self) -> str:
        return f"{self.model}@{self.alias}" if self.alias else f"The newest of {self.model}"

    def _look(self, context: Context) -> tuple[str, str]:
        """Find a version that is new, or nothing; and the one that it was compared with."""
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.hooks.mlflow import MlflowHook
        from airflow_mltest.triggers.model_version import current, newer

        try:
            registry = MlflowHook(self.mlflow_conn_id).get_conn()
            now = current(registry, self.model, self.alias)
        except (ConfigurationError, AirflowNotFoundException) as error:
            msg = f"{self.task_id}: {error}"
            raise AirflowFailException(msg) from error
        known = self._first_seen(context, now)
        version = newer(now, known, self.alias)
        if version:
            self.log.info("%s is version %s; it was %s.", self._subject, version, known or "none")
        return version, known

    def _first_seen(self, context: Context, now: str) -> str:
        """Give the version at this task's first look, which may have been on another worker."""
        store = context["task_state_store"]
        key = f"mltest/since/{self.mlflow_conn_id or ''}/{self.model}@{self.alias}"
        seen = store.get(key)
        if not isinstance(seen, str):
            store.set(key, now)
            return now
        return seen
