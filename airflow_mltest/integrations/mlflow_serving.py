"""MLflow: a model behind its scoring server, as production runs it."""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra
from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_APP = "mlflow.pyfunc.scoring_server.app:app"
# How the app is told its model; `mlflow models serve` does the same.
_MODEL = "__pyfunc_model_path__"
_LOOK_S = 0.1
_END_S = 5.0
_TAIL = 6_000
_HOST = "127.0.0.1"
_OK, _SERVERS_FAULT = 200, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What the server said.

    Args:
        status: HTTP's.
        text: The body.
    """

    status: int
    text: str


class ScoringServer:
    """
    MLflow's scoring server for one model, in a process of its own on a free port of this machine.

    The body of a `with` runs while it serves: it answers at the beginning, and nothing of it is
    left at the end.

    Args:
        uri: Any model URI: `models:/name/1`, `models:/name@alias`, `runs:/...`, a folder.
        env: Variables added to the environment, such as `MLFLOW_TRACKING_URI`.
        python: The interpreter that has the model's libraries; empty: this one.
        startup_timeout_s: Seconds that it may take until it answers.
        answer_timeout_s: Seconds that it may take to answer one request.
    """

    def __init__(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        python: str = "",
        startup_timeout_s: float = 120.0,
        answer_timeout_s: float = 60.0,
    ) -> None:
        self.uri = uri
        self._env = dict(env or {})
        self._python = python or sys.executable
        self._startup_timeout_s = startup_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._port = 0
        self._process: KeptProcess | None = None
        self._said = ""

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{_HOST}:{self._port}"

    @property
    def log(self) -> str:
        """The last that it has printed, also when it has ended."""
        if self._output.closed:
            return self._said
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL))
        return self._output.read().decode(errors="replace").strip()

    def __enter__(self) -> Self:
        """
        Start it, and wait until it answers.

        Raises:
            MissingExtraError: MLflow is not installed here, where it should run.
            BrokenRunError: It ended or took too long; with the last that it printed.
        """
        if self._python == sys.executable:
            with extra("model", provides="mlflow"):
                version("mlflow")
        # Its own handle on a file without a name: gone with the last process that has it open.
        self._output = tempfile.TemporaryFile()
        try:
            self._start()
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and all that it has started."""
        self.stop()

    def stop(self) -> None:
        """End it now; asking it afterwards is an error."""
        if self._process is not None:
            self._process.stop()
            self._process.close()
        self._said = self.log
        self._output.close()

    def predict(self, rows: Any) -> list[Any]:
        """
        Ask for the predictions of *rows*.

        Args:
            rows: A data frame, a list of dictionaries, or a list or array of shape (n, columns).

        Returns:
            n predictions, as JSON has them.

        Raises:
            ConfigurationError: The model does not take such rows; with the server's words.
            BrokenRunError: The server failed, or did not answer.
        """
        answer = self.post(json.dumps(payload_of(rows)))
        if answer.status == _OK:
            return list(json.loads(answer.text)["predictions"])
        msg = f"{self.uri} at {self.url} answered {answer.status}: {answer.text[:2000]}"
        raise BrokenRunError(msg) if answer.status >= _SERVERS_FAULT else ConfigurationError(msg)

    def post(self, body: str | bytes, content_type: str = "application/json") -> Answer:
        """
        Send *body* to `/invocations`, whatever it is; give the answer, whatever it says.

        Raises:
            BrokenRunError: There was no answer.
        """
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=self._answer_timeout_s)
        try:
            connection.request("POST", "/invocations", body, {"content-type": content_type})
            response = connection.getresponse()
            return Answer(status=response.status, text=response.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            msg = f"the server of {self.uri} at {self.url} did not answer: {error!r}"
            raise BrokenRunError(self._with_log(msg)) from error
        finally:
            connection.close()

    def _start(self) -> None:
        # It inherits a socket that listens already: no other process can take the port meanwhile.
        with socket.create_server((_HOST, 0)) as listening:
            self._port = listening.getsockname()[1]
            command = ["-m", "uvicorn", "--fd", str(listening.fileno()), "--no-access-log", _APP]
            self._process = KeptProcess(
                [self._python, *command],
                cwd=os.getcwd(),  # noqa: PTH109
                env={**os.environ, **self._env, _MODEL: self.uri},
                output=self._output,
                pass_fds=[listening.fileno()],
            )

    def _wait(self) -> None:
        """Ask once: the question waits in the socket until the server is up, or is cut off when it dies."""
        deadline_s = time.monotonic() + self._startup_timeout_s
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=self._startup_timeout_s)
        try:
            connection.request("GET", "/ping")
            while not select.select([connection.sock], [], [], _LOOK_S)[0]:
                self._check_alive()
                if time.monotonic() > deadline_s:
                    msg = f"the server of {self.uri} did not answer within {self._startup_timeout_s:g} s"
                    raise BrokenRunError(self._with_log(msg))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            # Cut off: it is about to end, or has closed the socket.
            self._check_alive(wait_s=_END_S)
            msg = f"the server of {self.uri} is not healthy: {error!r}"
            raise BrokenRunError(self._with_log(msg)) from error
        finally:
            connection.close()
        if status != _OK:
            msg = f"the server of {self.uri} is not healthy: it answers a ping with {status}"
            raise BrokenRunError(self._with_log(msg))

    def _check_alive(self, wait_s: float = 0.0) -> None:
        deadline_s = time.monotonic() + wait_s
        while (code := self._process and self._process.poll()) is None and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
        if code is not None:
            msg = f"the server of {self.uri} could not start, and ended with exit code {code}"
            raise BrokenRunError(self._with_log(msg))

    def _with_log(self, msg: str) -> str:
        return f"{msg}; the last that it printed:\n{self.log or '(nothing)'}"


def payload_of(rows: Any) -> dict[str, Any]:
    """Say *rows* in the server's own words, every digit of every number kept, and NaN as null."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        known = rows.astype(object).where(rows.notna(), None)
        return {"dataframe_split": {"columns": list(rows.columns), "data": _plain(known.to_numpy().tolist())}}
    plain = _plain(rows.tolist() if hasattr(rows, "tolist") else list(rows))
    return {"dataframe_records" if plain and isinstance(plain[0], dict) else "inputs": plain}


def _plain(value: Any) -> Any:
    """Replace what JSON does not know: NaN, numpy's numbers, dates."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    return None if value != value else value  # noqa: PLR0124  only NaN differs from itself
