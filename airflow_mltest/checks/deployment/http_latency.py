"""Does the server answer soon enough, as often as it will be asked?"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.checks.deployment.protocol import OK, body_of
from airflow_mltest.checks.model.timing import distribution, load_in_words
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.statistics import calls_needed, measured, percentile_interval, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_mltest.checks.deployment.subject import DeploymentSubject, Server
    from airflow_mltest.core.statistics import Interval

_CONFIDENCE = 0.95
_SHARE = 0.95
_TELL_S = 1.0
# The first request is due when all clients are there.
_AHEAD_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLatency:
    """
    95 % of the requests are answered within a bound, counted from when they were due, proven at 95 %.

    When each request is due is fixed before the first is sent (open loop): users do not wait for each
    other. One that has to wait since all clients wait for a slow answer counts from when it was due, so a
    server that stalls is not spared the requests that a client did not send meanwhile. Each request has a
    connection of its own. A request that fails, or was not sent in time, counts as one that never ends;
    and any error fails the case. The interval is of order statistics, which take the times to be
    independent: at a rate near the server's most, take more requests.

    Args:
        p95_ms: 95 % of the requests take at most so many milliseconds.
        clients: How many requests can be under way at once.
        rate_per_s: Requests due a second, by all clients together.
        requests: How many; 59 is the least that can prove a p95.
        arrivals: `exponential`: due at random, as from many independent users; `constant`: evenly.
        batch_rows: Rows a request, drawn with replacement.
        warmup: Requests before, one after the other, which do not count.
        max_seconds: After this no more requests are sent; those that were due are never answered.
    """

    p95_ms: float
    clients: int = 1
    rate_per_s: float = 20.0
    requests: int = 200
    arrivals: Literal["exponential", "constant"] = "exponential"
    batch_rows: int = 1
    warmup: int = 20
    max_seconds: float = 120.0

    def __post_init__(self) -> None:
        above = {"p95_ms": self.p95_ms, "rate_per_s": self.rate_per_s, "max_seconds": self.max_seconds}
        counts = {"clients": self.clients, "requests": self.requests, "batch_rows": self.batch_rows}
        wrong = [f"{name} is above 0, not {value}" for name, value in above.items() if not 0 < value < math.inf]
        wrong += [f"{name} is 1 or more, not {value}" for name, value in counts.items() if value < 1]
        if self.arrivals not in {"exponential", "constant"}:
            wrong.append(f"arrivals is 'exponential' or 'constant', not {self.arrivals!r}")
        if wrong:
            msg = f"HttpLatency: {'; '.join(wrong)}."
            raise ConfigurationError(msg)

    @property
    def name(self) -> str:
        """Say what is measured, where it is not one row of one client."""
        clients = [f"{self.clients} clients"] if self.clients > 1 else []
        rows = [f"{self.batch_rows} rows"] if self.batch_rows > 1 else []
        return f"http_latency[{', '.join([*clients, *rows])}]" if clients or rows else "http_latency"

    def run(self, subject: DeploymentSubject) -> Case:
        """Send what is due when it is due, and compare the p95 with its bound."""
        server, rng = subject.server, subject.rng()
        features = subject.features
        picks = rng.integers(len(features), size=(min(self.requests, 200), self.batch_rows))
        bodies = [body_of(features.iloc[pick]) for pick in picks]
        for number in range(self.warmup):
            server.post(bodies[number % len(bodies)])
        load = _Load(server, bodies, self.due_s(rng), self.max_seconds)
        load.run(self.clients, subject)
        if not server.alive:
            done = sum(math.isfinite(took_s) for took_s in load.took_s)
            msg = f"the server ended under load, after {done} of {self.requests} requests{server.last_words}"
            raise BrokenRunError(msg)
        return self._case(np.array(load.took_s) * 1000, load.errors)

    def due_s(self, rng: np.random.Generator) -> np.ndarray:
        """Fix when each request is due, in seconds from the first; shape (requests,)."""
        gaps = np.ones(self.requests) if self.arrivals == "constant" else rng.exponential(size=self.requests)
        due: np.ndarray = (np.cumsum(gaps) - gaps[0]) / self.rate_per_s
        return due

    def _case(self, times_ms: np.ndarray, errors: Sequence[str]) -> Case:
        interval = percentile_interval(times_ms, _SHARE, _CONFIDENCE)
        # Not between two of them: one may be infinite.
        value = float(np.quantile(times_ms, _SHARE, method="higher"))
        outcome = Outcome.FAILED if errors else verdict(interval, maximum=self.p95_ms)
        answered = times_ms[np.isfinite(times_ms)]
        name = self.name.replace("http_latency", "http_latency_p95_ms")
        figures = (distribution("Latency over HTTP", {"answered": answered}, {_SHARE: self.p95_ms}),)
        return Case(
            name=self.name,
            outcome=outcome,
            detail=self._words(value, interval, len(answered), errors),
            measurements=(measured(name, value if math.isfinite(value) else math.nan, interval, maximum=self.p95_ms),),
            facts={"requests": len(times_ms), "answered": len(answered), "errors": list(errors[:5])},
            figures=figures if answered.size else (),
        )

    def _words(self, value: float, interval: Interval, answered: int, errors: Sequence[str]) -> str:
        if math.isfinite(interval.high):
            surely = f"surely at most {interval.high:.3g} ms"
        else:
            surely = "without end" if answered < self.requests else f"{calls_needed(_SHARE)} requests needed"
        found = f"p95 {value:.3g} ms" if math.isfinite(value) else "p95 without end"
        words = (
            f"{found} ({surely}), {self.p95_ms:g} allowed; {answered} of {self.requests} requests answered, "
            f"{self.rate_per_s:g} a second due for {self.clients} clients{load_in_words()}"
        )
        return "\n".join([words, *(f"{len(errors)} errors, such as: {one}" for one in errors[:1])])


class _Load:
    """Requests on their way, and what became of each."""

    def __init__(self, server: Server, bodies: Sequence[str], due_s: np.ndarray, max_seconds: float) -> None:
        self.took_s = [math.inf] * len(due_s)
        self.errors: list[str] = []
        self._server = server
        self._bodies = bodies
        self._lock = threading.Lock()
        self._start_s = time.perf_counter() + _AHEAD_S
        self._due_s = self._start_s + due_s
        self._until_s = self._start_s + max_seconds
        self._next = self._numbers()

    def run(self, clients: int, subject: DeploymentSubject) -> None:
        """Let *clients* send, each what is due next; return when all have ended."""
        threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(_TELL_S)
                subject.progress(sum(map(math.isfinite, self.took_s)), len(self.took_s))

    def _numbers(self) -> Iterator[int]:
        for number in range(len(self.took_s)):
            if time.perf_counter() > self._until_s or not self._server.alive:
                return
            yield number

    def _client(self) -> None:
        while True:
            with self._lock:
                number = next(self._next, None)
            if number is None:
                return
            time.sleep(max(0.0, self._due_s[number] - time.perf_counter()))
            error = self._error_of(number)
            if error:
                self.errors.append(error)
            else:
                self.took_s[number] = time.perf_counter() - self._due_s[number]

    def _error_of(self, number: int) -> str:
        try:
            answer = self._server.post(self._bodies[number % len(self._bodies)])
        except BrokenRunError as error:
            return str(error).partition("\n")[0]
        return "" if answer.status == OK else answer.excerpt
