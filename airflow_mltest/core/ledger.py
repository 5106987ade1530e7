"""What is known of pytest's tests, over all the processes that one run of them took."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.answers import UNFINISHED, Answers, attempt_of, clean, timed_out
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.launches import FAILED, INTERRUPTED, NOTHING, USAGE, WARNINGS, Launch, Question
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_mltest.core.launches import Ended
    from airflow_mltest.core.recording import Recording

_NOT_PASSED = {Outcome.FAILED, Outcome.BROKEN}
_NEVER_RAN = "was collected, and pytest ended before it ran"


class Ledger:
    """
    What is known of the tests, over all launches of pytest: what to ask next, and what is answered.

    Args:
        recording: Gets the cases; those that it holds already are not asked again.
        reruns: How often a test that has not passed is asked again.
        only: Ids of the tests to run; None: all.
        judge: Has the last word on each case before it is recorded.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        reruns: int = 0,
        only: frozenset[str] | None = None,
        judge: Callable[[Case], Case] = lambda case: case,
    ) -> None:
        self.answers = Answers(recording, reruns=reruns, judge=judge)
        self.planned: dict[str, None] = {}
        self.launch = Launch()
        self._recording = recording
        self._only = only
        self._groups: list[frozenset[str]] = []
        self._paths: dict[str, str] = {}
        self._uncollected: dict[str, Outcome] = {}
        self._suspected: set[str] = set()
        self._ignore: list[str] = []
        self._maxfail = 0
        self._collected = self._early = False
        self._more = True

    def ask(self) -> Question | None:
        """Say what the next process is about; None when there is nothing left to ask."""
        if self._more and not self.answers.doubted:
            return self._ask_rest()
        if self.answers.doubted or not self._groups:
            self._groups[:0] = self.answers.again()
        if self._groups:
            return self._ask_again(self._groups.pop(0))
        if self._early and self._left() and len(self.answers.bad) < self._maxfail:
            return self._ask_rest()  # what had ended the run has passed now
        return None

    def _ask_rest(self) -> Question:
        self.launch = Launch()
        return Question(
            only=self._only,
            skip=frozenset(self.answers.names),
            files=self._files(self._left()) if self._collected else None,
            ignore=tuple(self._ignore),
            failed=len(self.answers.bad),
        )

    def _ask_again(self, tests: frozenset[str]) -> Question:
        self.launch = Launch(asked=tests)
        return Question(only=tests, files=self._files(tests), ignore=tuple(self._ignore), failed=None)

    def _files(self, tests: Iterable[str]) -> tuple[str, ...] | None:
        files = {self._paths.get(test.partition("::")[0], "") for test in tests}
        return None if "" in files or not files else tuple(sorted(files))

    def _left(self) -> set[str]:
        return self.planned.keys() - self.answers.names

    def take(self, events: Iterable[dict[str, Any]]) -> None:
        """Learn from *events*."""
        for event in events:
            getattr(self, f"_on_{event.pop('event')}")(**event)
            self.launch.heard_s = time.monotonic()

    def _on_session(self, *, pid: int, python: str, pytest: str, maxfail: int, spread: bool) -> None:
        self.launch.pid, self.launch.spread, self._maxfail = pid, spread, maxfail
        self._recording.under(python=python, pytest=pytest)

    def _on_environment(self, *, digest: str) -> None:
        self._recording.under(environment=digest)

    def _on_collecting(self, *, id: str, path: str) -> None:  # noqa: A002  the event's word
        self.launch.collecting = (id, path) if id else None
        if id:
            self._paths[id] = path

    def _on_collected(self, *, ids: list[str], unplanned: int) -> None:
        if self.launch.collecting:  # a file has interrupted it
            return
        self.planned.update(dict.fromkeys(ids))
        self._collected = True
        self._recording.expect(len(self.planned.keys() | self.answers.names | (self._only or frozenset())))
        if self._only is not None and self.launch.asked is None:
            self._recording.under(unplanned=max(unplanned, self._recording.environment.get("unplanned", 0)))

    def _on_uncollected(self, *, id: str, outcome: str, detail: str) -> None:  # noqa: A002
        if outcome == "broken":
            self.launch.bad = True
            self.answers.bad.add(id)
        self._uncollected.setdefault(id, Outcome(outcome))
        if id not in self.answers.names:  # a resumed run does not collect it again
            self.answers.tell(Case(name=id, outcome=Outcome(outcome), detail=f"was not collected: {clean(detail)}"))

    def _on_started(self, *, id: str) -> None:  # noqa: A002
        self.launch.running[id] = time.monotonic()

    def _on_finished(self, *, id: str, outcome: str, **fields: Any) -> None:  # noqa: A002
        self.launch.worker_died |= (died := fields.pop("died", False))
        if id in self.launch.overdue:  # it ended because it was told to, or too late all the same
            return
        before = fields.pop("attempts", ())  # after which a plugin of the project has asked again
        fields.update({name: clean(text) for name, text in fields.items() if isinstance(text, str)})
        case = Case(name=id, outcome=Outcome(outcome), **fields)
        if before:
            told = [Case(name=id, outcome=Outcome(one["outcome"]), detail=clean(one["detail"])) for one in before]
            facts = {"attempts": [attempt_of(one, alone=False) for one in (*told, case)]}
            case = replace(case, flaky=case.outcome is Outcome.PASSED, facts=facts)
        if id in self.launch.answered and case.outcome in _NOT_PASSED and not died:
            # There twice, or run by each worker: what fails must not hide behind what has passed.
            self.launch.bad = True
            self.answers.tell(replace(case, name=f"{id} (again)"))
        self.record(case)

    def _on_ended(self, *, status: int) -> None:
        self.launch.status = status

    def record(self, case: Case) -> None:
        """Take an answer; a process's first one counts."""
        launch = self.launch
        launch.running.pop(case.name, None)
        if case.name in launch.answered:
            return
        launch.answered.add(case.name)
        launch.bad |= case.outcome in _NOT_PASSED
        self.answers.add(case, alone=launch.asked == frozenset({case.name}))

    def after(self, ended: Ended) -> None:
        """
        Judge how a process ended.

        Raises:
            ConfigurationError: pytest refuses to run, or found nothing to run.
            BrokenRunError: pytest itself could not finish.
        """
        launch = self.launch
        in_order = launch.ended_in_order and not launch.overdue
        if in_order:
            self._conclude(ended)
        else:
            self._blame(ended)
        if launch.asked is not None:
            rest = launch.asked - launch.answered
            if rest and launch.answered and not in_order:
                self._groups.insert(0, rest)
            return
        # A worker of pytest-xdist that is interrupted takes all others with it.
        died = not in_order or (launch.status == INTERRUPTED and launch.spread and launch.answered)
        enough = bool(self._maxfail) and len(self.answers.bad) >= self._maxfail
        self._early = enough or (in_order and launch.status == FAILED and launch.bad)
        self._more = bool(died) and not enough and (not self._collected or bool(self._left()))
        if not self._more:
            self._tell_unanswered()

    def _blame(self, ended: Ended) -> None:
        """Say what it was that took the process down."""
        launch = self.launch
        suspects = launch.overdue or launch.ran
        if not suspects and launch.collecting:
            self._blame_file(*launch.collecting, ended)
        elif not suspects:
            self._refuse(ended)
        # One that was killed may be innocent, and so may each of those that ran at the same time.
        several = launch.spread or len(suspects) > 1
        doubt = (ended.killed or several) and not launch.overdue and launch.asked != suspects.keys()
        for test, seconds in suspects.items():
            case = timed_out(test, seconds, ended.words)
            if not launch.overdue:
                case = replace(case, detail=ended.cause(launch.status))
            if doubt and self.answers.may_doubt(test):
                launch.answered.add(test)
                self.answers.doubt(case, others=several)
            else:
                self.record(case)

    def _blame_file(self, name: str, path: str, ended: Ended) -> None:
        if ended.killed and name not in self._suspected:  # perhaps not its doing
            self._suspected.add(name)
            return
        self._ignore.append(path)
        self._uncollected[name] = Outcome.BROKEN
        self.answers.bad.add(name)
        detail = f"pytest died while it collected it: {ended.cause(self.launch.status)}"
        self.answers.tell(Case(name=name, outcome=Outcome.BROKEN, detail=detail, output=clean(ended.words)))

    def _refuse(self, ended: Ended) -> None:
        """Raise what the end of pytest means, unless it died between two tests and can go on."""
        status = self.launch.status
        if (ended.code if status is None else status) == USAGE:
            msg = f"pytest refuses to run: {ended.tail}"
            raise ConfigurationError(msg)
        for module in ("pytest", "coverage"):
            if not self.launch.pid and f"No module named {module}" in ended.tail:
                msg = f"{module} is not installed in the project's interpreter: {ended.tail}"
                raise ConfigurationError(msg)
        # pytest-xdist's own schedulers fail when a worker dies at a bad moment.
        own = status is not None and not self.launch.spread
        unfinished = not self._left() and not (self.launch.spread and ended.why)
        if own or unfinished or not self.launch.answered:
            msg = f"pytest ended before its tests did ({ended.cause(status)}): {ended.words}"
            raise BrokenRunError(msg)

    def _conclude(self, ended: Ended) -> None:
        """Record what a process in which pytest came to its end says as a whole."""
        status = self.launch.status
        if not ended.asked and ended.code != status:
            detail = f"pytest said that its exit code is {status}, and then {ended.cause()}"
            self.answers.tell(Case(name="(exit)", outcome=Outcome.BROKEN, detail=detail, output=clean(ended.tail)))
        if self.launch.asked is not None:
            return
        if not self.planned and not self.answers.names and self._only is None:
            msg = "pytest collected no tests: check `project` and `args`; a suite of nothing passes nothing."
            raise ConfigurationError(msg)
        if status == WARNINGS:
            self.answers.tell(Case(name="(warnings)", outcome=Outcome.FAILED, detail="more warnings than allowed"))
        odd = {
            # Not a test but a plugin said no, such as one that counts coverage.
            FAILED: (Outcome.FAILED, not self.launch.bad, "no test has failed"),
            INTERRUPTED: (Outcome.BROKEN, not self.launch.bad and not self._rest(), "every test has run"),
            NOTHING: (Outcome.BROKEN, bool(self.launch.answered), "tests have run"),
        }
        outcome, is_odd, though = odd.get(status or 0, (Outcome.PASSED, False, ""))
        if is_odd:
            detail = f"pytest ended with exit code {status}, and {though}: {clean(ended.tail)}"
            self.answers.tell(Case(name="(pytest)", outcome=outcome, detail=detail))

    def _rest(self) -> list[str]:
        """List what was to run, and has no answer."""
        known = [*self.planned, *sorted((self._only or frozenset()) - self.planned.keys())]
        return [test for test in known if test not in self.answers.names]

    def _tell_unanswered(self) -> None:
        """Record what should have run, and did not; what failures have kept from it may still do so."""
        for test in self._rest():
            file = test.partition("::")[0]
            if self._early and (test in self.planned or not self._collected):
                continue
            detail = "was planned and not collected (its parameters or its file changed?)"
            if test in self.planned:
                detail = _NEVER_RAN
            elif file in self._uncollected:
                detail = f"was planned, and its file was not collected: see {file}"
            case = Case(name=test, outcome=self._uncollected.get(file, Outcome.BROKEN), detail=detail)
            # Asked again, what was not collected would not be there either.
            (self.record if test in self.planned else self.answers.tell)(case)

    def settle(self, *, complete: bool) -> None:
        """Record what still has not passed; in a *complete* run, what failures have kept from running is skipped."""
        self.answers.settle(complete=complete)
        for test in self._rest() if complete else ():
            self.answers.tell(Case(name=test, outcome=Outcome.SKIPPED, detail=_NEVER_RAN))

    def spend(self, budget_s: float, ended: Ended) -> None:
        """
        Record that the time for the whole suite is over.

        Raises:
            BrokenRunError: Always; another try may go on where this one had to stop.
        """
        reason = f"the suite's budget of {budget_s:g} s is spent"
        total, rest, ran = len(self.planned.keys() | self.answers.names), self._rest(), self.launch.overdue
        for test in rest:
            case = Case(
                name=test, outcome=Outcome.BROKEN, facts={UNFINISHED: True}, detail=f"{reason}, and it has not run"
            )
            if test in ran:
                case = replace(
                    timed_out(test, ran[test], ended.words), facts=case.facts, detail=f"{reason} while it ran"
                )
            self.answers.tell(case)
        msg = f"{reason}: {len(rest)} of {total or '?'} tests have no answer"
        raise BrokenRunError(msg)
