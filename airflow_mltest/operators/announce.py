"""New versions of a model, each as a partition of an asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltest.operators.suite import NO_RETRY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Asset, Context, RetryPolicy

    from airflow_mltest.integrations.mlflow_versions import MadeVersion


class AnnounceVersionsOperator(BaseOperator):
    """
    Turn what a `ModelVersionTrigger` has fired into partitions: `models:/name/version`, each once.

    A watcher's event names no partition, and one run may have been started by several of them. A
    DAG on `PartitionedAssetTimetable(assets=...)` of the asset runs once for each partition, with
    `{{ partition_key }}` as the model to test. What was announced before, by another run or by the
    webhook, is not announced again. Returns what was; with nothing new it is skipped.

    Args:
        model: The model, or the pattern of models, that is watched.
        outlets: The assets that get the partitions.
        mlflow_conn_id: The connection; None for the one that `[mltest] mlflow_conn_id` names.
    """

    template_fields = ("model", "mlflow_conn_id")
    ui_color = "#f0e8d8"

    def __init__(
        self,
        *,
        model: str,
        outlets: Sequence[Asset],
        mlflow_conn_id: str | None = None,
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, outlets=list(outlets), **kwargs)
        self.model = model
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> list[str]:
        """Find the versions, and announce those that nobody has."""
        made, run_id = self._made(context), context["run_id"]
        new: dict[str, Any] = {}
        for asset in self.outlets:
            memory = context["asset_state_store"][asset]
            fresh: dict[str, Any] = {
                one.uri: one.source for one in made if _is_fresh(memory.get(_key(one)), one.source, run_id)
            }
            if fresh:
                accessor = context["outlet_events"][asset]
                accessor.add_partitions(list(fresh))
                accessor.extra["versions"] = fresh
            for one in made:
                if one.uri in fresh:
                    memory.set(_key(one), [one.source, run_id])
            new |= fresh
        if not new:
            msg = f"{self.task_id}: no new version: none has started this run, or they are announced already."
            raise AirflowSkipException(msg)
        self.log.info("Announced: %s", ", ".join(new))
        return list(new)

    def _made(self, context: Context) -> list[MadeVersion]:
        """
        Ask for all that was made since the first version that has started this run.

        Of events that come shortly one after the other, Airflow starts a run for the first, and
        hands out the others with the next that comes, whenever that is.
        """
        from airflow_mltest.hooks.mlflow import MlflowHook
        from airflow_mltest.integrations.mlflow_versions import made_since

        events = [event for events in context["triggering_asset_events"].values() for event in events]
        said = [(event.extra or {}).get("payload") for event in events]
        times_ms = [one["made_ms"] for one in said if isinstance(one, dict) and "made_ms" in one]
        return made_since(MlflowHook(self.mlflow_conn_id).get_conn(), self.model, min(times_ms)) if times_ms else []


def _key(one: MadeVersion) -> str:
    return f"mltest/announced/{one.uri}"


def _is_fresh(known: Any, source: str, run_id: str) -> bool:
    """Say whether a version is to be announced: also again by a run whose first try may have got no further."""
    return not isinstance(known, list) or known[0] != source or known[1] == run_id
