import os
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry, digest_of

ROWS = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A real store with two versions of `m`, and a model that is registered nowhere."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression, LogisticRegression

    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.create_experiment("e", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("e")
        signature = infer_signature(ROWS, np.array([0, 1, 0, 1]))
        uris = []
        for model in (LogisticRegression().fit(ROWS, [0, 0, 1, 1]), LinearRegression().fit(ROWS, [0, 1, 2, 3])):
            with mlflow.start_run():
                logged = mlflow.sklearn.log_model(
                    model,
                    name="model",
                    signature=signature if not uris else None,
                    pip_requirements=["scikit-learn"],
                    registered_model_name="m",
                )
                uris.append(logged.model_uri)
    finally:
        mlflow.set_tracking_uri(None)
    return SimpleNamespace(uri=uri, uris=uris, folder=folder)


@pytest.fixture
def registry(store):
    return MlflowRegistry(store.uri)


def test_versions_are_strings_newest_first(registry):
    assert registry.versions("m") == ["2", "1"]
    assert registry.versions("nobody") == []
    assert registry.versions("it's") == []


def test_alias_points_where_it_was_last_pointed(registry):
    assert registry.version_of("m", "champion") is None
    registry.point("m", "champion", "1")
    registry.point("m", "champion", "2")

    assert registry.version_of("m", "champion") == "2"


def test_tags_are_added_to_those_that_are_there(registry):
    registry.tag("m", "1", {"x": "1"})
    registry.tag("m", "1", {"y": "2"})

    assert registry.tags("m", "1") == {"x": "1", "y": "2"}


def test_digest_is_the_same_each_time_and_another_for_another_version(registry):
    assert registry.digest("m", "1") == registry.digest("m", "1") == registry.load("models:/m/1").digest
    assert registry.digest("m", "1") != registry.digest("m", "2")


def test_digest_changes_with_any_file_and_not_with_where_it_lies(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "model.pkl").write_bytes(b"same")
        (tmp_path / name / "registered_model_meta").write_text(name)
    before = digest_of(tmp_path / "one")

    assert before == digest_of(tmp_path / "two")
    (tmp_path / "two" / "sub" / "model.pkl").write_bytes(b"other")
    assert before != digest_of(tmp_path / "two")


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.version_of("nobody", "champion"),
        lambda r: r.tags("m", "9"),
        lambda r: r.digest("m", "9"),
        lambda r: r.digest("nobody", "1"),
        lambda r: r.point("m", "champion", "9"),
        lambda r: r.resolve("models:/m/9"),
        lambda r: r.resolve("models:/m@nobody"),
        lambda r: r.resolve("models:/nobody/latest"),
    ],
)
def test_what_is_not_there_is_a_configuration_error(registry, ask):
    with pytest.raises(ConfigurationError, match=r"nobody|9|'m'"):
        ask(registry)


def test_uri_is_pinned_to_one_version(registry, store):
    registry.point("m", "candidate", "1")

    assert registry.resolve("models:/m@candidate") == ("models:/m/1", "m", "1")
    assert registry.resolve("models:/m/latest") == ("models:/m/2", "m", "2")
    assert registry.resolve(store.uris[0]) == (store.uris[0], "", "")
    assert registry.resolve("/some/folder") == ("/some/folder", "", "")


def test_classifier_answers_with_labels_and_probabilities_through_its_signature(registry):
    model = registry.load("models:/m/1")

    assert (model.name, model.version, model.uri) == ("m", "1", "models:/m/1")
    assert list(model.inputs) == ["a", "b"]
    assert model.predict(ROWS).tolist() == [0, 0, 1, 1]
    assert model.scores(ROWS[["b", "a"]].assign(c=1)).shape == (4, 2)
    with pytest.raises(Exception, match="missing inputs"):
        model.predict(ROWS[["a"]])


def test_regression_has_no_probabilities_and_a_model_may_have_no_signature(registry):
    model = registry.load("models:/m/2")

    assert model.inputs is None
    assert model.scores(ROWS) is None
    assert model.predict(ROWS) == pytest.approx([0, 1, 2, 3])


def test_model_that_is_registered_nowhere_is_loaded_by_its_uri(registry, store):
    model = registry.load(store.uris[0])

    assert (model.name, model.version) == ("", "")
    assert model.digest == registry.digest("m", "1")


def test_baseline_is_none_only_where_its_alias_is_missing(registry):
    assert registry.load_baseline("models:/m@never") is None
    assert registry.load_baseline("models:/m/1").version == "1"
    with pytest.raises(ConfigurationError, match="nobody"):
        registry.load_baseline("models:/nobody@champion")


def test_folder_that_is_no_model_is_named(registry, tmp_path):
    with pytest.raises((ConfigurationError, BrokenRunError), match=str(tmp_path)):
        registry.load(str(tmp_path))


def test_environment_is_left_as_it_was(registry, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "somewhere")
    before = dict(os.environ)
    MlflowRegistry(registry.tracking_uri, {"MLFLOW_TRACKING_TOKEN": "secret"}).versions("m")

    assert dict(os.environ) == before


def test_server_that_is_down_is_said_within_fifteen_seconds_and_without_its_password():
    start_s = time.monotonic()

    with pytest.raises(BrokenRunError, match="did not answer") as error:
        MlflowRegistry("http://user:SECRET@127.0.0.1:9").version_of("m", "champion")

    assert time.monotonic() - start_s < 15
    assert "http://127.0.0.1:9" in str(error.value)
    assert "SECRET" not in str(error.value)
