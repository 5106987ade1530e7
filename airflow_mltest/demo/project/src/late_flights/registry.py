"""Hand a trained model to MLflow, as a new version that asks to be released."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_flights.features import CATEGORIES, INPUTS, NUMBERS

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature
    from sklearn.pipeline import Pipeline

EXPERIMENT = "late-flights"
ALIAS = "candidate"
REQUIREMENTS = ["mlflow", "numpy", "pandas", "scikit-learn", "skops"]

# What the boosted trees are made of, besides what skops trusts by itself.
TRUSTED_TYPES = [
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
]


def register(
    model: Pipeline, name: str, *, example: pd.DataFrame, params: dict[str, Any], metrics: dict[str, float]
) -> str:
    """
    Log *model* with its parameters and metrics, and register it as the version of *name* that ALIAS points to.

    Args:
        example: Features, of which the first two rows are kept beside the model as an example.

    Returns:
        The new version's number.
    """
    import mlflow

    _choose_experiment()
    with mlflow.start_run():
        mlflow.log_params(params)
        mlflow.log_metrics(metrics)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=name,
            signature=_signature(),
            input_example=example[INPUTS].head(2),
            # Named, since finding them out takes MLflow a minute.
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
            skops_trusted_types=TRUSTED_TYPES,
        )
    number = str(logged.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(name, ALIAS, number)
    return number


def _signature() -> ModelSignature:
    """Say that any number may be missing, but no column may: inferred, it would depend on the example's gaps."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    texts = [ColSpec("string", name) for name in CATEGORIES]
    numbers = [ColSpec("double", name) for name in NUMBERS]
    return ModelSignature(Schema(texts + numbers), Schema([TensorSpec(np.dtype("int64"), (-1,))]))


def _choose_experiment() -> None:
    """Make the experiment on first use; beside a SQLite file go its artifacts, not into whatever folder we run in."""
    import mlflow

    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, artifact_location=_artifact_location(mlflow.get_tracking_uri()))
    mlflow.set_experiment(EXPERIMENT)


def _artifact_location(tracking_uri: str) -> str | None:
    if not tracking_uri.startswith("sqlite:///"):
        return None  # a server knows its own
    database = tracking_uri.removeprefix("sqlite:///").partition("?")[0]
    return (Path(database).resolve().parent / "artifacts").as_uri()
