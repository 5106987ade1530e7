"""
What past runs say: trends, slow tests, flaky tests.

Everywhere runs come newest first, and hold only what ran: of a selection, or of one shard, no more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from airflow_mltest.core.outcome import Case, Suite

_SCHEMA, _VERSION = "airflow-mltest/past-run", 1
_NOT_PASSED = frozenset({Outcome.FAILED, Outcome.BROKEN})
_VERDICTS = _NOT_PASSED | {Outcome.PASSED}
# Enough that one run on a busy machine does not count, few enough to follow a test that has become slower.
_RECENT = 5
_MICROSECONDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCase:
    """
    How a test ended.

    Args:
        outcome: What the test itself said, in quarantine or not.
        duration_s: Seconds it took; 0 where that is not known.
        flaky: It passed only when asked again.
        quarantined: A failure of it did not count.
    """

    outcome: Outcome
    duration_s: float = 0.0
    flaky: bool = False
    quarantined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """
    One run of a project's tests, or of some of them.

    Args:
        commit: What was tested; empty where that is not known, as with changes that no commit has.
        environment: Digest of interpreter, pytest and installed packages; empty where it is not known.
        started_at: When it began, aware.
        cases: By test id.
    """

    commit: str
    environment: str
    started_at: datetime
    cases: Mapping[str, PastCase]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakyTest:
    """
    What past runs say of a test that is flaky, or that is in quarantine.

    Args:
        test: Its id.
        flakes: In how many runs it failed, or passed only when asked again, although its code is right.
        runs: In how many runs it showed whether it does. A failure at a commit at which it never passed is
            the code's, and not among them.
        rate: Where its true rate of flakes lies, shares.
        passes: How often it has passed at once, since it last did not.
        quarantined: It was in quarantine when it last ran.
        commits: At which it proved to be flaky, the newest first, as far as known.
        last_at: When it last proved to be; None if it never did.
    """

    test: str
    flakes: int
    runs: int
    rate: Interval
    passes: int
    quarantined: bool
    commits: tuple[str, ...]
    last_at: datetime | None


def past_run_of(suite: Suite, *, environment: str) -> PastRun:
    """
    Keep of *suite* what later runs are compared with.

    Args:
        suite: What the tests said; the commit is its subject's.
        environment: Digest of interpreter, pytest and installed packages.
    """
    return PastRun(
        commit=suite.subject.get("commit", ""),
        environment=environment,
        started_at=suite.started_at,
        cases={case.name: _past_case(case) for case in suite.cases},
    )


def _past_case(case: Case) -> PastCase:
    quarantine = case.facts.get("quarantine")
    outcome = Outcome(quarantine["outcome"]) if quarantine else case.outcome
    return PastCase(
        outcome=outcome,
        duration_s=case.duration_s if math.isfinite(case.duration_s) else 0.0,
        flaky=case.flaky and outcome is Outcome.PASSED,
        quarantined=bool(quarantine),
    )


def flaky_tests(runs: Sequence[PastRun], *, confidence: float = 0.95) -> tuple[FlakyTest, ...]:
    """
    Find the tests that answered differently at one commit in one environment, or passed only when asked again.

    Those in quarantine are among them even if they did neither: one that passed in all of its last
    runs may leave it.

    Args:
        runs: Newest first; those whose commit or environment is not known are compared with none.
        confidence: Of each end of `FlakyTest.rate`, a share.

    Returns:
        The one that is surely the worst first.
    """
    told: dict[str, list[tuple[PastRun, PastCase]]] = {
        test: []
        for run in runs
        for test, case in run.cases.items()
        if case.flaky or case.quarantined or case.outcome in _NOT_PASSED
    }
    for run in runs:
        # Most tests have always passed, so it is the few others that are looked up.
        for test in told.keys() & run.cases.keys():
            if run.cases[test].outcome in _VERDICTS:
                told[test].append((run, run.cases[test]))
    found = [_flaky(test, answers, confidence) for test, answers in told.items()]
    return tuple(
        sorted((one for one in found if one.flakes or one.quarantined), key=lambda one: (-one.rate.low, one.test))
    )


def _flaky(test: str, answers: Sequence[tuple[PastRun, PastCase]], confidence: float) -> FlakyTest:
    sound = {_conditions(run) for run, case in answers if case.outcome is Outcome.PASSED} - {None}
    flakes = [run for run, case in answers if case.flaky or (case.outcome in _NOT_PASSED and _conditions(run) in sound)]
    passes = sum(case.outcome is Outcome.PASSED and not case.flaky for _, case in answers)
    return FlakyTest(
        test=test,
        flakes=len(flakes),
        runs=len(flakes) + passes,
        rate=_wilson(len(flakes), len(flakes) + passes, confidence),
        passes=_streak(case for _, case in answers),
        quarantined=bool(answers) and answers[0][1].quarantined,
        commits=tuple(dict.fromkeys(run.commit for run in flakes if run.commit)),
        last_at=max((run.started_at for run in flakes), default=None),
    )


def _conditions(run: PastRun) -> tuple[str, str] | None:
    return (run.commit, run.environment) if run.commit and run.environment else None


def _streak(cases: Iterable[PastCase]) -> int:
    count = 0
    for case in cases:
        if case.flaky or case.outcome is not Outcome.PASSED:
            break
        count += 1
    return count


def _wilson(hits: int, trials: int, confidence: float) -> Interval:
    """
    Bound the true rate behind *hits* out of *trials*; from none it may be anything.

    Source:
        E. B. Wilson (1927), JASA 22(158), 209-212, doi:10.2307/2276774.
    """
    if not trials:
        return Interval.between(0.0, 1.0, confidence)
    z = NormalDist().inv_cdf(confidence)
    share, spread = hits / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    # Exact where rounding would leave 1e-18 of a rate that may be none.
    low, high = (0.0 if hits == 0 else centre - reach), (1.0 if hits == trials else centre + reach)
    return Interval.between(low, high, confidence)


def durations(runs: Sequence[PastRun]) -> dict[str, float]:
    """
    Estimate how many seconds each test takes: the median of its last five passes.

    A test that has not passed is taken by its failures, since one that hangs until it is stopped will most
    likely do so again. Tests that were only skipped, or whose duration is not known, are absent.
    """
    passed: defaultdict[str, list[float]] = defaultdict(list)
    others: defaultdict[str, list[float]] = defaultdict(list)
    for run in runs:
        for test, case in run.cases.items():
            known = passed if case.outcome is Outcome.PASSED else others
            if case.outcome in _VERDICTS and math.isfinite(case.duration_s) and case.duration_s > 0:
                known[test].append(case.duration_s)
    return {test: median(found[:_RECENT]) for test, found in (others | passed).items()}


def suspicion(
    test: str,
    runs: Sequence[PastRun],
    *,
    environment: str,
    changed: Callable[[str], Sequence[str] | None],
) -> str:
    """
    Say of a test that fails now whether its code or its surroundings are to be suspected.

    Args:
        test: Its id.
        runs: Those before, newest first.
        environment: In which it fails; what it did in another says nothing.
        changed: Gives what has changed since a commit of all that the test reaches, as it should be
            shown; None where that cannot be told.

    Returns:
        A sentence; empty where nothing is known.
    """
    for run in runs:
        case = run.cases.get(test)
        if case and case.outcome is Outcome.PASSED and environment and _conditions(run) == (run.commit, environment):
            reached = changed(run.commit)
            break
    else:
        return ""
    if reached is None:
        return ""
    since = f"since it passed at {run.commit[:12]}"
    if not reached:
        return f"flaky, or something outside the code: nothing that it reaches has changed {since}"
    more = f" and {len(reached) - _RECENT} more" if len(reached) > _RECENT else ""
    return f"regression: what it reaches has changed {since}: {', '.join(reached[:_RECENT])}{more}"


def past_run_to_document(run: PastRun) -> dict[str, Any]:
    """Give *run* as strict JSON, small enough that a project may keep hundreds."""
    cases: dict[str, dict[str, float]] = {}
    for test, case in run.cases.items():
        cases.setdefault(case.outcome.value, {})[test] = round(case.duration_s, _MICROSECONDS)
    return {
        "schema": _SCHEMA,
        "version": _VERSION,
        "commit": run.commit,
        "environment": run.environment,
        "started_at": run.started_at.isoformat(),
        "cases": cases,
        "flaky": [test for test, case in run.cases.items() if case.flaky],
        "quarantined": [test for test, case in run.cases.items() if case.quarantined],
    }


def past_run_from_document(document: Any) -> PastRun | None:
    """Read back what `past_run_to_document` gave; None for anything else, since a past may be missing."""
    try:
        if (document["schema"], document["version"]) != (_SCHEMA, _VERSION):
            return None
        started_at = datetime.fromisoformat(document["started_at"])
        texts = (document["commit"], document["environment"])
        if started_at.tzinfo is None or not all(isinstance(text, str) for text in texts):
            return None
        return PastRun(commit=texts[0], environment=texts[1], started_at=started_at, cases=dict(_cases(document)))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _cases(document: Mapping[str, Any]) -> Iterator[tuple[str, PastCase]]:
    flaky, quarantined = set(document["flaky"]), set(document["quarantined"])
    for outcome, tests in document["cases"].items():
        for test, seconds in tests.items():
            yield (
                test,
                PastCase(
                    outcome=Outcome(outcome),
                    duration_s=float(seconds),
                    flaky=test in flaky,
                    quarantined=test in quarantined,
                ),
            )
