"""MLflow: how to get in, and what its errors mean for the one who asked."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra
from airflow_mltest.integrations.mlflow_model import environment, quietly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltest.core.errors import MltestError

# With MLflow's own 120 s and seven retries it takes four minutes to learn that a server is down.
_TIMEOUT_S, _RETRIES = 10.0, 2
# A file may lie in a slow place behind a server that has just answered.
_PATIENCE_WITH_FILES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_CREDENTIALS = ("username", "password", "token")
# What a retry would not change, by its code; what stands in front of MLflow has none of its own.
_WRONG = {
    "RESOURCE_DOES_NOT_EXIST": "has no {subject}, or cannot do this with it",
    "INVALID_PARAMETER_VALUE": "has no {subject}, or cannot do this with it",
    "UNAUTHENTICATED": "does not know who asks for {subject}, check the connection's login and password, or its token",
    "PERMISSION_DENIED": "does not let this user at {subject}, check the connection's credentials",
    "NOT_MLFLOW": "is no MLflow, check the connection's host",
    "ModuleNotFoundError": "keeps {subject} where only a library leads that is not installed here",
}
_WRONG |= {"HTTP 401": _WRONG["UNAUTHENTICATED"], "HTTP 403": _WRONG["PERMISSION_DENIED"]}
_WRONG_NAME = (
    "does not want to be called by that name, start it with this host in --allowed-hosts "
    "(MLFLOW_SERVER_ALLOWED_HOSTS) or call it by another"
)
_SHOWN = 500  # of what is said: a gateway's is a page


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowAccess:
    """
    How to get into an MLflow.

    Args:
        username: Counts with its password, and then goes before a token.
        password: The password.
        token: A bearer token.
        verify: Whether the server's certificate is verified, or the file of those that vouch for
            it; None for what MLflow's variables say.
        client_cert: A file with a certificate to show, and its key.
        timeout_s: Seconds that a call may take, with all that is sent again.
        max_retries: How often a request is sent again that has changed nothing.

    Raises:
        ConfigurationError: The token cannot be sent.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    verify: bool | str | None = None
    client_cert: str = ""
    timeout_s: float | None = None
    max_retries: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch("[!-~]*", self.token):
            # Whoever sends it would quote it.
            msg = "MLflow's token has a space, a line's end or a letter beyond ASCII in it: set it again."
            raise ConfigurationError(msg)

    def complete(self) -> MlflowAccess:
        """Decide all that was left out: as MLflow's own variables say, else by default."""
        with environment({}):  # not while they are another registry's, for its download
            said = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}
        insecure = said.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}
        theirs: dict[str, Any] = {
            "verify": said.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure,
            "client_cert": said.get("MLFLOW_TRACKING_CLIENT_CERT_PATH", ""),
            "timeout_s": float(said.get("MLFLOW_HTTP_REQUEST_TIMEOUT", _TIMEOUT_S)),
            "max_retries": int(said.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _RETRIES)),
        }
        if not any(getattr(self, key) for key in _CREDENTIALS):
            theirs |= {key: said.get(f"MLFLOW_TRACKING_{key.upper()}", "") for key in _CREDENTIALS}
        return replace(self, **{key: value for key, value in theirs.items() if getattr(self, key) in {None, ""}})

    def without_secrets(self, text: str) -> str:
        """Leave out of a text what nobody may read: also the passwords of the URIs in it."""
        for secret in filter(None, (self.password, self.token)):
            text = text.replace(secret, "***")
        return re.sub(r"//[^/\s]*@", "//", text)

    @contextmanager
    def in_force(self, uri: str) -> Iterator[None]:
        """
        Let all of MLflow speak to *uri* with this access in the body, and as it did before after it.

        A download asks MLflow's own idea of where it is, whatever it is told, and knows no access
        but the variables'; `set_tracking_uri` would leave that idea changed.
        """
        load_mlflow()
        from mlflow.tracking._model_registry import utils as registry
        from mlflow.tracking._tracking_service import utils as tracking

        chosen = {key: value for key, value in _PATIENCE_WITH_FILES.items() if key not in os.environ}
        access = self._variables()
        before = tracking._tracking_uri, registry._registry_uri  # noqa: SLF001  they have no public reset
        with environment(
            {**quietly(), **chosen, **access, "MLFLOW_TRACKING_URI": uri, "MLFLOW_REGISTRY_URI": uri},
        ):
            for key in (key for key, value in access.items() if not value):
                del os.environ[key]  # an empty one counts as said
            tracking._tracking_uri = registry._registry_uri = uri  # noqa: SLF001
            try:
                yield
            finally:
                tracking._tracking_uri, registry._registry_uri = before  # noqa: SLF001

    def _variables(self) -> dict[str, str]:
        return {
            **{f"MLFLOW_TRACKING_{key.upper()}": getattr(self, key) for key in _CREDENTIALS},
            "MLFLOW_TRACKING_INSECURE_TLS": "true" if self.verify is False else "",
            "MLFLOW_TRACKING_SERVER_CERT_PATH": self.verify if isinstance(self.verify, str) else "",
            "MLFLOW_TRACKING_CLIENT_CERT_PATH": self.client_cert,
        }


def load_mlflow() -> None:
    """Import MLflow, and keep it from saying what nobody asked for."""
    with extra("registry", provides="mlflow"), environment(quietly()):
        import mlflow
    logging.getLogger(mlflow.__name__).setLevel(logging.WARNING)


def meaning(error: Exception, *, where: str, subject: str, said: str, writes: bool) -> MltestError:
    """
    Say what an error of MLflow's means for the one who asked.

    Args:
        error: What was raised.
        where: The MLflow that was asked.
        subject: What it was asked for.
        said: The error's text, as it may be shown.
        writes: Whether something was to be changed; then the text ends with whether it may have been.
    """
    code = code_of(error)
    said = said if len(said) <= _SHOWN else f"{said[:_SHOWN]} ..."
    wrong = _WRONG_NAME if "Invalid Host header" in said else _WRONG.get(code, "")
    if wrong:
        return ConfigurationError(f"{where} {wrong.format(subject=subject)}: {said}")
    ending = ""
    if writes:
        ending = " It may have been carried out." if getattr(error, "maybe", True) else " It was not carried out."
    return BrokenRunError(f"{where} did not answer for {subject}: {code}: {said}{ending}")


def code_of(error: Exception) -> str:
    """Give an error's code: MLflow's, the status of an answer without one, or the name of its class."""
    response = getattr(error, "response", None)  # as requests has it, by which files come
    if response is not None:
        return f"HTTP {response.status_code}"
    return str(getattr(error, "error_code", type(error).__name__))
