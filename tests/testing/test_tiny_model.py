import mlflow
import numpy as np

from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
from airflow_mltest.testing.tiny_model import train_tiny_model


def test_model_is_registered_with_a_signature_and_better_than_chance(tiny_model, mlflow_store):
    loaded = MlflowRegistry(mlflow_store.uri).load(tiny_model.uri)
    right = (loaded.predict(tiny_model.inputs) == tiny_model.data[tiny_model.target]).mean()

    assert (loaded.name, loaded.version, loaded.uri) == (tiny_model.name, tiny_model.version, tiny_model.uri)
    assert loaded.inputs == {"calls": "double", "months": "double"}
    assert 0.75 < right < 0.97
    assert 0.2 < tiny_model.data[tiny_model.target].mean() < 0.8


def test_next_one_is_the_next_version_and_the_same_seed_gives_the_same_rows(tiny_model):
    again, other = train_tiny_model(), train_tiny_model("other", seed=1)

    assert (again.uri, other.uri) == ("models:/tiny/2", "models:/other/1")
    assert again.data.equals(tiny_model.data)
    assert not np.array_equal(other.data, tiny_model.data)


def test_training_within_a_run_of_the_tests_own_ends_no_run(mlflow_store):
    with mlflow.start_run() as run:
        train_tiny_model()

        assert mlflow.active_run().info.run_id == run.info.run_id
