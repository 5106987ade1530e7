"""Does the server end when it is told to, with all that it has started, and without cutting anybody off?"""

from __future__ import annotations

import http.client
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from airflow_mltest.checks.deployment.protocol import OK, body_of
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.deployment.subject import DeploymentSubject, Server, Stopped

# What a server's end is called that was asked for by SIGTERM: in order, by the signal, as a shell tells that.
_IN_ORDER = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
_HALF_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanStop:
    """
    SIGTERM ends the server and all its processes in time, and a request under way is answered, or refused.

    Half of a request is sent before the signal, the other half after it: the server has begun with it, and
    must not cut it off. Exit codes 0 and those of the signal itself are in order. It is asked last, since
    there is no server afterwards.

    Args:
        within_s: Seconds that it may take; Kubernetes kills after 30.
    """

    within_s: float = 10.0
    ends_server: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.within_s > _HALF_S:
            msg = f"CleanStop: within_s is above {_HALF_S:g}, not {self.within_s}."
            raise ConfigurationError(msg)

    def run(self, subject: DeploymentSubject) -> Case:
        """Send half a request, SIGTERM, and the other half; then wait for the end."""
        server = subject.server
        answer = server.post(body_of(subject.drawn(1)))
        if answer.status != OK:
            msg = f"a request before the signal was answered {answer.excerpt}"
            raise BrokenRunError(msg)
        request = _HalfSent(server, body_of(subject.drawn(1)), timeout_s=self.within_s)
        server.terminate()
        since_s = time.monotonic()
        under_way = request.finish()
        waited_s = time.monotonic() - since_s
        stopped = server.ended(max(0.0, self.within_s - waited_s))
        subject.end()
        return self._case(stopped, waited_s + stopped.took_s, under_way)

    def _case(self, stopped: Stopped, took_s: float, under_way: str) -> Case:
        wrong = []
        if stopped.code is None:
            wrong.append(f"it did not end within {self.within_s:g} s of SIGTERM, and was killed")
        elif stopped.code not in _IN_ORDER:
            wrong.append(f"it ended with exit code {stopped.code}; 0 or that of SIGTERM was wanted")
        if stopped.left:
            wrong.append(f"{stopped.left} of the processes that it had started did not end within {self.within_s:g} s")
        if not under_way:
            wrong.append("a request that was under way was cut off, without any answer")
        told = f"ended {took_s:.2g} s after SIGTERM with exit code {stopped.code} and nothing left"
        return Case(
            name="clean_stop",
            outcome=Outcome.FAILED if wrong else Outcome.PASSED,
            detail="; ".join(wrong) or f"{told}; a request under way was answered with {under_way}",
            measurements=(Measurement(name="clean_stop_s", value=took_s, maximum=self.within_s),),
            facts={"exit_code": stopped.code, "processes_left": stopped.left, "under_way": under_way or "cut off"},
        )


class _HalfSent:
    """A request of which the server has half."""

    def __init__(self, server: Server, body: str, *, timeout_s: float) -> None:
        where = urlsplit(server.url)
        self._rest = body.encode()
        self._connection = http.client.HTTPConnection(where.netloc, timeout=timeout_s)
        self._connection.putrequest("POST", server.deployment.invocations)
        self._connection.putheader("content-type", "application/json")
        self._connection.putheader("content-length", str(len(self._rest)))
        self._connection.endheaders()
        half = len(self._rest) // 2
        self._connection.send(self._rest[:half])
        self._rest = self._rest[half:]
        time.sleep(_HALF_S)  # until it has accepted the connection, and read what is there

    def finish(self) -> str:
        """Send the rest; give the status of the answer, empty if there is none."""
        time.sleep(_HALF_S)  # until the signal has come
        try:
            self._connection.send(self._rest)
            return str(self._connection.getresponse().status)
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            self._connection.close()
