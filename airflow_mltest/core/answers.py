"""Which answers are final, and which tests are asked again before theirs are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.core.recording import Recording

# The fact of a case that another try has to ask again.
UNFINISHED = "unfinished"
_PASSED = Outcome.PASSED
_NOT_PASSED = {Outcome.FAILED, Outcome.BROKEN}
# Up to so many failed tests are asked again each in a process of its own; more of them share one.
_ALONE = 5


class Answers:
    """
    The answers of one run, on their way into its recording.

    What the recording holds already is an earlier try's, and counts, but for what that try left open.

    Args:
        recording: Gets each case when it is final.
        reruns: How often a test that has not passed is asked again.
        judge: Has the last word on each case.
    """

    def __init__(self, recording: Recording, *, reruns: int, judge: Callable[[Case], Case]) -> None:
        recording.cases[:] = [case for case in recording.cases if not _is_open(case)]
        self.names = {case.name for case in recording.cases}
        self.bad: set[str] = set()
        self._recording = recording
        self._reruns = reruns
        self._judge = judge
        self._attempts: dict[str, list[tuple[Case, bool]]] = {}
        self._asked_again: Counter[str] = Counter()
        self._in_doubt: list[str] = []
        self._doubted: set[str] = set()
        self._suspects: dict[str, Case] = {}

    def add(self, case: Case, *, alone: bool) -> None:
        """Take an answer; *alone*: of a process that ran nothing else."""
        self._attempt(case, alone=alone)
        # A test that has failed is well again only when it passes: one that now skips itself is not.
        again = case.outcome is not _PASSED and (case.outcome in _NOT_PASSED or len(self._attempts[case.name]) > 1)
        if not again or self._asked_again[case.name] >= self._reruns:
            self._close(case.name)

    def may_doubt(self, test: str) -> bool:
        """Whether a test has not been asked once more for want of a culprit."""
        return test not in self._doubted

    def doubt(self, case: Case, *, others: bool) -> None:
        """
        Take an answer that may not be the test's own doing: it is asked once more, alone.

        With *others* that may have done it, the answer counts only if there will be no other.
        """
        if others:
            self.names.add(case.name)
            self._suspects[case.name] = case
        else:
            self._attempt(case, alone=False)
        self._doubted.add(case.name)
        self._in_doubt.append(case.name)

    def tell(self, case: Case) -> None:
        """Record what is final at once."""
        self.names.add(case.name)
        self._recording.add(self._judge(case))

    def again(self) -> list[frozenset[str]]:
        """Give the tests that are to be asked again now, as groups that share a process each."""
        if self._in_doubt:
            return [frozenset({self._in_doubt.pop(0)})]
        failing = [test for test in self._attempts if self._asked_again[test] < self._reruns]
        self._asked_again.update(failing)
        return [frozenset(failing)] if len(failing) > _ALONE else [frozenset({test}) for test in failing]

    def settle(self, *, complete: bool) -> None:
        """Record what has not passed in any attempt; unless the run is *complete*, another try may ask again."""
        for case in list(self._suspects.values()):
            self._attempt(case, alone=False)
        for test in list(self._attempts):
            self._close(test, **({} if complete else {UNFINISHED: True}))

    @property
    def doubted(self) -> bool:
        """Whether a test is to be asked once more, alone."""
        return bool(self._in_doubt)

    def _attempt(self, case: Case, *, alone: bool) -> None:
        self.names.add(case.name)
        self._suspects.pop(case.name, None)
        self._attempts.setdefault(case.name, []).append((case, alone))
        if case.outcome in _NOT_PASSED:
            self.bad.add(case.name)
        elif case.outcome is _PASSED:
            self.bad.discard(case.name)

    def _close(self, test: str, **facts: Any) -> None:
        """Record what all attempts at a test amount to."""
        attempts = self._attempts.pop(test)
        case = attempts[-1][0]
        if len(attempts) > 1:
            if case.outcome is _PASSED:
                case = replace(case, flaky=True)
            else:
                case = next(case for case, _ in reversed(attempts) if case.outcome in _NOT_PASSED)
            facts["attempts"] = [attempt_of(one, alone=alone) for one, alone in attempts]
        self.tell(replace(case, facts={**case.facts, **facts}) if facts else case)


def attempt_of(case: Case, *, alone: bool) -> dict[str, Any]:
    """Give what is kept of one attempt at a test."""
    return {"outcome": case.outcome.value, "detail": case.detail, "alone": alone}


def _is_open(case: Case) -> bool:
    """Say whether an earlier try has left this to the next: a test, or a word on the run as a whole."""
    return bool(case.facts.get(UNFINISHED)) or case.name.startswith("(")


def timed_out(test: str, seconds: float, output: str) -> Case:
    """Give the case of a test that had to be ended."""
    detail = f"timed out after {seconds:.1f} s"
    return Case(name=test, outcome=Outcome.BROKEN, detail=detail, duration_s=seconds, output=clean(output))


def clean(text: str) -> str:
    """Replace half surrogate pairs, which stand for bytes that are no text: no log takes them."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
