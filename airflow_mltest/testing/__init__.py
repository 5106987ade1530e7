"""Fixtures that make a project's integration tests short: `pytest -p airflow_mltest.testing`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

# A plugin is imported by every run: what a fixture needs is imported when a test asks for it.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_mltest.integrations.mlflow_serving import ScoringServer
    from airflow_mltest.testing.dag_run import DagRunner
    from airflow_mltest.testing.mlflow_store import MlflowStore
    from airflow_mltest.testing.sandbox import Sandbox
    from airflow_mltest.testing.tiny_model import TinyModel


@pytest.fixture
def mlflow_store(tmp_path: Path) -> Iterator[MlflowStore]:
    """
    An empty MLflow of this test alone: tracking, registry (SQLite) and artifacts, below `tmp_path`.

    MLflow, here and in child processes, speaks to it without being told; afterwards to whomever it
    spoke before. `mlflow_store.uri` is its tracking URI, `mlflow_store.artifacts` the folder.
    """
    from airflow_mltest.testing.mlflow_store import new_store

    with new_store(tmp_path / "mlflow") as store:
        yield store


@pytest.fixture
def tiny_model(mlflow_store: MlflowStore) -> TinyModel:  # noqa: ARG001  it registers there
    """
    A small classifier, trained and registered in `mlflow_store`, with a signature.

    `tiny_model.uri` is `models:/tiny/1`; `.name`, `.version`, `.data` (a data frame with the column
    `.target`), `.inputs` (the same without it).
    """
    from airflow_mltest.testing.tiny_model import train_tiny_model

    return train_tiny_model()


@pytest.fixture
def serve_model() -> Iterator[Callable[..., ScoringServer]]:
    """
    Start scoring servers: `serve_model("models:/tiny/1")` returns when it answers.

    `server.predict(rows)` asks it, `server.url` is where it listens: a free port of this machine.
    Each runs in a process of its own, as production's does, and ends with the test.
    """
    from airflow_mltest.integrations.mlflow_serving import ScoringServer

    with ExitStack() as servers:

        def serve_model(uri: str, **options: object) -> ScoringServer:
            return servers.enter_context(ScoringServer(uri, **options))  # type: ignore[arg-type]

        yield serve_model


@pytest.fixture(scope="session")
def _airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow learns its home once a process; it has to be there as long as the process."""
    return tmp_path_factory.mktemp("airflow-home")


@pytest.fixture
def run_dag(_airflow_home: Path, tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[DagRunner]:
    """
    Run a DAG to its end in this process, and say what became of each task.

    `run = run_dag("dags/release.py", conf={"labels": "true"})` takes a DAG, or the path of a DAG
    file (and `dag_id=` if it makes several). `run.state`, `run.states["task"]`,
    `run.xcoms["task"]` and `run.errors["task"]` tell; a mapped task has a tuple, one item a map
    index. `connections=` and `variables=` hold for the run, `timeout_s=` limits it. Airflow's
    database is this test's own; retries do not wait.
    """
    from airflow_mltest.testing.dag_run import dag_runner

    with dag_runner(tmp_path / "airflow", home=_airflow_home, relative_to=pytestconfig.rootpath) as run:
        yield run


@pytest.fixture
def sandbox(tmp_path: Path, pytestconfig: pytest.Config) -> Sandbox:
    """
    A place to run a script as a child: `done = sandbox.run("python", "-m", "late_flights", "train")`.

    It starts in the empty folder `sandbox.work`; HOME, TMPDIR and caches lie beside it, and pytest's
    `pythonpath` is importable. `done.json` is its last line of output, `sandbox.artifacts()` the
    files that it made. It is limited in time, and ends with all that it started. A failure fails
    the test with the end of its output; with `check=False`, `done.returncode` tells.
    `unchanged=[folder]` makes it an error to change a file there.
    """
    from airflow_mltest.testing.sandbox import Sandbox

    return Sandbox.of(pytestconfig, tmp_path / "sandbox")
