"""What is known of pytest's tests, over all the processes that one run of them took."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_mltest.core.recording import Recording

_PASSED = Outcome.PASSED
_NOT_PASSED = {Outcome.FAILED, Outcome.BROKEN}
# pytest's exit codes.
_OK, _FAILED, _INTERRUPTED, _INTERNAL, _USAGE, _NOTHING, _WARNINGS = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    How a process ended.

    Args:
        code: Its exit code, negative for a signal.
        tail: The last that it printed.
        stacks: Where its threads were, if that was asked.
        asked: It was told to end, so its exit code says nothing.
    """

    code: int
    asked: bool = False
    tail: str = ""
    stacks: str = ""


class Ledger:
    """What is known of the tests, over all launches of pytest."""

    def __init__(self, recording: Recording, *, reruns: int) -> None:
        self.planned: dict[str, None] = {}
        self.answered: set[str] = set()
        self.failing: dict[str, list[Case]] = {}
        self.again: set[str] | None = None
        self._recording = recording
        self._reruns = reruns
        self.begin()

    def begin(self) -> None:
        """Forget what is true of one launch only."""
        self.running: dict[str, float] = {}
        self.overdue: dict[str, float] = {}
        self.status: int | None = None
        self.pid = 0
        self._left_before = self._left()

    def running_longer_than(self, limit_s: float) -> dict[str, float]:
        """Give the tests that have taken too long, and their seconds."""
        now_s = time.monotonic()
        return {test: now_s - since_s for test, since_s in self.running.items() if now_s - since_s > limit_s}

    def take(self, events: Iterable[dict[str, Any]]) -> None:
        """Learn from *events*."""
        for event in events:
            getattr(self, f"_on_{event.pop('event')}")(**event)

    def _on_session(self, *, pid: int, python: str, pytest: str) -> None:
        self.pid = pid
        self._recording.under(python=python, pytest=pytest)

    def _on_collected(self, *, ids: list[str]) -> None:
        self.planned.update(dict.fromkeys(ids))
        self._recording.expect(len(self.planned) + len(self.answered - self.planned.keys()))

    def _on_uncollected(self, *, id: str, outcome: str, detail: str) -> None:  # noqa: A002  the event's word
        if id not in self.answered:  # a resumed run does not collect it again
            self.answered.add(id)
            self._recording.add(Case(name=id, outcome=Outcome(outcome), detail=f"was not collected: {detail}"))

    def _on_started(self, *, id: str) -> None:  # noqa: A002
        self.running[id] = time.monotonic()

    def _on_finished(self, *, id: str, outcome: str, **fields: Any) -> None:  # noqa: A002
        if id in self.overdue:  # it ended because it was told to, or too late all the same
            return
        self.running.pop(id, None)
        self._record(Case(name=id, outcome=Outcome(outcome), **fields))

    def _on_ended(self, *, status: int) -> None:
        self.status = status

    def _record(self, case: Case) -> None:
        """Record an answer, unless the test is to be asked again."""
        self.answered.add(case.name)
        if self.again is not None:
            self.again.discard(case.name)
        # A test that has failed is well again only when it passes: one that now skips itself is not.
        if self._reruns and (
            case.outcome in _NOT_PASSED or (case.name in self.failing and case.outcome is not _PASSED)
        ):
            self.failing.setdefault(case.name, []).append(case)
            return
        attempts = self.failing.pop(case.name, [])
        if attempts:
            case = replace(case, flaky=True, facts=_attempts([*attempts, case]))
        self._recording.add(case)

    def settle(self) -> None:
        """Record what still fails after all attempts."""
        for attempts in self.failing.values():
            facts = _attempts(attempts) if len(attempts) > 1 else {}
            worst = next(case for case in reversed(attempts) if case.outcome in _NOT_PASSED)
            self._recording.add(replace(worst, facts=facts))
        self.failing = {}

    def after(self, ended: Ended) -> bool:
        """Judge how a launch ended; say whether another one is needed for what is left."""
        if self.overdue or self.running:
            self._blame(ended)
        elif self.status is None or self.status not in {_OK, _FAILED, _INTERRUPTED, _NOTHING, _WARNINGS}:
            self._refuse(ended)
        else:
            if not ended.asked and ended.code != self.status:
                detail = f"pytest said that its exit code is {self.status}, and then {_cause(ended.code, None)}"
                self._recording.add(Case(name="(exit)", outcome=Outcome.BROKEN, detail=detail, output=ended.tail))
            self._tell_unanswered(ended.tail)
            return False
        return self._left() > 0

    def _left(self) -> int:
        """Count the tests that are still to be asked."""
        return len(self.planned.keys() - self.answered if self.again is None else self.again)

    def _blame(self, ended: Ended) -> None:
        """Record what became of the tests that were running when pytest went away."""
        now_s = time.monotonic()
        suspects = self.overdue or {test: now_s - since_s for test, since_s in self.running.items()}
        for test, seconds in suspects.items():
            reason = f"timed out after {seconds:.1f} s" if self.overdue else _cause(ended.code, self.status)
            output = "\n".join(filter(None, (ended.stacks, ended.tail)))
            self._record(Case(name=test, outcome=Outcome.BROKEN, detail=reason, duration_s=seconds, output=output))

    def _refuse(self, ended: Ended) -> None:
        """Raise what the end of pytest means, unless it died between two tests and can go on."""
        if self.status == _USAGE or (self.status is None and ended.code == _USAGE):
            msg = f"pytest refuses to run: {ended.tail}"
            raise ConfigurationError(msg)
        if not self.pid and "No module named pytest" in ended.tail:
            msg = f"pytest is not installed in the project's interpreter: {ended.tail}"
            raise ConfigurationError(msg)
        if self.status is not None or self._left() in {0, self._left_before}:
            msg = f"pytest ended before its tests did ({_cause(ended.code, self.status)}): {ended.tail}"
            raise BrokenRunError(msg)

    def _tell_unanswered(self, tail: str) -> None:
        """Record what was collected, and not run; nothing collected is an error."""
        if not self.planned and not self.answered:
            msg = "pytest collected no tests: check `project` and `args`; a suite of nothing passes nothing."
            raise ConfigurationError(msg)
        if self.status == _WARNINGS:
            self._recording.add(Case(name="(warnings)", outcome=Outcome.FAILED, detail="more warnings than allowed"))
        failed = any(case.outcome in _NOT_PASSED for case in self._recording.cases)
        if self.status == _FAILED and not failed and not self.failing:
            # Not a test but a plugin said no, such as one that counts coverage.
            detail = f"pytest ended with exit code 1, and no test has failed: {tail}"
            self._recording.add(Case(name="(pytest)", outcome=Outcome.FAILED, detail=detail))
        outcome = Outcome.SKIPPED if self.status == _FAILED and failed else Outcome.BROKEN
        for test in [test for test in self.planned if test not in self.answered]:
            self._record(Case(name=test, outcome=outcome, detail="was collected, and pytest ended before it ran"))


def _cause(code: int, status: int | None) -> str:
    """Say in words how a process ended."""
    if status == _INTERRUPTED:
        return "interrupted pytest (KeyboardInterrupt or pytest.exit)"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = "; out of memory, or killed from outside" if -code == signal.SIGKILL else ""
        return f"killed by signal {-code} ({name}) while it ran{hint}"
    return f"left the process with exit code {code} (os._exit, or an extension's exit)"


def _attempts(cases: list[Case]) -> dict[str, Any]:
    return {"attempts": [{"outcome": case.outcome.value, "detail": case.detail} for case in cases]}
