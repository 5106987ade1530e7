"""MLflow: a model behind its scoring server, as production runs it."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.deployment.process_tree import descendants, is_alive, memory_bytes
from airflow_mltest.checks.deployment.protocol import OK, Answer, body_of, predictions_in
from airflow_mltest.checks.deployment.subject import Stopped
from airflow_mltest.core.deployment import Deployment
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.extras import extra
from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from airflow_mltest.checks.deployment.process_tree import Process

_APP = "mlflow.pyfunc.scoring_server.app:app"
# How the app is told its model; `mlflow models serve` does the same.
_MODEL = "__pyfunc_model_path__"
# What a process needs to run at all; everything else that production has, its configuration names.
_BARE = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_LOOK_S, _WATCH_S, _END_S = 0.1, 0.2, 5.0
_TAIL = 6_000
_GIB = 2**30
_HOST = "127.0.0.1"
_SERVERS_FAULT = 500


class ScoringServer:
    """
    The scoring server of one model, in a process of its own on a free port of this machine.

    The body of a `with` runs while it serves: it answers at the beginning, and nothing of it is
    left at the end.

    Args:
        uri: Any model URI: `models:/name/1`, `models:/name@alias`, `runs:/...`, a folder.
        env: Variables added to the environment, such as `MLFLOW_TRACKING_URI`.
        python: The interpreter that has the model's libraries; empty: this one.
        startup_timeout_s: Seconds that it may take until it answers.
        answer_timeout_s: Seconds that it may take to answer one request.
        deployment: How it is started; it then has the variables that this names, and no others.
        files: Folder of the model's files, if they are here already; empty: the server finds *uri* itself.
        cwd: Folder that it starts in; empty: this process's own, or an empty one with *deployment*.
    """

    def __init__(  # noqa: PLR0913  what a server is started with, each known to testers by its name
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        python: str = "",
        startup_timeout_s: float = 120.0,
        answer_timeout_s: float = 60.0,
        deployment: Deployment | None = None,
        files: str = "",
        cwd: str = "",
    ) -> None:
        self.uri = uri
        self.deployment = deployment or Deployment(python=python, env={**os.environ, **(env or {})})
        self._apart = deployment is not None
        self._hide = deployment.hidden if deployment else str
        self._files = files or uri
        self._cwd = cwd
        self._startup_timeout_s, self._answer_timeout_s = startup_timeout_s, answer_timeout_s
        self._port = 0
        self._process: KeptProcess | None = None
        self._asked: list[Process] = []
        self._said = self._why = ""
        self._over = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{_HOST}:{self._port}"

    @property
    def log(self) -> str:
        """The last that it printed, also when it has ended; without the values of its variables."""
        if self._output.closed:
            return self._said
        # Without a move in the file, which the server writes where it is; and a value cut in two is beyond the tail.
        file, most = self._output.fileno(), 2 * _TAIL
        text = os.pread(file, most, max(0, os.fstat(file).st_size - most))
        return self._hide(text.decode(errors="replace"))[-_TAIL:].strip()

    @property
    def last_words(self) -> str:
        """Say why it had to end, if it had to, and the last that it printed, as the end of a sentence."""
        why = f" ({self._why})" if self._why else ""
        return f"{why}; the last that it printed:\n{self.log or '(nothing)'}"

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and not self._why and self._process.poll() is None

    @property
    def processes(self) -> list[Process]:
        """What lives of it: the command, and all that it has started."""
        # Its two keepers come first.
        return descendants(self._process.pid)[1:] if self._process else []

    def __enter__(self) -> Self:
        """
        Start it, and wait until it answers.

        Raises:
            MissingExtraError: MLflow is not installed here, where it should run.
            BrokenRunError: It ended or took too long; with the last that it printed.
        """
        deployment = self.deployment
        if not deployment.command and (deployment.python or sys.executable) == sys.executable:
            with extra("model", provides="mlflow"):
                version("mlflow")
        # Its own handle on a file without a name: gone with the last process that has it open.
        self._output = tempfile.TemporaryFile()
        self._folder = tempfile.TemporaryDirectory(prefix="mltest-server-", ignore_cleanup_errors=True)
        try:
            (self._start_command if deployment.command else self._start)()
            if deployment.memory_gib:
                threading.Thread(target=self._watch, args=(deployment.memory_gib,), daemon=True).start()
            (self._poll if deployment.command else self._wait)()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and all that it has started."""
        self.stop()

    def stop(self) -> None:
        """End it now; asking it afterwards is an error."""
        self._over.set()
        if self._process is not None:
            self._process.stop()
            self._process.close()
        self._said = self.log
        self._output.close()
        self._folder.cleanup()

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
        answer = self.post(body_of(rows))
        if answer.status == OK:
            return predictions_in(answer.text)
        msg = f"{self.uri} at {self.url} answered {answer.status}: {answer.text[:2000]}"
        raise BrokenRunError(msg) if answer.status >= _SERVERS_FAULT else ConfigurationError(msg)

    def post(self, body: str | bytes, content_type: str = "application/json") -> Answer:
        """
        Send *body* to where it takes rows, whatever it is; give the answer, whatever it says.

        Raises:
            BrokenRunError: There was no answer.
        """
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=self._answer_timeout_s)
        try:
            connection.request("POST", self.deployment.invocations, body, {"content-type": content_type})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return Answer(status=response.status, text=text if response.status == OK else self._hide(text))
        except (OSError, http.client.HTTPException) as error:
            msg = f"the server of {self.uri} at {self.url} did not answer: {error!r}"
            raise BrokenRunError(msg + self.last_words) from error
        finally:
            connection.close()

    def terminate(self) -> None:
        """Send SIGTERM to the command alone, as a supervisor does, and let its keeper collect nobody until `ended`."""
        self._asked = descendants(self._process.pid)[:2] if self._process else []
        keeper, command = self._asked
        os.kill(keeper.pid, signal.SIGSTOP)
        os.kill(command.pid, signal.SIGTERM)

    def ended(self, within_s: float) -> Stopped:
        """Wait until it and all that it has started have ended, but not longer; end what is left, and tell."""
        since_s, (keeper, command) = time.monotonic(), self._asked
        while (left := self.processes) and time.monotonic() < since_s + within_s:
            time.sleep(_LOOK_S / 4)
        took_s = time.monotonic() - since_s
        running = is_alive(command)
        os.kill(keeper.pid, signal.SIGCONT)
        code = self._process.close() if self._process else None
        return Stopped(code=None if running else code, took_s=took_s, left=len(left) - running)

    def _start(self) -> None:
        # It inherits a socket that listens already: no other process can take the port meanwhile.
        with socket.create_server((_HOST, 0)) as listening:
            self._port = listening.getsockname()[1]
            command = [self.deployment.python or sys.executable, "-m", "uvicorn", "--fd", str(listening.fileno())]
            workers = ["--workers", str(self.deployment.workers)] if self.deployment.workers > 1 else []
            self._run([*command, *workers, "--no-access-log", _APP], pass_fds=[listening.fileno()])

    def _start_command(self) -> None:
        with socket.create_server((_HOST, 0)) as free:
            self._port = free.getsockname()[1]
        words = list(self.deployment.command)
        for name, value in {"{host}": _HOST, "{port}": str(self._port), "{model}": self._files}.items():
            words = [word.replace(name, value) for word in words]
        self._run(words)

    def _run(self, argv: list[str], pass_fds: Sequence[int] = ()) -> None:
        apart = {"TMPDIR": self._folder.name} if self._apart else {}
        bare = {name: os.environ[name] for name in _BARE if name in os.environ}
        self._process = KeptProcess(
            argv,
            cwd=self._cwd or (self._folder.name if self._apart else os.getcwd()),  # noqa: PTH109
            env={**bare, **apart, **self.deployment.env, _MODEL: self._files},
            output=self._output,
            pass_fds=pass_fds,
        )

    def _wait(self) -> None:
        """Ask once: the question waits in the socket until the server is up, or is cut off when it dies."""
        deadline_s = time.monotonic() + self._startup_timeout_s
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=self._startup_timeout_s)
        try:
            connection.request("GET", self.deployment.health)
            while not select.select([connection.sock], [], [], _LOOK_S)[0]:
                self._check_alive(deadline_s)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            # Cut off: it is about to end, or has closed the socket.
            self._check_alive(wait_s=_END_S)
            msg = f"the server of {self.uri} is not healthy: {error!r}"
            raise BrokenRunError(msg + self.last_words) from error
        finally:
            connection.close()
        if status != OK:
            msg = f"the server of {self.uri} is not healthy: it answers GET {self.deployment.health} with {status}"
            raise BrokenRunError(msg + self.last_words)

    def _poll(self) -> None:
        """Ask again and again: nobody knows when the user's own command listens."""
        deadline_s = time.monotonic() + self._startup_timeout_s
        said: object = None
        while said != OK:
            self._check_alive(deadline_s, said=f" GET {self.deployment.health} with 200, but: {said}" if said else "")
            timeout_s = max(_LOOK_S, deadline_s - time.monotonic())
            connection = http.client.HTTPConnection(_HOST, self._port, timeout=timeout_s)
            try:
                connection.request("GET", self.deployment.health)
                said = connection.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
            finally:
                connection.close()
            time.sleep(_LOOK_S if said != OK else 0)

    def _check_alive(self, deadline_s: float | None = None, *, wait_s: float = 0.0, said: str = "") -> None:
        until_s = time.monotonic() + wait_s
        while (code := self._process and self._process.poll()) is None and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
        if code is not None:
            msg = f"the server of {self.uri} could not start, and ended with exit code {code}"
            raise BrokenRunError(msg + self.last_words)
        if deadline_s is not None and time.monotonic() > deadline_s:
            msg = f"the server of {self.uri} did not answer{said} within {self._startup_timeout_s:g} s"
            raise BrokenRunError(msg + self.last_words)

    def _watch(self, most_gib: float) -> None:
        """End it as the kernel would when it takes more memory than it is given; a limit of Linux's needs rights."""
        while not self._over.wait(_WATCH_S):
            processes = self.processes
            held_gib = memory_bytes(processes) / _GIB
            if held_gib > most_gib:
                self._why = f"it took {held_gib:.3g} GiB of memory, is given {most_gib:g}, and was killed for it"
                for process in processes:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
                return
