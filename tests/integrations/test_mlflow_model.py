from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.mlflow_model import MlflowModel, unpacked

FROM_CODE = """
import mlflow
from pathlib import Path


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [float(Path(context.artifacts["limit"]).read_text())] * len(model_input)


mlflow.models.set_model(Model())
"""
LOADER = """
class Model:
    def predict(self, rows, params=None):
        return [0] * len(rows)


def _load_pyfunc(path):
    return Model()
"""
ROWS = pd.DataFrame({"calls": np.linspace(-1, 1, 50), "months": np.linspace(3, 1, 50)})
LATE = (ROWS["calls"] > 0).astype(int)


class Own(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.limit = float(Path(context.artifacts["limit"]).read_text())

    def predict(self, context, model_input, params=None):
        return (model_input["calls"] > self.limit).astype(int)


def answers_only(model_input):
    return (model_input["calls"] > 0).astype(int)


@pytest.fixture
def saved(tmp_path):
    """Saves a model in one of the ways that MLflow has, and loads it."""

    def make(way, **more):
        path, limit, common = tmp_path / way, tmp_path / "limit", {"pip_requirements": ["mlflow"], **more}
        limit.write_text("0.5")
        (tmp_path / "code.py").write_text(FROM_CODE)
        (tmp_path / "loader_of_mine.py").write_text(LOADER)
        regression = LogisticRegression().fit(ROWS, LATE)
        pyfunc = mlflow.pyfunc.save_model
        ways = {
            "sklearn": lambda: mlflow.sklearn.save_model(regression, str(path), **common),
            "instance": lambda: pyfunc(str(path), python_model=Own(), artifacts={"limit": str(limit)}, **common),
            "code": lambda: pyfunc(
                str(path), python_model=str(tmp_path / "code.py"), artifacts={"limit": str(limit)}, **common
            ),
            "function": lambda: pyfunc(str(path), python_model=answers_only, **common),
            "loader": lambda: pyfunc(
                str(path), loader_module="loader_of_mine", code_paths=[str(tmp_path / "loader_of_mine.py")], **common
            ),
        }
        ways[way]()
        return MlflowModel(uri=way, name="", version="", digest="", pyfunc=unpacked(path, way), folder=path)

    return make


@pytest.mark.parametrize("way", ["sklearn", "instance", "code", "function"])
def test_model_that_is_saved_anew_is_another_one_and_answers_the_same(saved, way):
    model = saved(way, signature=infer_signature(ROWS, LATE))
    with model.again() as other:
        assert other.pyfunc is not model.pyfunc
        assert other.inputs == model.inputs
        assert np.array_equal(np.asarray(other.predict(ROWS)), np.asarray(model.predict(ROWS)))
        assert (other.scores(ROWS) is None) == (way != "sklearn")
        assert "saved anew" in other.uri

    assert not other.folder.exists()


@pytest.mark.parametrize("form", ["cloudpickle", "pickle", "skops"])
def test_scikit_learn_saves_it_in_the_format_that_it_had(saved, form):
    with saved("sklearn", serialization_format=form).again() as other:
        assert other.pyfunc.metadata.flavors["sklearn"]["serialization_format"] == form


def test_what_pyfunc_calls_stays_the_same(saved):
    with saved("sklearn", pyfunc_predict_fn="predict_proba").again() as other:
        assert other.predict(ROWS).shape == (len(ROWS), 2)


def test_model_that_its_loader_does_not_give_out_cannot_be_saved(saved):
    with pytest.raises(ConfigurationError, match="loader_of_mine does not give out the model"), saved("loader").again():
        pass


def test_time_is_that_of_saving_and_aware(saved):
    made = saved("sklearn").created_at

    assert timedelta(0) <= datetime.now(UTC) - made < timedelta(minutes=5)


@pytest.mark.parametrize("said, known", [("2026-01-02T03:04:05+02:00", True), ("yesterday", False), (None, False)])
def test_time_that_is_not_said_is_not_known(saved, said, known):
    model = saved("sklearn")
    model.pyfunc.metadata.utc_time_created = said

    assert (model.created_at is not None) is known
