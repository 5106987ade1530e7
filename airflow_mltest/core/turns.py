"""What the newest run has turned: new failures, what is fixed, and since when it is that the others fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from airflow_mltest.core.history import PastRun

_VERDICTS = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """
    A test that fails in the newest run, or that did until then.

    Args:
        test: Its id.
        kind: `new`: it fails, and did not the last time that it ran. `still`: it failed then, too.
            `fixed`: it passes, and failed then.
        since: The commit at which it began to fail; empty where that is not known.
        since_at: When that run began, aware.
        runs: In how many runs in a row it failed, to the newest or until it was fixed.
        passed: The commit at which it had passed before that; empty where that is not known.
        whole: Whether the run before its first failure is known; else it may have failed for longer.
    """

    test: str
    kind: Literal["new", "still", "fixed"]
    since: str
    since_at: datetime
    runs: int
    passed: str
    whole: bool


def turns(runs: Sequence[PastRun]) -> tuple[Turn, ...]:
    """
    Compare the newest of *runs* with those before it.

    Runs in which a test was not asked, or could not be judged, say nothing of it.

    Args:
        runs: Of one suite, newest first.

    Returns:
        The new failures first, then what still fails, the longest last, then what is fixed.
    """
    if not runs:
        return ()
    found = [turn for test in runs[0].cases if (turn := _turn(test, runs))]
    order = ("new", "still", "fixed")
    return tuple(sorted(found, key=lambda turn: (order.index(turn.kind), turn.runs, turn.test)))


def _turn(test: str, runs: Sequence[PastRun]) -> Turn | None:
    if runs[0].cases[test].outcome not in _VERDICTS:
        return None
    fails_now = runs[0].cases[test].outcome is not Outcome.PASSED
    failed: list[PastRun] = [runs[0]] if fails_now else []
    passed: PastRun | None = None
    for run in _asked(test, runs[1:]):
        if run.cases[test].outcome is Outcome.PASSED:
            passed = run
            break
        failed.append(run)
    if not failed:
        return None
    return Turn(
        test=test,
        kind="fixed" if not fails_now else "new" if len(failed) == 1 else "still",
        since=failed[-1].commit,
        since_at=failed[-1].started_at,
        runs=len(failed),
        passed=passed.commit if passed else "",
        whole=passed is not None,
    )


def _asked(test: str, runs: Sequence[PastRun]) -> Iterator[PastRun]:
    return (run for run in runs if test in run.cases and run.cases[test].outcome in _VERDICTS)
