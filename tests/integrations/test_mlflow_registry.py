import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry, digest_of

MemoryRegistry = runpy.run_path(str(Path(__file__).parents[1] / "registries.py"))["MemoryRegistry"]

READS_A_FILE_WHEN_IT_PREDICTS = """
import mlflow
from pathlib import Path


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [int(Path(context.artifacts["answer"]).read_text())] * len(model_input)


mlflow.models.set_model(Model())
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A real store: `churn` has three versions, the third without a signature; `late` reads a file to predict."""
    folder = tmp_path_factory.mktemp("logged")
    rows = pd.DataFrame({"calls": np.arange(20.0), "months": np.arange(20.0)[::-1]})
    late = rows["calls"] > 9
    signature = infer_signature(rows, late.astype(int))
    models = [LogisticRegression(C=strength).fit(rows, late.astype(int)) for strength in (1.0, 0.1, 0.01)]
    (folder / "answer.txt").write_text("7")
    (folder / "late.py").write_text(READS_A_FILE_WHEN_IT_PREDICTS)
    uri = f"sqlite:///{folder}/mlflow.db"
    common = {"name": "model", "pip_requirements": ["scikit-learn"]}
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.create_experiment("churn", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("churn")
        for model, signed in zip(models, (signature, signature, None), strict=True):
            with mlflow.start_run() as run:
                info = mlflow.sklearn.log_model(model, signature=signed, registered_model_name="churn", **common)
        with mlflow.start_run():
            mlflow.pyfunc.log_model(
                python_model=str(folder / "late.py"),
                artifacts={"answer": str(folder / "answer.txt")},
                registered_model_name="late",
                **common,
            )
    finally:
        mlflow.set_tracking_uri(None)
    return SimpleNamespace(
        uri=uri, rows=rows, models=models, run=run.info.run_id, model_id=info.model_id, folder=folder
    )


@pytest.fixture
def store(logged, tmp_path, monkeypatch):
    """The registry for one test; the worker's own settings lead elsewhere."""
    database = tmp_path / "mlflow.db"
    shutil.copy(logged.uri.removeprefix("sqlite:///"), database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/another.db")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path}/another.db")
    return MlflowRegistry(f"sqlite:///{database}")


# What every registry keeps to, the real one and the one that the core is tested with.


@pytest.fixture(params=["memory", "mlflow"])
def registry(request):
    if request.param == "mlflow":
        return request.getfixturevalue("store")
    registry = MemoryRegistry()
    for artifacts in (b"1", b"2", b"3"):
        registry.register("churn", artifacts)
    return registry


def test_alias_points_where_it_was_last_pointed(registry):
    assert registry.version_of("churn", "champion") is None
    registry.point("churn", "champion", "1")
    registry.point("churn", "champion", "2")
    registry.point("churn", "shadow", "3")

    assert registry.version_of("churn", "champion") == "2"
    assert registry.version_of("churn", "shadow") == "3"


def test_versions_are_strings_and_the_newest_comes_first(registry):
    assert registry.versions("churn") == ["3", "2", "1"]
    assert registry.versions("chur") == registry.versions("it's") == []


def test_digest_tells_versions_apart_and_stays_the_same(registry):
    digests = [registry.digest("churn", version) for version in ("1", "2", "1")]

    assert digests[0] == digests[2] != digests[1]
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_tags_are_added_and_overwritten_one_by_one(registry):
    registry.tag("churn", "1", {"mltest.champion.replaced": "none", "note": ""})
    registry.tag("churn", "1", {"mltest.champion.replaced": "2"})

    assert registry.tags("churn", "1") == {"mltest.champion.replaced": "2", "note": ""}
    assert registry.tags("churn", "2") == {}


def test_alias_that_was_taken_away_points_nowhere_and_the_others_stay(registry):
    registry.point("churn", "champion", "1")
    registry.point("churn", "shadow", "1")
    for _ in range(2):
        registry.unpoint("churn", "champion")

    assert registry.version_of("churn", "champion") is None
    assert registry.version_of("churn", "shadow") == "1"


def test_tags_of_a_model_are_its_own_and_can_be_taken_away(registry):
    registry.tag_model("churn", "mltest.claim", "a")
    registry.tag_model("churn", "mltest.claim", "b")
    registry.tag_model("churn", "other", "c")
    assert registry.model_tags("churn") == {"mltest.claim": "b", "other": "c"}

    for _ in range(2):
        registry.tag_model("churn", "mltest.claim", None)
    assert registry.model_tags("churn") == {"other": "c"}
    assert registry.tags("churn", "1") == {}


def test_copy_has_the_artifacts_and_the_tags_it_is_given_and_is_made_once(registry):
    registry.tag("churn", "2", {"note": "the source's"})
    tags = {"mltest.decision": "d1", "evidence": '{"it\'s": "50 %"}'}
    copies = [registry.copy("churn", "2", "churn-prod", tags) for _ in range(2)]

    assert copies == ["1", "1"] == [*registry.versions("churn-prod"), "1"]
    assert registry.digest("churn-prod", "1") == registry.digest("churn", "2")
    assert registry.tags("churn-prod", "1") == tags


def test_copy_for_another_decision_is_another_version(registry):
    evidence = {"evidence": '{"it\'s": "50 %"}'}
    copies = [registry.copy("churn", "2", "churn-prod", {"decision": d, **evidence}) for d in ("d1", "d2", "d1")]

    assert copies == ["1", "2", "1"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda registry: registry.unpoint("unknown", "champion"),
        lambda registry: registry.model_tags("unknown"),
        lambda registry: registry.tag_model("unknown", "a", "b"),
        lambda registry: registry.tag_model("unknown", "a", None),
        lambda registry: registry.copy("unknown", "1", "prod", {"a": "b"}),
        lambda registry: registry.copy("churn", "99", "prod", {"a": "b"}),
        lambda registry: registry.version_of("unknown", "champion"),
        lambda registry: registry.digest("unknown", "1"),
        lambda registry: registry.digest("churn", "99"),
        lambda registry: registry.digest("churn", "x"),
        lambda registry: registry.tags("churn", "99"),
        lambda registry: registry.tag("churn", "99", {"a": "b"}),
        lambda registry: registry.point("churn", "champion", "99"),
        lambda registry: registry.point("unknown", "champion", "1"),
    ],
)
def test_what_does_not_exist_is_named(registry, ask):
    with pytest.raises(ConfigurationError, match=r"unknown|99|'x'"):
        ask(registry)


# What only MLflow does.


def test_digest_notices_artifacts_that_were_overwritten_after_registration(logged, store, tmp_path):
    artifacts = logged.folder / "artifacts" / "models" / logged.model_id / "artifacts"
    before, content = store.digest("churn", "3"), (artifacts / "MLmodel").read_bytes()
    try:
        (artifacts / "MLmodel").write_bytes(content + b"\n")
        assert store.digest("churn", "3") != before
    finally:
        (artifacts / "MLmodel").write_bytes(content)

    assert store.digest("churn", "3") == before
    assert list(tmp_path.glob("another.db")) == []


def files(folder, **contents):
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.parametrize(
    "other",
    [{"a": "1", "b": "3"}, {"a": "1", "c": "2"}, {"a": "1"}, {"a": "2", "b": "1"}, {"a": "1", "b": "2", "x__b": ""}],
)
def test_digest_depends_on_every_path_and_every_byte(tmp_path, other):
    one = files(tmp_path / "one", a="1", b="2")

    assert digest_of(one) == digest_of(files(tmp_path / "same", b="2", a="1"))
    assert digest_of(one) != digest_of(files(tmp_path / "other", **other))


def test_digest_leaves_out_what_a_download_adds_and_nothing_of_that_name_elsewhere(tmp_path):
    one, added = files(tmp_path / "one", a="1"), files(tmp_path / "added", a="1", registered_model_meta="new")
    deeper = files(tmp_path / "deeper", a="1", code__registered_model_meta="evil")

    assert digest_of(one) == digest_of(added) != digest_of(deeper)


def test_model_is_pinned_once_by_alias_version_or_latest(store):
    store.point("churn", "champion", "2")

    assert store.resolve("models:/churn@champion") == ("models:/churn/2", "churn", "2")
    assert store.resolve("models:/churn/1") == ("models:/churn/1", "churn", "1")
    assert store.resolve("models:/churn/latest") == ("models:/churn/3", "churn", "3")


@pytest.mark.parametrize("uri", ["runs:/abc/model", "/models/churn", "s3://bucket/churn", "models:/m-0123"])
def test_what_is_no_registered_model_has_neither_name_nor_version(store, uri):
    assert store.resolve(uri) == (uri, "", "")


@pytest.mark.parametrize(
    "uri, said",
    [
        ("models:/churn@champion", "model 'churn' has no alias 'champion': register a candidate"),
        ("models:/churn/99", "there is no 'models:/churn/99': model 'churn' has versions 3, 2, 1"),
        ("models:/churn/Production", "has versions 3, 2, 1"),
        ("models:/unknown/1", "model 'unknown' has versions none"),
        ("models:/unknown/latest", "model 'unknown' has versions none"),
        ("models:/unknown@champion", "has no model 'unknown'"),
        ("runs:/0123456789abcdef0123456789abcdef/model", "0123456789abcdef"),
        ("models:/m-0123", "m-0123"),
    ],
)
def test_model_that_does_not_exist_is_named_with_what_does(store, uri, said):
    with pytest.raises(ConfigurationError, match=said):
        store.load(uri)


def test_loaded_model_answers_as_the_one_that_was_logged(logged, store):
    model, original = store.load("models:/churn/2"), logged.models[1]

    assert (model.uri, model.name, model.version) == ("models:/churn/2", "churn", "2")
    assert model.digest == store.digest("churn", "2")
    assert list(model.inputs.items()) == [("calls", "double"), ("months", "double")]
    np.testing.assert_array_equal(model.predict(logged.rows), original.predict(logged.rows))
    np.testing.assert_array_equal(model.scores(logged.rows), original.predict_proba(logged.rows))


def test_columns_are_put_in_the_models_order_and_others_left_out(logged, store):
    model, shuffled = store.load("models:/churn/1"), logged.rows[["months", "calls"]].assign(late=1)

    np.testing.assert_array_equal(model.scores(shuffled), model.scores(logged.rows))


def test_signature_is_enforced(logged, store):
    with pytest.raises(Exception, match="months"):
        store.load("models:/churn/1").predict(logged.rows[["calls"]])


def test_model_without_a_signature_says_so_and_still_answers(logged, store):
    model = store.load("models:/churn/3")

    assert model.inputs is None
    assert model.predict(logged.rows).shape == (20,)
    assert model.scores(logged.rows).shape == (20, 2)


def test_model_that_reads_a_file_when_it_predicts_still_can_and_leaves_nothing_behind(
    logged, store, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = store.load("models:/late/1")

    assert list(model.predict(logged.rows[:2])) == [7, 7]
    assert model.scores(logged.rows) is None
    assert list(tmp_path.glob("mltest-model-*"))
    del model
    assert list(tmp_path.glob("mltest-model-*")) == []


def test_model_whose_flavour_hides_what_is_behind_it_gives_no_scores(logged, store, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow adds a model's code to it
    code = "class Model:\n    def predict(self, rows):\n        return [1] * len(rows)\n"
    files(tmp_path, **{"plain_loader.py": code + "def _load_pyfunc(path):\n    return Model()\n"})
    mlflow.pyfunc.save_model(
        str(tmp_path / "plain"),
        loader_module="plain_loader",
        code_paths=[str(tmp_path / "plain_loader.py")],
        pip_requirements=["mlflow"],
    )
    model = store.load(str(tmp_path / "plain"))

    assert list(model.predict(logged.rows[:2])) == [1, 1]
    assert model.scores(logged.rows) is None


def test_model_that_gives_numbers_gives_no_scores(logged, store, tmp_path):
    regression = LinearRegression().fit(logged.rows, logged.rows["calls"])
    mlflow.sklearn.save_model(regression, str(tmp_path / "regression"), pip_requirements=["scikit-learn"])
    model = store.load(str(tmp_path / "regression"))

    np.testing.assert_array_equal(model.predict(logged.rows), regression.predict(logged.rows))
    assert model.scores(logged.rows) is None


def test_version_whose_artifacts_were_deleted_is_named(logged, store, tmp_path):
    artifacts = logged.folder / "artifacts" / "models" / logged.model_id / "artifacts"
    shutil.move(artifacts, tmp_path / "aside")
    try:
        for ask in (lambda: store.digest("churn", "3"), lambda: store.load("models:/churn/3")):
            with pytest.raises(ConfigurationError, match="'models:/churn/3' has no files: were its artifacts deleted"):
                ask()
    finally:
        shutil.move(tmp_path / "aside", artifacts)


def test_model_can_come_from_a_run_from_its_id_or_from_a_folder(logged, store):
    folder = logged.folder / "artifacts" / "models" / logged.model_id / "artifacts"
    expected = store.digest("churn", "3")

    for uri in (f"runs:/{logged.run}/model", f"models:/{logged.model_id}", str(folder)):
        model = store.load(uri)
        assert (model.name, model.version, model.uri) == ("", "", uri)
        assert model.predict(logged.rows).shape == (20,)
        assert model.digest == expected, uri


def test_folder_that_holds_no_model_is_refused_and_leaves_nothing_behind(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files(tmp_path / "folder", a="1")
    with pytest.raises(ConfigurationError, match="folder' cannot be loaded"):
        store.load(str(tmp_path / "folder"))

    assert list(tmp_path.glob("mltest-model-*")) == []


def test_folder_that_does_not_exist_is_named(store, tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        store.load(str(tmp_path / "nowhere"))


def test_baseline_is_absent_only_where_the_alias_is(store):
    assert store.load_baseline("models:/churn@champion") is None
    store.point("churn", "champion", "1")

    assert store.load_baseline("models:/churn@champion").version == "1"
    with pytest.raises(ConfigurationError, match="unknown"):
        store.load_baseline("models:/unknown@champion")


def test_process_is_left_as_it_was(logged, store, tmp_path):
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    mlflow.set_tracking_uri(elsewhere)
    mlflow.set_registry_uri(elsewhere)
    try:
        before = dict(os.environ)
        store.load("models:/churn/1").predict(logged.rows)
        with pytest.raises(ConfigurationError):
            store.load("runs:/none/model")
        assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ)) == (
            elsewhere,
            elsewhere,
            before,
        )
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
        os.environ.pop("MLFLOW_REGISTRY_URI", None)

    assert not (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "another.db").exists()


def test_store_that_cannot_be_read_is_a_broken_run(tmp_path):
    files(tmp_path, **{"mlflow.db": "not a database, " * 100})
    with pytest.raises(BrokenRunError, match="did not answer for model 'churn': DatabaseError"):
        MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db").version_of("churn", "champion")


def test_password_of_a_database_is_not_told(tmp_path):
    registry = MlflowRegistry(f"sqlite://me:s3cret@/{tmp_path}/nowhere/mlflow.db")
    with pytest.raises(BrokenRunError, match="did not answer for model 'churn'") as caught:
        registry.version_of("churn", "champion")

    assert "s3cret" not in "".join(traceback.format_exception(caught.value)) + repr(registry)


def test_alias_that_mlflow_keeps_for_itself_is_refused(store):
    with pytest.raises(ConfigurationError, match="reserved"):
        store.point("churn", "latest", "1")


def test_mlflow_is_imported_only_when_it_is_used():
    code = (
        "import sys; from airflow_mltest.integrations.mlflow_registry import MlflowRegistry;"
        "MlflowRegistry('http://nowhere'); sys.exit('mlflow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
