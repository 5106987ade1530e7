"""How much memory does the server take, with all its processes?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.checks.deployment.process_tree import memory_bytes
from airflow_mltest.checks.deployment.protocol import OK, body_of
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from airflow_mltest.checks.deployment.subject import DeploymentSubject

_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMemory:
    """
    All processes of the server together hold at most so much memory, while it answers and after that.

    Looked at before and after each request; a page that several processes share counts once (the
    proportional set size of Linux).

    Args:
        maximum_gib: The most that is allowed, in GiB (2**30 bytes).
        requests: How many requests it is given.
        batch_rows: Rows a request, drawn with replacement.
    """

    maximum_gib: float
    requests: int = 20
    batch_rows: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.maximum_gib < math.inf:
            msg = f"ServerMemory: maximum_gib is above 0, not {self.maximum_gib}."
            raise ConfigurationError(msg)
        if self.requests < 1 or self.batch_rows < 1:
            msg = f"ServerMemory: requests and batch_rows are 1 or more, not {self.requests} and {self.batch_rows}."
            raise ConfigurationError(msg)

    def run(self, subject: DeploymentSubject) -> Case:
        """Ask, and look."""
        features, rng, server = subject.features, subject.rng(), subject.server
        held = [memory_bytes(server.processes) / _GIB]
        for done in range(self.requests):
            answer = server.post(body_of(features.iloc[rng.integers(len(features), size=self.batch_rows)]))
            if answer.status != OK:
                msg = f"a request of {self.batch_rows} rows was answered {answer.excerpt}"
                raise BrokenRunError(msg)
            processes = server.processes
            held.append(memory_bytes(processes) / _GIB)
            subject.progress(done + 1, self.requests)
        return Case(
            name="server_memory",
            outcome=Outcome.PASSED if max(held) <= self.maximum_gib else Outcome.FAILED,
            detail=f"{max(held):.3g} GiB at most, {held[0]:.3g} before any rows, in {len(processes)} processes; "
            f"{self.requests} requests of {self.batch_rows:,} rows; {self.maximum_gib:g} GiB allowed",
            measurements=(Measurement(name="server_memory_gib", value=max(held), maximum=self.maximum_gib),),
        )
