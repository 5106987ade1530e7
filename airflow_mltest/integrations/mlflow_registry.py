"""MLflow: models by name, version and alias."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import sys
import tempfile
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra
from airflow_mltest.integrations.mlflow_model import MlflowModel, environment, quietly, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")
# Two tries: with MLflow's own eight it takes four minutes to learn that a server is down.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "6"}
# A file may lie in a slow place behind a server that has just answered.
_PATIENCE_WITH_FILES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_NO_SUCH = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
_NOT_ALLOWED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}


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
        self.tags(model, version)  # says at once that there is no such version, or no server
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
        folder = tempfile.mkdtemp(prefix="mltest-model-")
        try:
            local = self._download(pinned, folder)
            digest = digest_of(local)
            model = unpacked(local, pinned)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        # Not before: a model may read its files when it predicts.
        weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
        return MlflowModel(uri=pinned, name=name, version=version, digest=digest, pyfunc=model, folder=local)

    def load_baseline(self, uri: str) -> MlflowModel | None:
        """Load the model to compare with; None when *uri* names an alias that its model does not have yet."""
        match = _REGISTERED.fullmatch(uri)
        if match and match["alias"] and self.version_of(match["name"], match["alias"]) is None:
            return None
        return self.load(uri)

    def _download(self, uri: str, folder: str) -> Path:
        with self._client(repr(uri), _PATIENCE_WITH_FILES):
            from mlflow.artifacts import download_artifacts

            local = Path(download_artifacts(uri, dst_path=folder, tracking_uri=self.tracking_uri))
        # MLflow takes a folder that is not there for an empty one; any two of them have one digest.
        if not any(path.is_file() for path in local.rglob("*")):
            msg = f"model {uri!r} has no files: were its artifacts deleted? Register it again."
            raise ConfigurationError(msg)
        return local

    @contextmanager
    def _client(self, subject: str, patience: Mapping[str, str] = _PATIENCE) -> Iterator[Any]:
        """Give a client, and turn what MLflow raises into what it means for *subject*."""
        chosen = {key: value for key, value in patience.items() if key not in os.environ}
        with environment({**quietly(), **chosen, **self._credentials}), _addressed(self.tracking_uri):
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException

            where = f"MLflow at {_shown(self.tracking_uri)}"
            try:
                yield MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)
            except MlflowException as error:
                said = _shown(error.message)
                if error.error_code in _NO_SUCH:
                    msg = f"{where} has no {subject}, or cannot do this with it: {said}"
                    raise ConfigurationError(msg) from error
                if error.error_code in _NOT_ALLOWED:
                    msg = f"{where} does not let this user at {subject}, check the connection's credentials: {said}"
                    raise ConfigurationError(msg) from error
                msg = f"{where} did not answer for {subject}: {error.error_code}: {said}"
                raise BrokenRunError(msg) from error
            except Exception as error:
                # What its database driver, HTTP client or file system raises.
                msg = f"{where} did not answer for {subject}: {type(error).__name__}: {_shown(str(error))}"
                raise BrokenRunError(msg) from error


def digest_of(folder: Path) -> str:
    """
    Hash what a model consists of: the path and content of each file.

    Returns:
        `sha256:` and 64 hex digits; without `registered_model_meta`, which a download adds.
    """
    whole = hashlib.sha256()
    added = folder / "registered_model_meta"
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != added):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"


@contextmanager
def _addressed(uri: str) -> Iterator[None]:
    """
    Let all of MLflow speak to *uri* in the body, and to whom it spoke before after it.

    A download asks MLflow's own idea of where it is, whatever it is told; `set_tracking_uri` would
    leave that idea changed.
    """
    with extra("model", provides="mlflow"):
        import mlflow
        from mlflow.tracking._model_registry import utils as registry
        from mlflow.tracking._tracking_service import utils as tracking
    logging.getLogger(mlflow.__name__).setLevel(logging.WARNING)
    before = tracking._tracking_uri, registry._registry_uri  # noqa: SLF001  they have no public reset
    tracking._tracking_uri = registry._registry_uri = uri  # noqa: SLF001
    try:
        with environment({"MLFLOW_TRACKING_URI": uri, "MLFLOW_REGISTRY_URI": uri}):
            yield
    finally:
        tracking._tracking_uri, registry._registry_uri = before  # noqa: SLF001


def _forget_connections() -> None:
    """In a process that was forked: leave the connections of MLflow's stores to the one that opened them."""
    for kind in ("tracking", "model_registry"):
        store = getattr(sys.modules.get(f"mlflow.store.{kind}.sqlalchemy_store"), "SqlAlchemyStore", None)
        for engine in getattr(store, "_engine_map", {}).values():
            engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)


def _shown(text: str) -> str:
    """Leave out the passwords of the URIs in a text."""
    return re.sub(r"//[^/@\s]*@", "//", text)
