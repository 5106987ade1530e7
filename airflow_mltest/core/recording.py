"""A suite while it runs: what ended so far, and who wants to hear of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Case, Kind, Origin, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Recording:
    """
    Collect the cases of one run as they end; ask it for the suite at any time.

    Args:
        name: The suite's name.
        kind: What is tested.
        origin: The task that runs it, if one does.
        on_case: Called with the recording and each case as it ends, in the thread that recorded it.
        on_progress: Called with the recording and words on what it is about, while a case takes long.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        *,
        origin: Origin | None = None,
        on_case: Callable[[Recording, Case], None] | None = None,
        on_progress: Callable[[Recording, str], None] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.origin = origin
        self.cases: list[Case] = []
        self.total: int | None = None
        self.subject: dict[str, str] = {}
        self.environment: dict[str, Any] = {}
        self.stands_for = ""
        self.attachments: dict[str, str] = {}
        self._on_case = on_case
        self._on_progress = on_progress
        self._started_at = datetime.now(UTC)
        self._start_s = time.monotonic()

    def expect(self, total: int) -> None:
        """Say how many cases there will be, once that is known."""
        self.total = total

    def about(self, **subject: str | None) -> None:
        """Say what is tested, as far as known: `commit`, `model`, `version`, `model_digest`, ..."""
        self.subject.update({key: value for key, value in subject.items() if value})

    def under(self, **environment: Any) -> None:
        """Say under which conditions it is tested."""
        self.environment.update(environment)

    def attach(self, name: str, content: str) -> None:
        """Have a file kept beside the suite: one for a person to read, on which no verdict rests."""
        self.attachments[name] = content

    def add(self, case: Case) -> None:
        """Record a case that has just ended."""
        self.cases.append(case)
        if self._on_case:
            self._on_case(self, case)

    def progress(self, words: str) -> None:
        """Say how far a case is that takes long."""
        if self._on_progress:
            self._on_progress(self, words)

    def recall(self, cases: Iterable[Case]) -> None:
        """Take over what an earlier try has answered; nobody is told of it again."""
        self.cases += cases

    def suite(self, *, incomplete: str = "") -> Suite:
        """All that was recorded so far; *incomplete* says why there is no more."""
        return Suite(
            name=self.name,
            kind=self.kind,
            cases=tuple(self.cases),
            origin=self.origin,
            subject=dict(self.subject),
            environment=dict(self.environment),
            started_at=self._started_at,
            duration_s=time.monotonic() - self._start_s,
            incomplete=incomplete,
            stands_for=self.stands_for,
        )
