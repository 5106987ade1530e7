"""
From the sources to a candidate that answers.

The rows are four thousand real flights, of the 3rd, 10th, 17th and 24th of each month.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from late_flights.features import INPUTS, NUMBERS

pytestmark = [
    pytest.mark.integration,
    # MLflow warns about its own types, and calls what SQLAlchemy and pandas have deprecated.
    pytest.mark.filterwarnings(r"ignore:::mlflow\."),
]

ROWS = Path(__file__).parent / "rows"
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def env(work) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{work / 'mlflow.db'}", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture(scope="module")
def run(work, env):
    """Run a command as a task would, in a process of its own, and read the result off its last line."""

    def run(*argv: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "late_flights", *argv],
            cwd=work,
            env={**os.environ, **env, "PYTHONPATH": str(SOURCE)},
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="module")
def features(run) -> dict:
    return run("features", "--data", str(ROWS), "--out", "features")


@pytest.fixture(scope="module")
def candidate(run, features) -> dict:
    return run("train", "--features", str(Path(features["train"]).parent), "--model", "late-flights")


@pytest.fixture(scope="module")
def mlflow(env):
    """Give MLflow as a later task would find it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        import mlflow

        yield mlflow


def released(mlflow) -> tuple[str, str]:
    """Name the version that the alias points to, and the newest one."""
    client = mlflow.MlflowClient()
    versions = [int(found.version) for found in client.search_model_versions("name = 'late-flights'")]
    return str(client.get_model_version_by_alias("late-flights", "candidate").version), str(max(versions))


def test_every_flight_is_accounted_for(features):
    assert features["rows_train"] + features["rows_test"] + features["cancelled"] == 4000
    assert features["cancelled"] > 0


def test_training_registers_a_candidate(candidate, mlflow):
    aliased, newest = released(mlflow)

    assert candidate["version"] == "1"
    assert candidate["uri"] == "models:/late-flights/1"
    assert aliased == newest


def test_the_candidate_answers_for_real_flights_as_the_registry_loads_it(candidate, features, mlflow):
    test = pd.read_parquet(features["test"])
    model = mlflow.pyfunc.load_model(candidate["uri"])

    labels = model.predict(test[INPUTS])
    probability = model.get_raw_model().predict_proba(test[model.metadata.get_input_schema().input_names()])[:, 1]

    assert len(labels) == len(test)
    assert ((probability > 0.5) == labels).all()
    assert probability.std() > 0.02


def test_the_signature_lets_a_value_be_missing_but_no_column(candidate, features, mlflow):
    model = mlflow.pyfunc.load_model(candidate["uri"])
    row = pd.read_parquet(features["test"]).loc[:0, INPUTS]

    assert len(model.predict(row.assign(**dict.fromkeys(NUMBERS, float("nan"))))) == 1
    with pytest.raises(mlflow.MlflowException, match="humid"):
        model.predict(row.drop(columns="humid"))


def test_the_run_tells_what_was_trained_and_how_well(candidate, mlflow):
    client = mlflow.MlflowClient()
    run = client.get_run(client.get_model_version("late-flights", "1").run_id)

    assert run.data.params["labels"] == "true"
    assert run.data.metrics["auc"] == pytest.approx(candidate["auc"], abs=1e-4)


def test_a_model_of_shuffled_labels_becomes_a_worse_candidate(candidate, run, features, mlflow):
    folder = str(Path(features["train"]).parent)

    worse = run("train", "--features", folder, "--model", "late-flights", "--labels", "shuffled", "--months", "8")

    assert worse["auc"] < candidate["auc"] - 0.03
    assert released(mlflow) == (worse["version"], worse["version"]) == ("2", "2")


@pytest.mark.usefixtures("candidate")
def test_nothing_is_left_where_the_command_ran_but_what_was_asked_for(work):
    assert {path.name for path in work.iterdir()} == {"features", "mlflow.db", "artifacts"}
