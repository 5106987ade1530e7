"""MLflow: models by name, version and alias."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

_REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")
# Two tries: MLflow's own seven take four minutes to say that a server is down.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class MlflowRegistry:
    """
    The registry of one MLflow, a server's or a database's.

    Args:
        tracking_uri: `http://...`, `sqlite:////...`, as MLflow takes it.
        credentials: Variables that MLflow reads at each request, such as
            `MLFLOW_TRACKING_USERNAME`; in force during calls only.
    """

    def __init__(self, tracking_uri: str, credentials: Mapping[str, str] | None = None) -> None:
        self.tracking_uri = tracking_uri
        self._credentials = dict(credentials or {})

    def version_of(self, model: str, alias: str) -> str | None:
        """Say to which version *alias* points; None when the model exists and the alias does not."""
        with self._client(f"model {model!r}") as client:
            # By the model: asking for an alias that is not there is an "invalid parameter".
            version = client.get_registered_model(model).aliases.get(alias)
        return None if version is None else str(version)

    def versions(self, model: str) -> list[str]:
        """List the versions of *model*, newest first; empty when there is no such model."""
        quoted = model.replace("'", "")
        with self._client(f"model {model!r}") as client:
            found = client.search_model_versions(f"name = '{quoted}'", max_results=10_000)
        return sorted((str(version.version) for version in found if version.name == model), key=int, reverse=True)

    def tags(self, model: str, version: str) -> dict[str, str]:
        """Give the tags of a version."""
        with self._client(f"model {model!r} version {version!r}") as client:
            return dict(client.get_model_version(model, version).tags)

    def tag(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Set several tags of a version; those that it has otherwise stay."""
        with self._client(f"model {model!r} version {version!r}") as client:
            for key, value in tags.items():
                client.set_model_version_tag(model, version, key, value)

    def point(self, model: str, alias: str, version: str) -> None:
        """Let *alias* point at *version*, wherever it pointed before."""
        with self._client(f"model {model!r} version {version!r}") as client:
            client.set_registered_model_alias(model, alias, version)

    def digest(self, model: str, version: str) -> str:
        """Hash the version's artifacts: `sha256:` and 64 hex digits, the same wherever they lie."""
        self.tags(model, version)
        with tempfile.TemporaryDirectory(prefix="mltest-model-") as folder:
            return digest_of(self._download(f"models:/{model}/{version}", folder))

    def resolve(self, uri: str) -> tuple[str, str, str]:
        """
        Pin *uri* to a version, so that all that follows speaks of the same one.

        Returns:
            The pinned URI, the model's name and the version; the last two empty for a URI that
            names no registered model.

        Raises:
            ConfigurationError: There is no such model, alias or version.
        """
        match = _REGISTERED.fullmatch(uri)
        if not match or (match["version"] or "").startswith("m-"):
            return uri, "", ""
        name, alias, version = match["name"], match["alias"], match["version"]
        if alias:
            version = self.version_of(name, alias)
            if version is None:
                msg = f"model {name!r} has no alias {alias!r}: register a candidate and give it this alias first."
                raise ConfigurationError(msg)
        elif version == "latest":
            version = next(iter(self.versions(name)), None)
        if not version or version not in self.versions(name):
            msg = f"there is no {uri!r}: model {name!r} has versions {', '.join(self.versions(name)) or 'none'}."
            raise ConfigurationError(msg)
        return f"models:/{name}/{version}", name, version

    def load(self, uri: str) -> MlflowModel:
        """
        Load a model as production does, through its pyfunc flavour.

        Loading runs the code that the model's author saved with it, in this process.

        Raises:
            ConfigurationError: There is no such model, or it cannot be loaded here.
            BrokenRunError: MLflow cannot be reached.
        """
        pinned, name, version = self.resolve(uri)
        with tempfile.TemporaryDirectory(prefix="mltest-model-", ignore_cleanup_errors=True) as folder:
            local = self._download(pinned, folder)
            digest = digest_of(local)
            with extra("model", provides="mlflow"), _environment(_ENVIRONMENT):
                import mlflow.pyfunc
            try:
                model = mlflow.pyfunc.load_model(str(local))
            except Exception as error:
                msg = f"model {pinned!r} cannot be loaded: {type(error).__name__}: {error}"
                raise ConfigurationError(msg) from error
        return MlflowModel(uri=pinned, name=name, version=version, digest=digest, pyfunc=model)

    def load_baseline(self, uri: str) -> MlflowModel | None:
        """Load the model to compare with; None when *uri* names an alias that its model does not have yet."""
        match = _REGISTERED.fullmatch(uri)
        if match and match["alias"] and self.version_of(match["name"], match["alias"]) is None:
            return None
        return self.load(uri)

    def _download(self, uri: str, folder: str) -> Path:
        with self._client(repr(uri)):
            from mlflow.artifacts import download_artifacts

            return Path(download_artifacts(uri, dst_path=folder, tracking_uri=self.tracking_uri))

    @contextmanager
    def _client(self, subject: str) -> Iterator[Any]:
        """Give a client, and turn what MLflow raises into what it means for *subject*."""
        with _environment({**_ENVIRONMENT, **self._credentials, "MLFLOW_TRACKING_URI": self.tracking_uri}):
            with extra("model", provides="mlflow"):
                from mlflow import MlflowClient
                from mlflow.exceptions import MlflowException
            logging.getLogger("mlflow").setLevel(logging.WARNING)
            try:
                yield MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)
            except MlflowException as error:
                where = f"MLflow at {_shown(self.tracking_uri)}"
                said = _shown(error.message)
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    msg = f"{where} has no {subject}: {said}"
                    raise ConfigurationError(msg) from error
                msg = f"{where} did not answer for {subject}: {error.error_code}: {said}"
                raise BrokenRunError(msg) from error


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
    """

    uri: str
    name: str
    version: str
    digest: str
    pyfunc: Any

    @property
    def inputs(self) -> dict[str, str] | None:
        """The columns of the signature and their types, in order; None without a signature."""
        schema = self.pyfunc.metadata.get_input_schema()
        if schema is None or not schema.has_input_names():
            return None
        return {column.name: getattr(column.type, "name", str(column.type)) for column in schema.inputs}

    def predict(self, rows: Any) -> np.ndarray:
        """Answer n rows through pyfunc, with the signature enforced; shape (n,)."""
        import numpy as np

        answers = np.asarray(self.pyfunc.predict(rows))
        # A model that answers with a table of one column answers with that column.
        return answers[:, 0] if answers.ndim == 2 and answers.shape[1] == 1 else answers  # noqa: PLR2004

    def scores(self, rows: Any) -> np.ndarray | None:
        """Give probabilities of the model behind pyfunc, shape (n, classes); None if it has none."""
        import numpy as np

        raw_model = getattr(self.pyfunc, "get_raw_model", None)
        probabilities = getattr(raw_model() if raw_model else None, "predict_proba", None)
        if probabilities is None:
            return None
        return np.asarray(probabilities(rows[list(self.inputs)] if self.inputs else rows))


def digest_of(folder: Path) -> str:
    """
    Hash what a model consists of: the path and content of each file.

    Returns:
        `sha256:` and 64 hex digits; without `registered_model_meta`, which a download adds.
    """
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "registered_model_meta"):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the body: MLflow reads some of its settings nowhere else."""
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


def _shown(text: str) -> str:
    """Leave out the passwords of URIs."""
    return re.sub(r"//[^/@\s]*@", "//", text)
