"""MLflow: a server's registry, over HTTP."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from airflow_mltest.integrations.mlflow_access import MlflowAccess

_PAUSE_S, _SOON_S = 0.5, 0.1
_TRANSIENT = {408, 429, 500, 502, 503, 504}


class Tag(NamedTuple):
    """A tag as MLflow's stores take it."""

    key: str
    value: str


class AnswerError(Exception):
    """
    A server's no, or its silence.

    Args:
        message: What was said.
        code: As MLflow has it, or what stands for it.
        maybe: Whether what was asked for may have been carried out all the same.
        passing: Whether the next one to ask may be luckier.
    """

    def __init__(self, message: str, *, code: str, maybe: bool = False, passing: bool = False) -> None:
        super().__init__(message)
        self.error_code, self.message, self.maybe, self.passing = code, message, maybe, passing


class RegisteredModel(NamedTuple):
    """A model, as far as it is needed."""

    name: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]


class ModelVersion(NamedTuple):
    """A version of a model, as far as it is needed."""

    name: str
    version: str
    source: str
    run_id: str
    tags: Mapping[str, str]
    creation_timestamp: int


class Page(list[ModelVersion]):
    """
    Some of what was found, as MLflow's stores give it.

    Args:
        found: The versions.
        token: Of the next page; empty: there is none.
    """

    def __init__(self, found: Iterable[ModelVersion], token: str) -> None:
        super().__init__(found)
        self.token = token


class MlflowServer:
    """
    The registry of a server: what MLflow's own stores can do, under the same names.

    MLflow's client has neither credentials nor patience of its own, sends again what may have been
    carried out, and takes seconds to import.

    Args:
        uri: `http://...` or `https://...`.
        access: How to get in, complete.
    """

    def __init__(self, uri: str, access: MlflowAccess) -> None:
        self._api = f"{uri.rstrip('/')}/api/2.0/mlflow"
        self._access = access
        self._timeout_s, self._max_retries = access.timeout_s or 0.0, access.max_retries or 0

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Give a model."""
        model = self._ask("GET", "registered-models/get", name=name)["registered_model"]
        aliases = {alias["alias"]: alias["version"] for alias in model.get("aliases", ())}
        return RegisteredModel(model["name"], aliases, _tags(model))

    def search_model_versions(
        self, filter_string: str, max_results: int, order_by: Sequence[str] = (), page_token: str | None = None
    ) -> Page:
        """Find versions, in MLflow's own language."""
        asked = {"filter": filter_string, "order_by": order_by, "page_token": page_token}
        given = {key: value for key, value in asked.items() if value}
        found = self._ask("GET", "model-versions/search", max_results=max_results, **given)
        return Page(map(_version, found.get("model_versions", ())), found.get("next_page_token", ""))

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """Give a version."""
        return _version(self._ask("GET", "model-versions/get", name=name, version=version)["model_version"])

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Say where the artifacts of a version are."""
        return str(self._ask("GET", "model-versions/get-download-uri", name=name, version=version)["artifact_uri"])

    def set_model_version_tag(self, name: str, version: str, tag: Tag) -> None:
        """Set a tag of a version."""
        self._ask("POST", "model-versions/set-tag", name=name, version=version, key=tag.key, value=tag.value)

    def set_registered_model_tag(self, name: str, tag: Tag) -> None:
        """Set a tag of a model."""
        self._ask("POST", "registered-models/set-tag", name=name, key=tag.key, value=tag.value)

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Take a tag away from a model."""
        self._ask("DELETE", "registered-models/delete-tag", name=name, key=key)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias point at a version."""
        self._ask("POST", "registered-models/alias", name=name, alias=alias, version=version)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Let an alias point nowhere."""
        self._ask("DELETE", "registered-models/alias", name=name, alias=alias)

    def create_registered_model(self, name: str) -> None:
        """Make a model without versions."""
        self._ask("POST", "registered-models/create", name=name)

    def create_model_version(self, name: str, source: str, run_id: str | None, tags: Iterable[Tag]) -> ModelVersion:
        """Make a version of what lies at *source*."""
        body = {"name": name, "source": source, "run_id": run_id, "tags": [tag._asdict() for tag in tags]}
        return _version(self._ask("POST", "model-versions/create", **body)["model_version"])

    def _ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Ask, and again only if the first time has changed nothing."""
        end_s = time.monotonic() + self._timeout_s
        for pause_s in self._pauses():
            try:
                return self._ask_once(method, path, body, end_s - time.monotonic())
            except AnswerError as error:
                if error.maybe or not error.passing or time.monotonic() + pause_s >= end_s:
                    raise
            time.sleep(pause_s)
        raise AssertionError  # the last pause is without end

    def _pauses(self) -> Iterator[float]:
        yield from (_PAUSE_S * 2**number for number in range(self._max_retries))
        yield float("inf")

    def _ask_once(self, method: str, path: str, body: dict[str, Any], left_s: float) -> dict[str, Any]:
        with extra("registry", provides="requests"):
            import requests

        access, left_s, writes = self._access, max(left_s, _SOON_S), method != "GET"
        said: dict[str, Any] = {"json": body} if writes else {"params": body}
        ask = partial(
            requests.request,
            method,
            f"{self._api}/{path}",
            # Given, so that a .netrc file is not asked for somebody else's.
            auth=_signature(access),
            verify=access.verify,
            cert=access.client_cert or None,
            timeout=(left_s / 2, left_s),
            # It would take the credentials along, and make a GET of what was to be written.
            allow_redirects=False,
            **said,
        )
        try:
            answer = _within(left_s, ask)
        except TimeoutError:
            msg = f"no whole answer in {left_s:.1f} s"
            raise AnswerError(msg, code="TIMEOUT", maybe=writes, passing=True) from None
        except OSError as error:  # those of requests are, too
            msg, maybe = str(error), writes and not _never_sent(error)
            raise AnswerError(msg, code=type(error).__name__, maybe=maybe, passing=True) from None
        return _read(answer, writes=writes)


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """
    Carry out a call, and leave it to itself if it takes too long.

    A timeout of sockets begins anew with each byte, and there is none for the search for an address.
    """
    ended: Future[Any] = Future()

    def carry_out() -> None:
        try:
            ended.set_result(call())
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            ended.set_exception(error)

    threading.Thread(target=carry_out, name="mltest-mlflow", daemon=True).start()
    return ended.result(timeout=seconds)


def _signature(access: MlflowAccess) -> Any:
    """Say who asks, in a way that requests understands; None lets a .netrc file say it."""
    if access.username and access.password:
        return access.username.encode(), access.password.encode()
    if not access.token:
        return None

    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {access.token}"
        return request

    return sign


def _never_sent(error: OSError) -> bool:
    """Whether a request has certainly not reached the server: there was no connection."""
    import requests
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.ConnectTimeout) or not isinstance(error, requests.RequestException):
        return True  # requests raises others of its own accord only before it connects
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError) or "CERTIFICATE_VERIFY_FAILED" in str(error)


def _read(answer: Any, *, writes: bool) -> dict[str, Any]:
    """Take an answer apart, or raise what it says."""
    status = answer.status_code
    try:
        said = answer.json()
    except ValueError:
        said = None
    if status == HTTPStatus.OK and isinstance(said, dict):
        return said
    unclear = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
    if isinstance(said, dict) and "error_code" in said:
        code, message = str(said["error_code"]), str(said.get("message", ""))
    else:
        code, message = f"HTTP {status}", f"{answer.headers.get('Location', '')} {answer.text}".strip()
        if status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND:
            code, message = "NOT_MLFLOW", f"{code} {message}"
    raise AnswerError(message, code=code, maybe=writes and unclear, passing=status in _TRANSIENT)


def _tags(entity: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in entity.get("tags", ())}


def _version(one: Mapping[str, Any]) -> ModelVersion:
    return ModelVersion(
        name=one["name"],
        version=str(one["version"]),
        source=one.get("source", ""),
        run_id=one.get("run_id", ""),
        tags=_tags(one),
        creation_timestamp=int(one.get("creation_timestamp", 0)),
    )
