"""MLflow: models by name, version and alias."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import weakref
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, MltestError
from airflow_mltest.integrations.mlflow_access import MlflowAccess, code_of, load_mlflow, meaning
from airflow_mltest.integrations.mlflow_client import MlflowServer, Tag
from airflow_mltest.integrations.mlflow_model import MlflowModel, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")
_AT_MOST = 10_000  # versions of one model
# What a search takes: it has no way to write a quote.
_SEARCHABLE = re.compile("[^'\"`]{1,100}")


class MlflowRegistry:
    """
    The registry of one MLflow, a server's or a database's.

    Args:
        tracking_uri: `http://...`, `sqlite:////...`, as MLflow takes it; a user and a password in a
            server's are taken out of it, and used.
        access: How to get in; what it leaves out is as MLflow's own variables say.
    """

    def __init__(self, tracking_uri: str, access: MlflowAccess | None = None) -> None:
        access, self._is_server = access or MlflowAccess(), tracking_uri.startswith(("http://", "https://"))
        if self._is_server:
            tracking_uri, access = _without_user(tracking_uri, access)
        self.tracking_uri = tracking_uri
        self._access = access.complete()

    def version_of(self, model: str, alias: str) -> str | None:
        """Say to which version *alias* points; None when the model exists and the alias does not."""
        with self.asked(f"model {model!r}") as store:
            # By the model: asking for an alias that is not there is an "invalid parameter".
            version = store.get_registered_model(model).aliases.get(alias)
        return None if version is None else str(version)

    def versions(self, model: str) -> list[str]:
        """List the versions of *model*, newest first; empty when there is no such model."""
        return sorted((str(version.version) for version in self._found(model)), key=int, reverse=True)

    def tags(self, model: str, version: str) -> dict[str, str]:
        """Give the tags of a version."""
        with self.asked(f"model {model!r} version {version!r}") as store:
            return dict(store.get_model_version(model, version).tags)

    def tag(self, model: str, version: str, tags: Mapping[str, str]) -> None:
        """Set several tags of a version, one after the other; those that it has otherwise stay."""
        for key, value in tags.items():
            with self.asked(f"model {model!r} version {version!r} (tag {key!r})", writes=True) as store:
                store.set_model_version_tag(model, version, Tag(key, value))

    def point(self, model: str, alias: str, version: str) -> None:
        """Let *alias* point at *version*, wherever it pointed before."""
        with self.asked(f"model {model!r} version {version!r} (alias {alias!r})", writes=True) as store:
            store.set_registered_model_alias(model, alias, version)

    def unpoint(self, model: str, alias: str) -> None:
        """Let *alias* point nowhere; it may do so already."""
        with self.asked(f"model {model!r} (alias {alias!r})", writes=True) as store:
            store.delete_registered_model_alias(model, alias)

    def model_tags(self, model: str) -> dict[str, str]:
        """Give the tags of the model itself."""
        with self.asked(f"model {model!r}") as store:
            return dict(store.get_registered_model(model).tags)

    def tag_model(self, model: str, key: str, value: str | None) -> None:
        """Set a tag of the model itself; None takes it away, where it is there."""
        with self.asked(f"model {model!r} (tag {key!r})", writes=True) as store:
            if value is None:
                store.delete_registered_model_tag(model, key)
            else:
                store.set_registered_model_tag(model, Tag(key, value))

    def copy(self, model: str, version: str, to: str, tags: Mapping[str, str]) -> str:
        """
        Make a version of the model *to* that has the artifacts of a version, and give its number.

        A version of *to* that has all of *tags* already, and is of the same origin, is the copy:
        also one that was made by a request whose answer was lost.

        Raises:
            ConfigurationError: There is no such version.
            BrokenRunError: It could not be made, or nobody knows; to ask again makes no second one.
        """
        with self.asked(f"model {model!r} version {version!r}") as store:
            run = store.get_model_version(model, version).run_id
        source = f"models:/{model}/{version}"
        if made := self._copy_of(source, to, tags):
            return made
        self._make(to)
        try:
            with self.asked(f"model {to!r} (copy of {source!r})", writes=True) as store:
                return str(store.create_model_version(to, source, run, [Tag(*tag) for tag in tags.items()]).version)
        except BrokenRunError:
            if made := self._copy_of(source, to, tags):
                return made
            raise

    def digest(self, model: str, version: str) -> str:
        """Hash the version's artifacts: `sha256:` and 64 hex digits, the same wherever they lie."""
        with tempfile.TemporaryDirectory(prefix="mltest-model-") as folder:
            return digest_of(self._download(f"models:/{model}/{version}", folder, model, version))

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
            local = self._download(pinned, folder, name, version)
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

    def _found(self, model: str, more: str = "") -> list[Any]:
        """Find the versions of a model; *more* narrows the search down."""
        quoted = model.replace("'", "")
        with self.asked(f"model {model!r}") as store:
            found = store.search_model_versions(f"name = '{quoted}'{more}", _AT_MOST)
        return [version for version in found if version.name == model]

    def _copy_of(self, source: str, to: str, tags: Mapping[str, str]) -> str | None:
        """Find the version of *to* that was made of *source* with these tags; the first, if there are several."""
        simple = (item for item in tags.items() if all(_SEARCHABLE.fullmatch(text) for text in item))
        found = self._found(to, "".join(f" AND tags.`{key}` = '{value}'" for key, value in simple))
        copies = [one for one in found if one.source == source and tags.items() <= dict(one.tags).items()]
        return min((str(one.version) for one in copies), key=int, default=None)

    def _make(self, model: str) -> None:
        """Make a model where there is none; somebody else may do the same."""
        with self.asked(f"model {model!r}", writes=True) as store:
            try:
                store.get_registered_model(model)
            except Exception as error:
                if code_of(error) != "RESOURCE_DOES_NOT_EXIST":
                    raise
            else:
                return
            try:
                store.create_registered_model(model)
            except Exception as error:
                if code_of(error) != "RESOURCE_ALREADY_EXISTS":
                    raise

    def _download(self, uri: str, folder: str, name: str, version: str) -> Path:
        place = uri
        if name:
            # Asked for with little patience: that there is such a version, and a server.
            with self.asked(f"model {name!r} version {version!r}") as store:
                place = store.get_model_version_download_uri(name, version)
        with self._translated(repr(uri)), self._access.in_force(self.tracking_uri):
            from mlflow.artifacts import download_artifacts
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            if name:
                there = get_artifact_repository(place, tracking_uri=self.tracking_uri)
                local = Path(there.download_artifacts("", dst_path=folder))
            else:
                local = Path(download_artifacts(uri, dst_path=folder, tracking_uri=self.tracking_uri))
        # MLflow takes a folder that is not there for an empty one; any two of them have one digest.
        if not any(path.is_file() for path in local.rglob("*")):
            msg = f"model {uri!r} has no files: were its artifacts deleted? Register it again."
            raise ConfigurationError(msg)
        return local

    @contextmanager
    def asked(self, subject: str, *, writes: bool = False) -> Iterator[Any]:
        """Give a store, and turn what it raises into what it means for *subject*."""
        with self._translated(subject, writes=writes):
            yield self._store

    @contextmanager
    def _translated(self, subject: str, *, writes: bool = False) -> Iterator[None]:
        try:
            yield
        except MltestError:
            raise
        except Exception as error:  # noqa: BLE001  what MLflow, its database driver, HTTP client or file system raises
            where, said = (
                f"MLflow at {self._access.without_secrets(self.tracking_uri)}",
                self._access.without_secrets(getattr(error, "message", str(error))),
            )
            # Without its cause: that shows addresses and answers, and what is secret in them.
            raise meaning(error, where=where, subject=subject, said=said, writes=writes) from None

    @cached_property
    def _store(self) -> Any:
        if self._is_server:
            return MlflowServer(self.tracking_uri, self._access)
        load_mlflow()
        from mlflow.tracking._model_registry.utils import _get_store

        return _get_store(self.tracking_uri, self.tracking_uri)


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


def _forget_connections() -> None:
    """In a process that was forked: leave the connections of MLflow's stores to the one that opened them."""
    for kind in ("tracking", "model_registry"):
        store = getattr(sys.modules.get(f"mlflow.store.{kind}.sqlalchemy_store"), "SqlAlchemyStore", None)
        for engine in getattr(store, "_engine_map", {}).values():
            engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)


def _without_user(uri: str, access: MlflowAccess) -> tuple[str, MlflowAccess]:
    """Take user and password out of a server's URI: it is shown, and passed on."""
    parts = urlsplit(uri)
    if not parts.username:
        return uri, access
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if access.username or access.token:
        return plain, access
    return plain, replace(access, username=unquote(parts.username), password=unquote(parts.password or ""))
