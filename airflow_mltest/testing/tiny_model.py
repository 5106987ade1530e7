"""A model small enough to be trained by each test, and real enough to be gated, promoted and served."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.extras import extra

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """
    A registered model, and the rows that it was trained on.

    Args:
        name: Of the registered model.
        version: Its version, as MLflow writes it: "1".
        uri: `models:/name/version`.
        data: The rows; the inputs, and the column *target*.
        target: Name of the column that the model predicts, 0 or 1.
    """

    name: str
    version: str
    uri: str
    data: pd.DataFrame
    target: str

    @property
    def inputs(self) -> pd.DataFrame:
        """The rows without the target, as the model takes them."""
        return self.data.drop(columns=self.target)


def train_tiny_model(name: str = "tiny", *, seed: int = 0) -> TinyModel:
    """
    Train a logistic regression on invented rows, and register it with a signature where MLflow is.

    Customers who call often and have not been here for long leave; noise makes about one in six
    unpredictable. The same *seed* gives the same model; each call is a new version of *name*.

    Raises:
        MissingExtraError: MLflow or scikit-learn is not installed.
    """
    with warnings.catch_warnings():
        # What these libraries do to each other is not the test's to answer for.
        warnings.simplefilter("ignore")
        with extra("model", provides="mlflow"):
            import mlflow.sklearn
            from mlflow.models import infer_signature
        with extra("model", provides="sklearn"):
            from sklearn.linear_model import LogisticRegression
        data = _customers(seed)
        inputs = data.drop(columns="left")
        model = LogisticRegression().fit(inputs, data["left"])
        with mlflow.start_run(run_name=name, nested=True):
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name=name,
                signature=infer_signature(inputs, model.predict(inputs)),
                # Named, since finding them out takes MLflow a minute.
                pip_requirements=["mlflow", "scikit-learn"],
            )
    version = str(logged.registered_model_version)
    return TinyModel(name=name, version=version, uri=f"models:/{name}/{version}", data=data, target="left")


def _customers(seed: int) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    calls, months = random.gamma(2.0, 2.0, _ROWS), random.uniform(1.0, 48.0, _ROWS)
    left = calls - months / 10 + random.normal(size=_ROWS) > 1.5  # noqa: PLR2004
    return pd.DataFrame({"calls": calls, "months": months, "left": left.astype("int64")})
