"""An MLflow store of a test's own: a database, a folder of artifacts, and nobody else's runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.extras import extra
from airflow_mltest.testing.templates import template
from airflow_mltest.testing.variables import variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAKE = "import mlflow; mlflow.MlflowClient().search_experiments()"
_MAKE_LIMIT_S = 300
# Which run or experiment the outside has chosen is no business of a test's.
_CHOICES = ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID", "MLFLOW_ACTIVE_MODEL_ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowStore:
    """
    Where MLflow keeps what a test tells it.

    Args:
        uri: The tracking URI, which is the registry's, too.
        artifacts: The folder below which every experiment has its artifacts.
    """

    uri: str
    artifacts: Path


@contextmanager
def new_store(folder: Path) -> Iterator[MlflowStore]:
    """
    Make an empty store in *folder*, and let MLflow speak to it in the body, here and in children.

    The fixture `mlflow_store` is this for one test; for a whole module, call it in a fixture of your own.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    with extra("model", provides="mlflow"):
        release = version("mlflow")
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    database = folder / "mlflow.db"
    # Migrating a new database takes seconds, and an import of MLflow that the test may not need.
    shutil.copyfile(template(f"mlflow-{release}.db", _migrate), database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", [(artifacts / "0").as_uri()])
    store = MlflowStore(uri=f"sqlite:///{database}", artifacts=artifacts)
    chosen = {**_addresses(store.uri, artifacts), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    with variables(chosen, of=("MLFLOW_", "_MLFLOW_"), without=_CHOICES), _state_of(store.uri):
        yield store


def _addresses(uri: str, artifacts: Path) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_REGISTRY_URI": uri,
        # Where new experiments keep their artifacts; else it is the folder that the test runs in.
        "_MLFLOW_SERVER_ARTIFACT_ROOT": artifacts.as_uri(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _migrate(path: Path) -> None:
    """Let MLflow make an empty database, in a child: the test's process may do without MLflow."""
    outside = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    environment = {**outside, **_addresses(f"sqlite:///{path}", path.parent)}
    command = [sys.executable, "-c", _MAKE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_MAKE_LIMIT_S)
    if done.returncode:
        msg = f"MLflow could not make an empty database:\n{done.stderr[-4000:]}"
        raise BrokenRunError(msg)


@contextmanager
def _state_of(uri: str) -> Iterator[None]:
    """Let MLflow forget in the body what this process told it before, and after it what it was told there."""
    before = _Told.now()
    _Told().restore()
    try:
        yield
    finally:
        _end_runs()
        before.restore()
        _close(uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What MLflow was told in this process. It has no public way to ask for, or to take back, any of it."""

    tracking_uri: str | None = None
    registry_uri: str | None = None
    experiment_id: str | None = None

    @classmethod
    def now(cls) -> _Told:
        if "mlflow.tracking.fluent" not in sys.modules:
            return cls()
        from mlflow.tracking import fluent
        from mlflow.tracking._model_registry import utils as registry
        from mlflow.tracking._tracking_service import utils as tracking

        return cls(
            tracking_uri=tracking._tracking_uri,  # noqa: SLF001
            registry_uri=registry._registry_uri,  # noqa: SLF001
            experiment_id=fluent._active_experiment_id,  # noqa: SLF001
        )

    def restore(self) -> None:
        if "mlflow.tracking.fluent" not in sys.modules:
            return
        from mlflow.tracking import fluent
        from mlflow.tracking._model_registry import utils as registry
        from mlflow.tracking._tracking_service import utils as tracking

        tracking._tracking_uri = self.tracking_uri  # noqa: SLF001
        registry._registry_uri = self.registry_uri  # noqa: SLF001
        fluent._active_experiment_id = self.experiment_id  # noqa: SLF001
        fluent._last_active_run_id.set(None)  # noqa: SLF001


def _end_runs() -> None:
    """End what a test that failed between start and end has left open."""
    fluent: Any = sys.modules.get("mlflow.tracking.fluent")
    while fluent is not None and fluent.active_run() is not None:
        with suppress(Exception):  # it may have been another store's; it is no longer active in any case
            fluent.end_run()


def _close(uri: str) -> None:
    """Close the connections to a database that nobody will ask again: many tests would run out of files."""
    for name in ("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"):
        store: Any = sys.modules.get(name)
        engine = store and store.SqlAlchemyStore._engine_map.pop(uri, None)  # noqa: SLF001
        if engine:
            engine.dispose()
