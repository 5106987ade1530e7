"""The [mltest] section of airflow.cfg, as one frozen value."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import conf

if TYPE_CHECKING:
    from airflow_mltest.reports.archive import Archive
    from airflow_mltest.reports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What a deployment decides once for all of its testing tasks.

    Args:
        report_root: Where finished suites are kept: a folder, or a URL of object storage such
            as `s3://conn_id@bucket/reports`. Workers write it, the API server reads it.
        mlflow_conn_id: The connection that operators use when they name none.
        checkout_cache: Folder on each worker for mirrors of git repositories and their work trees.
        webhook_conn_id: The connection whose password is the secret of MLflow's webhook; empty: there is none.
        retention_days: For how many days runs stay in the report store when it is pruned; 0: for ever.
    """

    report_root: str
    mlflow_conn_id: str
    checkout_cache: str
    webhook_conn_id: str
    retention_days: int


def load_settings() -> Settings:
    """Read the section; what is empty is the folder `mltest/reports`, or `mltest/checkouts`, in AIRFLOW_HOME."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return Settings(
        report_root=conf.get("mltest", "report_root") or str(home / "mltest" / "reports"),
        mlflow_conn_id=conf.get("mltest", "mlflow_conn_id"),
        checkout_cache=conf.get("mltest", "checkout_cache") or str(home / "mltest" / "checkouts"),
        webhook_conn_id=conf.get("mltest", "webhook_conn_id"),
        retention_days=conf.getint("mltest", "retention_days"),
    )


def open_store() -> Store:
    """Open the report store of this deployment."""
    from airflow.sdk import ObjectStoragePath

    from airflow_mltest.reports.store import Store

    return Store(ObjectStoragePath(load_settings().report_root))


def open_archive(project: str) -> Archive:
    """Open the past of *project*, in the report store of this deployment."""
    from airflow.sdk import ObjectStoragePath

    from airflow_mltest.reports.archive import Archive

    return Archive(ObjectStoragePath(load_settings().report_root), project)
