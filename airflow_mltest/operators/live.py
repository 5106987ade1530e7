"""Each case in the task's log as it ends, and what has ended kept, whatever happens next."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk.types import Logger

    from airflow_mltest.core.outcome import Case
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.reports.store import Store

_PROGRESS_INTERVAL_S = 2.0
_DOING_INTERVAL_S = 10.0
_SHARE_FOR_KEEPING = 0.02
_LOUD = {Outcome.FAILED, Outcome.BROKEN}


class Live:
    """
    Tell the log, the task state store and the report store of each case as it ends.

    The suite so far is written after a case when that costs at most 2 % of the time, so that a
    task that is killed hard loses next to nothing; until the run ends, what is written says
    that it is incomplete.

    Args:
        log: The task's logger.
        store: Where the suite is kept.
        state: The task state store; None where there is none, as in a notebook.
    """

    def __init__(self, log: Logger, store: Store, state: Any = None) -> None:
        self._log = log
        self._store = store
        self._state = state
        self._failed = 0
        self._told_at_s = 0.0
        self._keep_after_s = 0.0
        self._doing_after_s = 0.0
        self._telling = False
        self._stopped = False

    def __call__(self, recording: Recording, case: Case) -> None:
        """Tell of *case*, the newest of *recording*."""
        with self._whole():
            self._tell(recording, case)

    def interrupt(self) -> None:
        """
        End the run from inside a signal handler of its own thread, by raising.

        Not an Exception, since libraries that a check calls would swallow one. Never in the
        middle of a message to Airflow, whose answer would then be taken for that of the next.
        """
        self._stopped = True
        if not self._telling:
            raise KeyboardInterrupt

    def progress(self, recording: Recording, doing: str = "") -> None:
        """Set `mltest/progress` in the task state store to done, total and failed, and what a long case is *doing*."""
        self._told_at_s = time.monotonic()
        if self._state is not None:
            done: dict[str, Any] = {"done": len(recording.cases), "total": recording.total, "failed": self._failed}
            self._state.set("mltest/progress", done | ({"doing": doing} if doing else {}))

    def doing(self, recording: Recording, words: str) -> None:
        """Tell how far a case is that takes long, now and then."""
        now_s = time.monotonic()
        if now_s < self._told_at_s + _PROGRESS_INTERVAL_S:
            return
        with self._whole():
            if now_s >= self._doing_after_s:
                self._log.info("[%s/%s] %s", len(recording.cases), recording.total or "?", words)
                self._doing_after_s = now_s + _DOING_INTERVAL_S
            self.progress(recording, words)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Let a message to Airflow be finished, and be interrupted after it if that was asked meanwhile."""
        self._telling = True
        try:
            yield
        finally:
            self._telling = False
        if self._stopped:
            raise KeyboardInterrupt

    def _tell(self, recording: Recording, case: Case) -> None:
        self._failed += case.outcome in _LOUD
        done = f"[{len(recording.cases)}/{recording.total or '?'}]"
        line = f"{done} {case.outcome.upper()} {case.name} ({case.duration_s:.2f} s)"
        if case.outcome in _LOUD:
            self._log.error("%s\n%s", line, "\n".join(filter(None, (case.detail, case.output))))
        elif case.detail:
            self._log.info("%s: %s", line, case.detail)
        else:
            self._log.info("%s", line)
        now_s = time.monotonic()
        if now_s >= self._told_at_s + _PROGRESS_INTERVAL_S:
            self.progress(recording)
        if now_s >= self._keep_after_s:
            self._keep(recording)

    def _keep(self, recording: Recording) -> None:
        start_s = time.monotonic()
        try:
            self._store.keep(recording.suite(incomplete="still running, or killed before it could say how it ended"))
        except BrokenRunError as error:
            # The run goes on: what is written at its end has all of it, and decides.
            self._log.warning("What has ended so far is not kept: %s", error)
        end_s = time.monotonic()
        self._keep_after_s = end_s + (end_s - start_s) / _SHARE_FOR_KEEPING
