"""HTTP with patience: what may yet be answered is asked again, and no message tells a secret."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_ANSWER_S = 30.0
_TOO_MANY, _SERVER_ERRORS = 429, 500
_TOLD = 300


class HttpClient:
    """
    One server, for requests that may be sent twice: whoever uses it sees to that.

    A request is sent again, after ever longer waits, when nobody answers, when the server has an
    error of its own (5xx), and when it has too much to do (429).

    Args:
        url: Where its paths begin; http or https, without user and password.
        name: What messages call the server.
        headers: What every request carries.
        secrets: What no message may tell.
        patience_s: For how many seconds a request is sent again.
        until_s: When to stop at the latest, on the monotonic clock; each request is sent once even then.

    Raises:
        ConfigurationError: The URL is none, or a secret cannot be sent.
    """

    def __init__(  # noqa: PLR0913  of which a caller gives three
        self,
        url: str,
        *,
        name: str,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        patience_s: float = 60.0,
        until_s: float = math.inf,
    ) -> None:
        import httpx

        _check_url(url, name)
        self.url, self.name = url.rstrip("/"), name
        self.until_s = until_s
        self._patience_s = patience_s
        self._secrets = [secret for secret in secrets if secret]
        if not all(secret.isascii() and secret.isprintable() for secret in self._secrets):
            msg = f"{name}: the token or password has a line break, or a letter that no header can carry: copy it anew."
            raise ConfigurationError(msg)
        self._client = httpx.Client(headers=dict(headers or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """
        Send a request until it is answered, and give the answer, which may be a refusal (4xx).

        Args:
            method: Of HTTP.
            path: From the server's URL; its parts are quoted.
            request: What httpx takes: `json`, `params`, `headers`.

        Raises:
            BrokenRunError: There was no answer in time.
            ConfigurationError: The server sends the request elsewhere, or its certificate is not trusted.
        """
        end_s = min(time.monotonic() + self._patience_s, self.until_s)
        wait_s = _FIRST_WAIT_S
        while True:
            answer, trouble = self._try(method, path, end_s, request)
            if answer is not None and not trouble:
                return answer
            wait_s = max(wait_s, _asked_for(answer))
            if time.monotonic() + wait_s > end_s:
                msg = f"{self.name} at {self.url} does not answer {method} {path}: {self.tell(trouble)}."
                raise BrokenRunError(msg)
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def keep_secret(self, secret: str) -> None:
        """Let no message tell *secret*, either."""
        self._secrets.append(secret)

    def tell(self, text: object) -> str:
        """Give *text* for a message: on one line, not too long, and without the secrets."""
        told = " ".join(str(text).split())
        for secret in self._secrets:
            told = told.replace(secret, "***")
        return told if len(told) <= _TOLD else f"{told[:_TOLD]} …"

    def _try(
        self, method: str, path: str, end_s: float, request: Mapping[str, Any]
    ) -> tuple[httpx.Response | None, str]:
        """Send it once; give the answer, and what is wrong if it may be better the next time."""
        import httpx

        timeout_s = min(_ANSWER_S, max(1.0, end_s - time.monotonic()))
        try:
            answer = self._client.request(method, self.url + path, timeout=timeout_s, **request)
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                msg = (
                    f"{self.name} at {self.url} has a certificate that is not trusted here: {self.tell(error)}. "
                    "Name the file of your authority in SSL_CERT_FILE."
                )
                raise ConfigurationError(msg) from None
            return None, f"{type(error).__name__}: {error}"
        if answer.has_redirect_location:
            where = urlsplit(answer.headers["location"])._replace(query="").geturl()
            msg = f"{self.name} at {self.url} sends {method} {path} to {self.tell(where)}: give the URL that it has."
            raise ConfigurationError(msg)
        busy = answer.status_code == _TOO_MANY or answer.status_code >= _SERVER_ERRORS
        return answer, f"{answer.status_code} {answer.text}" if busy else ""


def _check_url(url: str, name: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password:
        msg = f"the URL of {name} has a user or password in it: take them out, since URLs are shown and logged."
        raise ConfigurationError(msg)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f"the URL of {name} is {url!r:.200}: give one such as https://airflow.example."
        raise ConfigurationError(msg)


def _asked_for(answer: httpx.Response | None) -> float:
    """Give how many seconds the server asks to be left alone."""
    asked = answer.headers.get("retry-after", "") if answer is not None else ""
    return float(asked) if asked.isdecimal() else 0.0
