"""Ask a model in a process of its own: one that dies or hangs costs one answer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.ask import ask, name_of
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.forks import ForkedProcess
from airflow_mltest.integrations.conditions import controlled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_mltest.checks.model.subject import ModelSubject
    from airflow_mltest.core.ports import Check

_WAIT_S = 0.2
_TELL_S = 1.0


def ask_apart(
    checks: Sequence[Check],
    prepare: Callable[[Recording], ModelSubject],
    recording: Recording,
    *,
    case_timeout_s: float,
) -> None:
    """
    Ask every check in a process that is made for it, and again in a new one for the rest if that dies.

    Args:
        checks: What is asked.
        prepare: Loads the model in that process, and says of what and where in the recording that it is given.
        recording: Takes each case as it ends.
        case_timeout_s: Seconds that one check may take; then it is broken, and the rest are asked.

    Raises:
        ConfigurationError: There is nothing to ask, or the model cannot be loaded.
        BrokenRunError: Loading it took the process down, or may work later.
    """
    if not checks:
        msg = "there are no checks: a suite that asks nothing passes nothing."
        raise ConfigurationError(msg)
    first = len(recording.cases)
    recording.expect(first + len(checks))
    while len(recording.cases) < first + len(checks):
        rest = checks[len(recording.cases) - first :]
        _Asked(rest, prepare, recording, case_timeout_s).run()


class _Asked:
    """One such process."""

    def __init__(
        self,
        checks: Sequence[Check],
        prepare: Callable[[Recording], ModelSubject],
        recording: Recording,
        case_timeout_s: float,
    ) -> None:
        self._checks, self._prepare, self._recording = checks, prepare, recording
        self._case_timeout_s = case_timeout_s
        self._first = len(recording.cases)
        self._loaded = False
        self._since_s = time.monotonic()

    @property
    def _answered(self) -> int:
        return len(self._recording.cases) - self._first

    def run(self) -> None:
        """Follow it until all checks are answered, or one has taken it down and is answered for."""
        process = ForkedProcess(self._inside)
        why = ""
        try:
            while process.poll() is None and not why and self._answered < len(self._checks):
                self._take(process.messages(_WAIT_S))
                if self._loaded and time.monotonic() > self._since_s + self._case_timeout_s:
                    why = f"did not end within {self._case_timeout_s:g} s, and was ended"
            self._take(process.messages(0.0))
        finally:
            process.stop()
            ended, unread = process.end(why=why)
            self._recall(unread)
        if self._answered == len(self._checks):
            return
        cause, took_s = ended.cause(), time.monotonic() - self._since_s
        if not self._loaded:
            msg = f"the process that loads the model {cause}: {ended.tail}"
            raise BrokenRunError(msg)
        detail = f"the check {cause}; the model, or the check, has taken its process with it"
        case = Case(name=name_of(self._checks[self._answered]), outcome=Outcome.BROKEN, detail=detail)
        self._recording.add(replace(case, duration_s=took_s, output=ended.tail))

    def _take(self, messages: Any) -> None:
        for kind, content in messages:
            match kind:
                case "loaded":
                    subject, environment = content
                    self._recording.about(**subject)
                    self._recording.under(**environment)
                    self._loaded, self._since_s = True, time.monotonic()
                case "case":
                    self._since_s = time.monotonic()
                    self._recording.add(content)
                case "progress":
                    self._recording.progress(content)
                case "refused":
                    raise content

    def _recall(self, messages: list[Any]) -> None:
        """Keep what had ended, also when there is no time to tell of it."""
        known = {case.name for case in self._recording.cases}  # one that was being told of is there, and unread
        self._recording.recall(content for kind, content in messages if kind == "case" and content.name not in known)

    def _inside(self, send: Callable[[object], None]) -> None:
        """Load and ask; runs in the process of its own."""
        told = Recording("", "model", on_case=lambda _, case: _send_case(send, case))
        told.recall(self._recording.cases)  # their names are taken
        try:
            subject = self._prepare(told)
        except (ConfigurationError, BrokenRunError) as error:
            send(("refused", type(error)(str(error))))
            return
        except Exception as error:  # noqa: BLE001  a library's or a user's
            send(("refused", BrokenRunError(f"the model cannot be loaded: {type(error).__name__}: {error}")))
            return
        subject.on_progress = self._progress(told, send)
        # Not before the model is loaded: threads can be limited of libraries that are there.
        with controlled(subject.seed) as conditions:
            send(("loaded", (told.subject, conditions)))
            ask(self._checks, subject, told)

    def _progress(self, told: Recording, send: Callable[[object], None]) -> Callable[[int, int], None]:
        before, told_at_s = len(told.cases), 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told_at_s
            now_s = time.monotonic()
            if now_s >= told_at_s + _TELL_S:
                told_at_s = now_s
                check = self._checks[len(told.cases) - before]
                send(("progress", f"{name_of(check)}: {done} of {total}"))

        return progress


def _send_case(send: Callable[[object], None], case: Case) -> None:
    try:
        send(("case", case))
    except Exception as error:  # noqa: BLE001  whatever pickle raises of what a check has put into it
        detail = f"its case cannot leave the process: {type(error).__name__}: {error}"
        send(("case", Case(name=case.name, outcome=Outcome.BROKEN, detail=detail, duration_s=case.duration_s)))
