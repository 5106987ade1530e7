"""Cut one run into parallel ones of about equal length."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# A file's tests stay together unless that makes the longest shard longer than this, over the least possible.
TOGETHER = 1.05
# How large a part of a file may be, in shares of a shard; the first that balances well enough is taken.
_PARTS = (math.inf, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.0)
# What a test is taken to last where no test has ever been measured; only the ratios matter then.
_ANY_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """
    Tests that run one after the other in one task, in the order in which they were collected.

    Args:
        tests: Their ids.
        files: The files that hold them, in the same order.
        seconds: How long they are expected to take together.
    """

    tests: tuple[str, ...]
    files: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """Tests of one file that stay together."""

    file: str
    tests: tuple[str, ...]
    seconds: float


def estimate(files: Mapping[str, str], durations: Mapping[str, float]) -> dict[str, float]:
    """
    Say how long each test may take: what was recorded, else what its nearest relatives took on average.

    Relatives are the same function with other parameters, then the tests of its file, then all tests
    of the project. The mean, not the median: what is added up should be right as a sum.

    Args:
        files: The file of each test id, in the order in which they were collected.
        durations: Recorded seconds by test id; what is not a finite number above 0 is not known.

    Returns:
        Seconds of each test of *files*, all above 0.
    """
    known = {test: seconds for test, seconds in durations.items() if math.isfinite(seconds) and seconds > 0}
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for test, seconds in known.items():
        for relative in _relatives(test, test.partition("::")[0]):
            sums[relative][0] += seconds
            sums[relative][1] += 1
    guesses = {relative: total / count for relative, (total, count) in sums.items()}
    return {
        test: known.get(test) or next((guesses[r] for r in _relatives(test, file) if r in guesses), _ANY_S)
        for test, file in files.items()
    }


def _relatives(test: str, file: str) -> tuple[str, str, str]:
    return f"function {test.partition('[')[0]}", f"file {file}", "all"


def plan_shards(files: Mapping[str, str], seconds: Mapping[str, float], count: int) -> list[Shard]:
    """
    Deal tests to at most *count* shards; each test goes to exactly one.

    Files are packed whole, the longest first, onto the shard that is shortest (R. L. Graham (1969),
    SIAM J. Appl. Math. 17, 416-429). Where the longest shard is then more than `TOGETHER` times the
    least possible, max(longest test, total / count), large files are cut into ever smaller runs of
    neighbours until it is not. The same input gives the same shards, the longest first; there are fewer
    than *count* only where one more would not shorten the run.

    What durations do not know, more shards than workers even out: a worker that is done takes the next.

    Args:
        files: The file of each test id, in the order in which they were collected.
        seconds: How long each of them takes.
        count: The most shards there may be, at least 1.
    """
    count = min(count, len(files))
    if count == 0:
        return []
    least_s = least_seconds((seconds[test] for test in files), count)
    best: list[list[_Piece]] = []
    best_s = math.inf
    for part in _PARTS:
        packed = _pack(_cut(files, seconds, part * least_s), count, least_s)
        longest_s = max(sum(piece.seconds for piece in pieces) for pieces in packed)
        if longest_s < best_s:
            best, best_s = packed, longest_s
        if best_s <= TOGETHER * least_s:
            break
    place = {test: number for number, test in enumerate(files)}
    shards = [_shard(pieces, files, place) for pieces in best if pieces]
    return sorted(shards, key=lambda shard: -shard.seconds)


def least_seconds(seconds: Iterable[float], count: int) -> float:
    """Give the least that the longest of *count* shards can last: max(longest test, total / count)."""
    known = list(seconds)
    return max(max(known, default=0.0), sum(known) / count)


def _cut(files: Mapping[str, str], seconds: Mapping[str, float], most_s: float) -> list[_Piece]:
    """Cut each file that lasts longer than *most_s* into runs of neighbours of about equal length."""
    tests_of: dict[str, list[str]] = {}
    for test, file in files.items():
        tests_of.setdefault(file, []).append(test)
    pieces = []
    for file, tests in tests_of.items():
        total_s = sum(seconds[test] for test in tests)
        runs = 1 if total_s <= most_s else len(tests) if most_s <= 0 else math.ceil(total_s / most_s)
        pieces += [
            _Piece(file, run, sum(seconds[test] for test in run)) for run in _runs(tests, seconds, total_s / runs)
        ]
    return pieces


def _runs(tests: Sequence[str], seconds: Mapping[str, float], aim_s: float) -> list[tuple[str, ...]]:
    """Split *tests* into neighbours that last about *aim_s*; one that is longer stays alone."""
    runs: list[list[str]] = [[]]
    run_s = 0.0
    for test in tests:
        # Nearer to the aim without this test than with it.
        if runs[-1] and run_s + seconds[test] / 2 > aim_s * (1 + 1e-9):
            runs.append([])
            run_s = 0.0
        runs[-1].append(test)
        run_s += seconds[test]
    return [tuple(run) for run in runs]


def _pack(pieces: Sequence[_Piece], count: int, least_s: float) -> list[list[_Piece]]:
    """Give the longest piece to the shortest shard, or to one that has its file already and room."""
    shards: list[list[_Piece]] = [[] for _ in range(count)]
    loads = [0.0] * count
    queue = [(0.0, number) for number in range(count)]
    homes: dict[str, list[int]] = defaultdict(list)
    for piece in sorted(pieces, key=lambda piece: -piece.seconds):
        room = [n for n in homes[piece.file] if loads[n] + piece.seconds <= least_s]
        if room:
            number = min(room, key=lambda n: (loads[n], n))
        else:
            while queue[0][0] != loads[queue[0][1]]:  # it has grown since it was put there
                heapq.heappop(queue)
            number = queue[0][1]
        shards[number].append(piece)
        loads[number] += piece.seconds
        heapq.heappush(queue, (loads[number], number))
        if number not in homes[piece.file]:
            homes[piece.file].append(number)
    return shards


def _shard(pieces: Sequence[_Piece], files: Mapping[str, str], place: Mapping[str, int]) -> Shard:
    tests = sorted((test for piece in pieces for test in piece.tests), key=place.__getitem__)
    return Shard(
        tests=tuple(tests),
        files=tuple(dict.fromkeys(files[test] for test in tests)),
        seconds=sum(piece.seconds for piece in pieces),
    )
