"""Airflow's REST API: start a DAG run, and see how it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.spelling import near
from airflow_mltest.http_client import HttpClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _REFUSED = 401, 403, 404, 409, 400
_PAGE = 100
# Whatever else a task is in, it may still get on.
_DONE = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """
    What opens the API: a ready token, or a user and a password that get one as often as one is needed.

    Args:
        token: A bearer token.
        user: Who asks, where there is no token, or when it has expired.
        password: Of that user.
    """

    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    How far a run is.

    Args:
        state: Of the run, in Airflow's words.
        done: Tasks that have ended, mapped ones counted each.
        failed: Those of them that have failed.
        total: All that are known so far.
    """

    state: str
    done: int
    failed: int
    total: int


class AirflowApi:
    """
    An Airflow, by its API version 2.

    Args:
        url: Where its pages are, with the path that it may be served under.
        login: What opens it.
        until_s: When to stop asking, on the monotonic clock.

    Raises:
        ConfigurationError: The URL or the login cannot be.
    """

    def __init__(self, url: str, login: Login, *, until_s: float = math.inf) -> None:
        if not login.token and not (login.user and login.password):
            msg = "there is no way into Airflow: neither a token, nor a user with a password."
            raise ConfigurationError(msg)
        self._login, self._token = login, login.token
        self.http = HttpClient(url, name="Airflow", secrets=(login.token, login.password), until_s=until_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    def ask(self, method: str, path: str, *, accept: tuple[int, ...] = (), **request: Any) -> httpx.Response:
        """
        Send a request with the token, which is renewed when it has expired.

        Args:
            method: Of HTTP.
            path: From `/api/v2` on.
            accept: Refusals that are an answer.
            request: What httpx takes.

        Raises:
            BrokenRunError: Airflow does not answer.
            ConfigurationError: Airflow refuses.
        """
        can_renew = bool(self._login.user and self._login.password)
        fresh = not self._token
        if fresh:
            self._renew()
        answer = self._send(method, path, request)
        if _is_locked(answer) and can_renew and not fresh:
            self._renew()
            answer = self._send(method, path, request)
        if answer.status_code < _REFUSED or answer.status_code in accept:
            return answer
        raise ConfigurationError(self._refusal(answer, method, path))

    def pages(self, path: str, key: str, **params: Any) -> Iterator[Any]:
        """Give every item of a list, page after page."""
        offset = 0
        while True:
            found = self.json(self.ask("GET", path, params={**params, "limit": _PAGE, "offset": offset}))
            yield from found[key]
            offset += len(found[key])
            if offset >= found["total_entries"] or not found[key]:
                return

    def json(self, answer: httpx.Response) -> Any:
        """
        Read an answer.

        Raises:
            ConfigurationError: It is not JSON, so this is not Airflow.
        """
        try:
            return answer.json()
        except ValueError:
            msg = f"what answers at {self.http.url} is not Airflow's API: {self.http.tell(answer.text)!r:.120}."
            raise ConfigurationError(msg) from None

    def run(self, dag_id: str, run_id: str) -> Run:
        """
        Give a run of a DAG that can be started.

        Raises:
            ConfigurationError: There is no such DAG, or it is paused.
        """
        answer = self.ask("GET", f"/dags/{quote(dag_id, safe='')}", accept=(_NOT_FOUND,))
        if answer.status_code == _NOT_FOUND:
            known = [dag["dag_id"] for dag in self.pages("/dags", "dags")]
            msg = f"Airflow at {self.http.url} shows this user no DAG {dag_id!r}{near(dag_id, known) or '.'}"
            raise ConfigurationError(msg)
        if self.json(answer)["is_paused"]:
            msg = f"DAG {dag_id!r} is paused, so that no run of it would start: switch it on first."
            raise ConfigurationError(msg)
        return Run(self, dag_id, run_id)

    def _send(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        return self.http.send(method, f"/api/v2{path}", headers=headers, **request)

    def _renew(self) -> None:
        body = {"username": self._login.user, "password": self._login.password}
        answer = self.http.send("POST", "/auth/token", json=body)
        if answer.status_code >= _REFUSED:
            # Without the answer's text: it may say again what was sent.
            msg = f"Airflow at {self.http.url} does not let user {self._login.user!r} in ({answer.status_code}): "
            msg += "is the password right, and does this Airflow give tokens at /auth/token?"
            raise ConfigurationError(msg)
        self._token = str(self.json(answer).get("access_token", ""))
        self.http.keep_secret(self._token)

    def _refusal(self, answer: httpx.Response, method: str, path: str) -> str:
        said = self.http.tell(_detail(answer))
        if _is_locked(answer):
            return f"Airflow at {self.http.url} does not take the token ({said}): it is wrong, or has expired."
        if answer.status_code == _FORBIDDEN:
            return f"Airflow at {self.http.url} does not allow this user to {method} {path}: {said}."
        return f"Airflow at {self.http.url} refuses {method} {path} ({answer.status_code}): {said}."


class Run:
    """
    One run of a DAG; made by `AirflowApi.run`.

    Args:
        api: The Airflow.
        dag_id: The DAG.
        run_id: What the run is called; the same one whenever it is sent again.
    """

    def __init__(self, api: AirflowApi, dag_id: str, run_id: str) -> None:
        self.dag_id, self.run_id = dag_id, run_id
        self._api = api
        self._runs = f"/dags/{quote(dag_id, safe='')}/dagRuns"
        self._path = f"{self._runs}/{quote(run_id, safe='')}"

    @property
    def link(self) -> str:
        """Where a person looks at it."""
        return f"{self._api.http.url}/dags/{quote(self.dag_id, safe='')}/runs/{quote(self.run_id, safe='')}"

    def start(self, conf: Mapping[str, Any]) -> None:
        """Start it, unless it is there: then an answer was lost, and the run is its own."""
        body = {"dag_run_id": self.run_id, "logical_date": None, "conf": dict(conf)}
        self._api.ask("POST", self._runs, json=body, accept=(_CONFLICT,))

    def progress(self) -> Progress:
        """See how far it is."""
        # First the state: a run that has ended has no task left to count.
        state = self._api.json(self._api.ask("GET", self._path))["state"]
        # And each number before the one that it is a part of.
        failed, done = self._count(("failed", "upstream_failed")), self._count(_DONE)
        return Progress(state=state, done=done, failed=failed, total=self._count(()))

    def summaries(self, key: str) -> dict[tuple[str, int], str]:
        """Tell when each task, by id and map index, has pushed an XCom of that *key*."""
        entries = self._api.pages(f"{self._path}/taskInstances/~/xcomEntries", "xcom_entries", xcom_key=key)
        return {(entry["task_id"], entry["map_index"]): entry["timestamp"] for entry in entries}

    def summary(self, key: str, task_id: str, map_index: int) -> Any:
        """Read what a task has pushed; None where it is gone, since the task runs again."""
        path = f"{self._path}/taskInstances/{quote(task_id, safe='')}/xcomEntries/{key}"
        answer = self._api.ask("GET", path, params={"map_index": map_index}, accept=(_NOT_FOUND,))
        return None if answer.status_code == _NOT_FOUND else self._api.json(answer)["value"]

    def failed_tasks(self) -> list[tuple[str, int]]:
        """Name the tasks that have failed themselves, by id and map index."""
        found = self._api.pages(f"{self._path}/taskInstances", "task_instances", state="failed")
        return [(task["task_id"], task["map_index"]) for task in found]

    def cancel(self) -> None:
        """Ask Airflow to end it as failed, with all of its tasks; one that was never started is no error."""
        self._api.ask("PATCH", self._path, json={"state": "failed"}, accept=(_NOT_FOUND,))

    def _count(self, states: tuple[str, ...]) -> int:
        """Count tasks in *states*, without reading them."""
        params = {"limit": 1, "state": list(states)} if states else {"limit": 1}
        return int(self._api.json(self._api.ask("GET", f"{self._path}/taskInstances", params=params))["total_entries"])


def _is_locked(answer: httpx.Response) -> bool:
    """Tell a token that is not taken from a right that is not given: Airflow answers 403 to both."""
    invalid = answer.status_code == _FORBIDDEN and "JWT" in answer.text
    return answer.status_code == _UNAUTHORISED or invalid


def _detail(answer: httpx.Response) -> Any:
    try:
        return answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.text
