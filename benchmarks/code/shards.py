"""Shards: the makespan and the visits to files, beside pytest-split's, on recorded durations."""

from __future__ import annotations

import heapq
import random
import statistics
from typing import TYPE_CHECKING

from airflow_mltest.core.shards import estimate, least_seconds, plan_shards
from benchmarks.code.theirs import split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.table import Table

_COUNTS = (2, 4, 8, 16)
_NOISY_COUNT = 8
_PULLED = 4
"""Shards a worker, where workers take the next one when they are done."""
_DRAWS = 20
_NOISE = 0.3
"""Standard deviation of the logarithm of a recorded duration."""
_UNKNOWN = 0.1
"""Share of tests that were never recorded."""
_MOST, _MOST_NOISY, _MOST_VISITS = 1.05, 1.25, 1.20
_THEIRS = ("duration_based_chunks", "least_duration")


def shards(table: Table, name: str, durations: Mapping[str, float], python: str) -> None:
    """
    Deal one suite.

    Args:
        table: Where to print.
        name: The suite's name.
        durations: Seconds of each test, in the order in which they were collected.
        python: The interpreter that pytest-split is installed for.
    """
    files = {test: test.partition("::")[0] for test in durations}
    for count in _COUNTS:
        ours = _dealt(files, durations, count)
        their = split(python, list(files), durations, count, _THEIRS)
        for algorithm in _THEIRS:
            one, other = (_makespan(groups, durations, count) for groups in (ours, their[algorithm]))
            table.row(
                f"{name}, N = {count}: makespan over the least possible; {algorithm}",
                f"{one:.3f}", f"{other:.3f}", ratio=one / other, goal=f"<= {_MOST}", kept=one <= _MOST,
            )  # fmt: skip
        if count == _NOISY_COUNT:
            _visits(table, name, files, ours, their)
    _noisy(table, name, files, durations, python)


def _visits(
    table: Table,
    name: str,
    files: Mapping[str, str],
    ours: Sequence[Sequence[str]],
    their: Mapping[str, list[list[str]]],
) -> None:
    least = len(set(files.values()))
    for algorithm in _THEIRS:
        one, other = (
            sum(len({files[test] for test in g}) for g in groups) / least for groups in (ours, their[algorithm])
        )
        table.row(
            f"{name}, N = {_NOISY_COUNT}: visits to files over the least possible; {algorithm}",
            f"{one:.2f}", f"{other:.2f}", ratio=one / other, goal=f"<= {_MOST_VISITS}", kept=one <= _MOST_VISITS,
        )  # fmt: skip


def _noisy(table: Table, name: str, files: Mapping[str, str], durations: Mapping[str, float], python: str) -> None:
    """Deal by durations that are wrong, and see how long the shards really take."""
    found: dict[str, list[float]] = {}
    for seed in range(_DRAWS):
        chance = random.Random(seed)  # noqa: S311  no secret
        known = {
            test: seconds * chance.lognormvariate(0.0, _NOISE)
            for test, seconds in durations.items()
            if chance.random() >= _UNKNOWN
        }
        groups: dict[str, Sequence[Sequence[str]]] = {
            "ours": _dealt(files, known, _NOISY_COUNT),
            "pulled": _pulled(_dealt(files, known, _NOISY_COUNT * _PULLED), durations, _NOISY_COUNT),
            **split(python, list(files), known, _NOISY_COUNT, _THEIRS),
        }
        for whose, dealt in groups.items():
            found.setdefault(whose, []).append(_makespan(dealt, durations, _NOISY_COUNT))
    means = {whose: statistics.fmean(spans) for whose, spans in found.items()}
    for whose, how in (("pulled", f"{_NOISY_COUNT * _PULLED} shards"), ("ours", f"{_NOISY_COUNT} shards")):
        for algorithm in _THEIRS:
            one, other = means[whose], means[algorithm]
            table.row(
                f"{name}, 8 workers, {how}, {_NOISE:.0%} noise, {_UNKNOWN:.0%} unknown; {algorithm}",
                f"{one:.3f}", f"{other:.3f}", ratio=one / other,
                goal=f"<= {_MOST_NOISY}" if whose == "pulled" else "(stated)",
                kept=whose != "pulled" or one <= _MOST_NOISY,
            )  # fmt: skip


def _pulled(shards: Sequence[Sequence[str]], durations: Mapping[str, float], workers: int) -> list[list[str]]:
    """Let each worker take the next shard when it has done one, as Airflow's do; give what each of them ran."""
    free = [(0.0, worker) for worker in range(workers)]
    ran: list[list[str]] = [[] for _ in range(workers)]
    for tests in shards:
        at_s, worker = heapq.heappop(free)
        ran[worker] += tests
        heapq.heappush(free, (at_s + sum(durations[test] for test in tests), worker))
    return ran


def _dealt(files: Mapping[str, str], known: Mapping[str, float], count: int) -> list[tuple[str, ...]]:
    dealt = [shard.tests for shard in plan_shards(files, estimate(files, known), count)]
    tests = [test for tests in dealt for test in tests]
    if sorted(tests) != sorted(files):
        msg = f"{len(files)} tests were dealt as {len(tests)}, {len(set(tests))} of them different"
        raise AssertionError(msg)
    return dealt


def _makespan(groups: Sequence[Sequence[str]], durations: Mapping[str, float], count: int) -> float:
    """Give how long the longest group takes, over the least that it can."""
    longest_s = max(sum(durations[test] for test in group) for group in groups)
    return longest_s / least_seconds(durations.values(), count)
