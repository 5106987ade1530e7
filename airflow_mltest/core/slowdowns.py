"""Which tests have become slower, beyond what luck, a busy machine or a few outliers explain."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.history import PastRun

# Five that are all slower are rare enough by luck, and soon enough noticed.
_RECENT = 5
_MOST_OFTEN = 1e-4
# What nobody would look into: less than a quarter more, or less than 50 ms.
_LEAST_RATIO, _LEAST_S = 1.25, 0.05
# Of fewer tests, one that has become slower would itself be the pace of its run.
_PACED_BY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """
    A test, or a suite, that takes longer than it did.

    Args:
        test: Its id.
        before_s: The median of earlier runs, seconds.
        now_s: The median of its last five, seconds.
        chance: At most how likely it is to see this where nothing has changed, a share.
    """

    test: str
    before_s: float
    now_s: float
    chance: float


def slowdown(test: str, seconds: Sequence[float]) -> Slowdown | None:
    """
    Say whether the last five took longer than all but a few of those before.

    If nothing has changed, each order of the durations is as likely as any other, however they are
    spread. Then the five rank above all but k of n others with a chance of C(5 + k, 5) / C(n + 5, 5):
    a slowdown is told where that is at most 1 in 10,000, as it can be from 19 runs on. Of 50 runs, four of
    the earlier 45 may have been slower than the recent ones.

    Args:
        test: Whose they are.
        seconds: Durations of runs that passed, newest first.
    """
    recent, before = seconds[:_RECENT], seconds[_RECENT:]
    if len(recent) < _RECENT or not before:
        return None
    slower = sum(other >= min(recent) for other in before)
    chance = math.comb(_RECENT + slower, _RECENT) / math.comb(len(seconds), _RECENT)
    before_s, now_s = median(before), median(recent)
    if chance > _MOST_OFTEN or now_s < max(before_s * _LEAST_RATIO, before_s + _LEAST_S):
        return None
    return Slowdown(test=test, before_s=before_s, now_s=now_s, chance=chance)


def slowdowns(runs: Sequence[PastRun]) -> tuple[Slowdown, ...]:
    """
    Find the tests that have become slower; what slowed a whole run down is its machine's, and told of no test.

    Args:
        runs: Of one suite, newest first.

    Returns:
        The one that costs the most first; durations as at the usual pace.
    """
    known: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for place, run in enumerate(runs):
        for test, case in run.cases.items():
            if case.outcome is Outcome.PASSED and math.isfinite(case.duration_s) and case.duration_s > 0:
                known[test][place] = case.duration_s
    paces = _paces(known)
    told = [slowdown(test, [took / paces[place] for place, took in took_s.items()]) for test, took_s in known.items()]
    return tuple(sorted((one for one in told if one), key=lambda one: (one.before_s - one.now_s, one.test)))


def _paces(known: Mapping[str, Mapping[int, float]]) -> dict[int, float]:
    """Give how slow each run was, as the median over its tests of what they took over what they usually take."""
    shares: defaultdict[int, list[float]] = defaultdict(list)
    for took_s in known.values():
        usual_s = median(took_s.values())
        for place, took in took_s.items():
            shares[place].append(took / usual_s)
    return {place: median(found) if len(found) >= _PACED_BY else 1.0 for place, found in shares.items()}
