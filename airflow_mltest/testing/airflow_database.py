"""Airflow in a test's process, with a database of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from airflow_mltest.extras import extra
from airflow_mltest.testing.templates import template
from airflow_mltest.testing.variables import variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUNDLE = "mltest"
# Airflow's task runner sets variables of its own, too.
AIRFLOWS = ("AIRFLOW", "_AIRFLOW", "__AIRFLOW")


@contextmanager
def airflow_database(folder: Path, *, home: Path) -> Iterator[None]:
    """
    Give Airflow an empty database in *folder* for the body, and what it had before after it.

    Args:
        folder: Takes the database, the logs, and a DAG bundle with nothing in it.
        home: Airflow's home, should nobody have imported Airflow in this process yet: it is
            learned once, and has to be there as long as the process.

    Raises:
        MissingExtraError: Airflow is not installed.
    """
    with extra("pytest", provides="apache-airflow-core"):
        release = version("apache-airflow-core")
    (folder / "dags").mkdir(parents=True)
    database = folder / "airflow.db"
    chosen = _settings(folder, database)
    if "airflow" not in sys.modules and "AIRFLOW_HOME" not in os.environ:
        chosen["AIRFLOW_HOME"] = str(home)
    try:
        with variables(chosen, of=AIRFLOWS):
            with quiet():
                from airflow import settings

                shutil.copyfile(template(f"airflow-{release}.db", lambda path: _migrate(path, settings)), database)
                _connect(settings)
            yield
    finally:
        if "airflow.settings" in sys.modules:  # else its import has failed
            with quiet():
                _connect(sys.modules["airflow.settings"])


@contextmanager
def quiet() -> Iterator[None]:
    """Let Airflow's own warnings pass: a project that makes warnings errors does not mean those."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(airflow|sqlalchemy|fastapi|starlette|pydantic|alembic|httpx)\b")
        yield


def _settings(folder: Path, database: Path) -> dict[str, str]:
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundle = {"name": BUNDLE, "classpath": local, "kwargs": {"path": str(folder / "dags")}}
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # The limit would be SIGALRM's, which is pytest-timeout's too.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "0",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
    }


def _connect(settings: Any) -> None:
    """Let Airflow read again where its database is; the connections to the last one are closed."""
    _disconnect(settings)
    settings.configure_vars()
    settings.configure_orm()


def _disconnect(settings: Any) -> None:
    """Close Airflow's connections: its own `dispose_orm` closes every session of the process, the test's as well."""
    if settings.Session is not None:
        settings.Session.remove()
    for engine in (settings.engine, settings.async_engine and settings.async_engine.sync_engine):
        if engine is not None:
            engine.dispose()


def _migrate(path: Path, settings: Any) -> None:
    with variables({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{path}"}, of=AIRFLOWS):
        _connect(settings)
        from airflow.utils.db import initdb

        initdb()
        _disconnect(settings)
