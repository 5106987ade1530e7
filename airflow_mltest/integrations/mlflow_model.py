"""MLflow: a model that has been loaded, what it takes, and whether it can be saved again."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import tempfile
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
# Variables are the process's: a second thread's would send one registry's password to another.
_ALONE = threading.RLock()
_OWN_CODE = {"mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model"}
# What of an MLmodel file says how the flavour has saved it, and is told it again.
_AS_BEFORE = ("serialization_format", "skops_trusted_types", "model_format")


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowModel:
    """
    A loaded model.

    Args:
        uri: Pinned to its version.
        name: The registered model; empty when it is none.
        version: Its version; empty when it has none.
        digest: Of its artifacts.
        pyfunc: What MLflow loaded.
        folder: Where its files lie, as long as *pyfunc* lives.
    """

    uri: str
    name: str
    version: str
    digest: str
    pyfunc: Any
    folder: Path

    @property
    def inputs(self) -> dict[str, str] | None:
        """The columns of the signature and their types, in order; None without a signature."""
        schema = self.pyfunc.metadata.get_input_schema()
        if schema is None or not schema.has_input_names():
            return None
        return {column.name: getattr(column.type, "name", str(column.type)) for column in schema.inputs}

    @property
    def created_at(self) -> datetime | None:
        """When it was saved, aware; None if its MLmodel file does not say."""
        try:
            made = datetime.fromisoformat(str(self.pyfunc.metadata.utc_time_created))
        except (AttributeError, ValueError):
            return None
        return made if made.tzinfo else made.replace(tzinfo=UTC)

    def predict(self, rows: Any) -> Any:
        """Answer n rows through pyfunc, with the signature enforced."""
        return self.pyfunc.predict(rows)

    def scores(self, rows: Any) -> np.ndarray | None:
        """Give probabilities of the model behind pyfunc, shape (n, classes); None if it has none."""
        import numpy as np

        try:
            behind = self.pyfunc.get_raw_model()
        except NotImplementedError:  # the flavour hides it
            return None
        if not hasattr(behind, "predict_proba"):
            return None
        return np.asarray(behind.predict_proba(rows[list(self.inputs)] if self.inputs else rows))

    @contextmanager
    def again(self) -> Iterator[MlflowModel]:
        """
        Save it anew as its author did, and load what was saved, as long as the body runs.

        What is saved is the model in memory, by the `save_model` of its own flavour; of a model from
        code, the code and the artifacts. To copy the files it came from would show nothing.

        Raises:
            ConfigurationError: Its flavour cannot save what it has loaded.
        """
        with tempfile.TemporaryDirectory(prefix="mltest-again-") as folder:
            path = Path(folder) / "model"
            with environment(quietly()), _silence():
                import mlflow.pyfunc

                self._save(path)
                loaded = mlflow.pyfunc.load_model(str(path))
            yield MlflowModel(uri=f"{self.uri} saved anew", name="", version="", digest="", pyfunc=loaded, folder=path)

    def _save(self, path: Path) -> None:
        import mlflow.pyfunc

        about = self.pyfunc.metadata
        how = about.flavors["python_function"]
        # Named, since finding them out takes MLflow a minute.
        common = {"path": str(path), "signature": about.signature, "pip_requirements": ["mlflow"]}
        if how["loader_module"] in _OWN_CODE:
            code = how.get("model_code_path")
            context = self.pyfunc._model_impl.context  # noqa: SLF001  it has no public word for its artifacts
            mlflow.pyfunc.save_model(
                python_model=str(self.folder / code) if code else self.pyfunc.unwrap_python_model(),
                artifacts=dict(context.artifacts) or None,
                model_config=how.get("config"),
                **common,
            )
            return
        try:
            behind = self.pyfunc.get_raw_model()
            save = importlib.import_module(how["loader_module"]).save_model
        except (NotImplementedError, AttributeError) as error:
            msg = f"{self.uri} cannot be saved anew: {how['loader_module']} does not give out the model that it loads."
            raise ConfigurationError(msg) from error
        said = about.flavors.get(how["loader_module"].rpartition(".")[2], {})
        more = {key: said[key] for key in _AS_BEFORE if said.get(key) is not None}
        more |= {"pyfunc_predict_fn": how["predict_fn"]} if "predict_fn" in how else {}
        taken = inspect.signature(save).parameters
        save(behind, **common, **{key: value for key, value in more.items() if key in taken})


@contextmanager
def _silence() -> Iterator[None]:
    """Keep to itself what MLflow advises whoever saves a model."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def unpacked(local: Path, uri: str) -> Any:
    """
    Let MLflow make a model of its files.

    Raises:
        ConfigurationError: It cannot.
    """
    with environment(quietly()):
        import mlflow.pyfunc

    try:
        return mlflow.pyfunc.load_model(str(local))
    except Exception as error:
        msg = f"model {uri!r} cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error


def quietly() -> dict[str, str]:
    """Give the variables that keep MLflow quiet, but for those that somebody has set."""
    return {key: value for key, value in QUIET.items() if key not in os.environ}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the body: MLflow reads some of its settings nowhere else."""
    with _ALONE:
        before = {key: os.environ.get(key) for key in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value
