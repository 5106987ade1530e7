import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from airflow_mltest.testing.mlflow_store import new_store


def told():
    """Say to whom MLflow would speak, and what it believes to be going on."""
    names = sorted(name for name in os.environ if "MLFLOW" in name)
    variables = {name: os.environ[name] for name in names}
    return mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run(), variables


def test_store_is_empty_and_everything_told_to_mlflow_is_kept_below_the_tests_folder(mlflow_store, tmp_path):
    mlflow.set_experiment("mine")
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.7)
        mlflow.log_text("hello", "note.txt")
        mlflow.log_text("hello", "note.txt", run_id=mlflow.MlflowClient().create_run("0").info.run_id)

    assert [found.name for found in mlflow.search_experiments(order_by=["experiment_id"])] == ["Default", "mine"]
    assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(mlflow_store.artifacts)
    assert len(list(mlflow_store.artifacts.rglob("note.txt"))) == 2
    assert mlflow_store.artifacts.is_relative_to(tmp_path)
    assert mlflow_store.uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_children_speak_to_the_same_store(mlflow_store, tmp_path):
    code = "import mlflow; mlflow.set_experiment('child'); mlflow.start_run(run_id=None); mlflow.log_text('x', 'x.txt')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)

    assert len(mlflow.search_runs(experiment_names=["child"], output_format="list")) == 1
    assert len(list(mlflow_store.artifacts.rglob("x.txt"))) == 1
    assert not (tmp_path / "mlruns").exists()


def test_what_was_told_before_is_forgotten_in_it_and_true_again_after_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "outside")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):  # MLflow sets both, and leaves the second
        monkeypatch.setenv(name, f"sqlite:///{tmp_path}/environment.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/outside.db")
    mlflow.set_registry_uri(f"sqlite:///{tmp_path}/registry.db")
    try:
        before = told()
        with new_store(tmp_path / "one") as one:
            assert told()[:2] == (one.uri, one.uri)
            assert "MLFLOW_EXPERIMENT_NAME" not in os.environ
            mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/elsewhere.db")
            mlflow.set_registry_uri(f"sqlite:///{tmp_path}/elsewhere.db")
            os.environ["MLFLOW_RUN_ID"] = "left behind"

        assert told() == before
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


def test_run_that_a_test_left_open_does_not_run_on_in_the_next_one(tmp_path):
    with new_store(tmp_path / "one"):
        mlflow.set_experiment("chosen")
        left = mlflow.start_run()
    assert mlflow.active_run() is None

    with new_store(tmp_path / "two"), mlflow.start_run() as run:
        assert run.info.experiment_id == "0"
        assert run.info.run_id != left.info.run_id
    assert mlflow.last_active_run() is None


def test_stores_are_one_anothers_strangers(tmp_path):
    with new_store(tmp_path / "outer") as outer:
        mlflow.create_experiment("outer")
        with new_store(tmp_path / "inner") as inner:
            assert mlflow.get_tracking_uri() == inner.uri
            assert mlflow.get_experiment_by_name("outer") is None
        assert mlflow.get_tracking_uri() == outer.uri
        assert mlflow.get_experiment_by_name("outer") is not None


def test_connections_are_closed_after_it(tmp_path):
    with new_store(tmp_path / "one"):
        mlflow.create_experiment("mine")

    opened = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert not [path for path in opened if path.startswith(str(tmp_path))]


def test_template_is_remade_for_another_cache_and_names_no_place(tmp_path, monkeypatch):
    """What is copied holds no path of where it was made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with new_store(tmp_path / "one") as store:
        database = sqlite3.connect(store.uri.removeprefix("sqlite:///"))
        said = "\n".join(database.iterdump())
        database.close()

    assert len(list((tmp_path / "cache").rglob(f"mlflow-{mlflow.__version__}.db"))) == 1
    assert str(tmp_path / "cache") not in said
    assert f"{tmp_path}/one/artifacts/0" in said


def test_mlflow_that_cannot_make_a_database_shows_why(tmp_path, monkeypatch):
    from airflow_mltest.core.errors import BrokenRunError

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mlflow.py").write_text("raise RuntimeError('no driver for it')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(BrokenRunError, match="no driver for it"), new_store(tmp_path / "one"):
        pass
