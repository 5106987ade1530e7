"""
From the sources to a model that answers: ingest, features, train, register, serve.

The rows are four thousand real flights, of the 3rd, 10th, 17th and 24th of each month.
"""

from pathlib import Path

import pandas as pd
import pytest
from late_flights.features import INPUTS, NUMBERS

pytest.importorskip("airflow_mltest.testing", reason="its fixtures run the commands, and serve the model")
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.testing.sandbox import Sandbox

pytestmark = [
    pytest.mark.integration,
    # MLflow warns about its own types, and calls what SQLAlchemy and pandas have deprecated.
    pytest.mark.filterwarnings(r"ignore:::mlflow\."),
]

ROWS = Path(__file__).parent / "rows"
COMMAND = ["python", "-m", "late_flights"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory, pytestconfig):
    """One for the module, with one MLflow store: training takes seconds."""
    with new_store(tmp_path_factory.mktemp("mlflow")):
        yield Sandbox.of(pytestconfig, tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="module")
def features(sandbox) -> dict:
    return sandbox.run(*COMMAND, "features", "--data", ROWS, "--out", "features", unchanged=[ROWS]).json


@pytest.fixture(scope="module")
def train(sandbox, features):
    command = [*COMMAND, "train", "--features", Path(features["train"]).parent, "--model", "late-flights"]
    return lambda *options: sandbox.run(*command, *options).json


@pytest.fixture(scope="module")
def candidate(train) -> dict:
    return train()


@pytest.fixture(scope="module")
def test_rows(features) -> pd.DataFrame:
    return pd.read_parquet(features["test"])[INPUTS]


def newest_version(alias=None) -> str:
    from mlflow import MlflowClient

    client = MlflowClient()
    if alias:
        return str(client.get_model_version_by_alias("late-flights", alias).version)
    return str(max(int(found.version) for found in client.search_model_versions("name = 'late-flights'")))


def test_every_flight_is_accounted_for(features):
    assert features["rows_train"] + features["rows_test"] + features["cancelled"] == 4000
    assert features["cancelled"] > 0


def test_training_registers_a_candidate_and_tells_how_good_it_is(candidate):
    from mlflow import MlflowClient

    run = MlflowClient().get_run(MlflowClient().get_model_version("late-flights", "1").run_id)

    assert candidate["uri"] == "models:/late-flights/1"
    assert newest_version("candidate") == newest_version() == candidate["version"] == "1"
    assert run.data.params["labels"] == "true"
    assert run.data.metrics["auc"] == pytest.approx(candidate["auc"], abs=1e-4)


def test_the_candidate_answers_for_real_flights_the_same_served_as_loaded(candidate, test_rows, serve_model):
    import mlflow

    model = mlflow.pyfunc.load_model(candidate["uri"])
    probability = model.get_raw_model().predict_proba(test_rows[model.metadata.get_input_schema().input_names()])[:, 1]
    server = serve_model("models:/late-flights@candidate")

    assert server.predict(test_rows) == list(model.predict(test_rows)) == list(probability > 0.5)
    assert probability.std() > 0.02
    # The signature lets a value be missing, but no column.
    row = test_rows.head(1)
    assert len(server.predict(row.assign(**dict.fromkeys(NUMBERS, float("nan"))))) == 1
    with pytest.raises(ConfigurationError, match="humid"):
        server.predict(row.drop(columns="humid"))


def test_a_model_of_shuffled_labels_becomes_a_worse_candidate(candidate, train):
    worse = train("--labels", "shuffled", "--months", "8")

    assert worse["auc"] < candidate["auc"] - 0.03
    assert newest_version("candidate") == newest_version() == worse["version"] == "2"


@pytest.mark.usefixtures("candidate")
def test_nothing_is_left_where_the_command_ran_but_what_was_asked_for(sandbox):
    assert set(sandbox.artifacts()) == {"features/train.parquet", "features/test.parquet"}
