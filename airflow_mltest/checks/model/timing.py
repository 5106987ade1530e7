"""Time the calls of a model under conditions that two models, or two days, share."""

from __future__ import annotations

import gc
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.core.environment import conditions
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from airflow_mltest.core.ports import Model

# Batches are built before the clock starts; all of them together must fit beside the model.
_MOST_BATCHES = 1000
_MOST_ROWS_BUILT = 200_000
# A sample that spans so many steps of its clock is known to 2 %.
_TICKS = 50
_MOST_REPEATS = 4096
_MOST_POINTS = 200
# For a pair each model is called so often, as far as that fits into so many seconds: under load a first
# call finds its caches taken by others, and costs up to four times as much as the next.
_MOST_CALLS = 5
_CALLS_S = 0.005
CLOCKS = ("wall", "cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """
    Calls of one model, on rows that were built before.

    Args:
        model: Whom to ask, as loaded: a model from MLflow includes the check of its signature.
        batches: The rows of each call; when they are used up, from the first again.
        cpu_clock: Seconds of CPU so far. That of the process, not of the thread: a model may work in
            threads of its own.
    """

    model: Model
    batches: Sequence[pd.DataFrame]
    cpu_clock: Callable[[], float] = time.process_time

    def timed(self, number: int, repeats: int = 1) -> tuple[float, float]:
        """
        Let the model answer batch *number*, as often as *repeats*.

        Returns:
            Wall seconds and CPU seconds, of one call on average.

        Raises:
            ConfigurationError: The model raised.
        """
        # Copies: a model that writes into its input must not change what the next call is asked.
        given = [self.batches[number % len(self.batches)].copy() for _ in range(repeats)]
        cpu_s, wall_s = self.cpu_clock(), time.perf_counter()
        try:
            for rows in given:
                self.model.predict(rows)
        except Exception as error:
            msg = f"{self.model.uri} raised {type(error).__name__} in timed call {number + 1}: {error}"
            raise ConfigurationError(msg) from error
        wall_s, cpu_s = time.perf_counter() - wall_s, self.cpu_clock() - cpu_s
        return wall_s / repeats, cpu_s / repeats

    def warm_up(self, count: int, until_s: float) -> None:
        """Call *count* times, which do not count, but not beyond *until_s* of `perf_counter`."""
        for number in range(count):
            if time.perf_counter() > until_s:
                break
            self.timed(number)

    def repeats_for(self, tick_s: float) -> int:
        """Find how many calls a sample needs to be long beside a step of the CPU clock."""
        repeats, needed_s = 1, _TICKS * tick_s
        most = min(_MOST_REPEATS, _MOST_ROWS_BUILT // len(self.batches[0]))
        while repeats < most:
            wall_s, cpu_s = self.timed(0, repeats)
            # A model that waits for others never fills the CPU clock.
            if cpu_s * repeats >= needed_s or wall_s * repeats >= 4 * needed_s:
                break
            repeats *= 2
        return repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """
    Calls of two models on the same rows, one right after the other.

    Args:
        candidate: One model's calls.
        baseline: The other's, on the same rows.
        rng: Whose turn is first.
        tick_s: The least step of the clocks, in seconds.
        repeats: Calls that are timed as one, where one is too quick for the clock.
        calls: How often each model is called for a pair.
    """

    candidate: Calls
    baseline: Calls
    rng: np.random.Generator
    tick_s: float
    repeats: int = 1
    calls: int = 1

    def warmed(self, count: int, until_s: float) -> Pairs:
        """Call both models *count* times, but not beyond *until_s*; find how many calls there is time for in a pair."""
        both = (self.candidate, self.baseline)
        quickest_s = [math.inf, math.inf]
        for number in range(count):
            for which, calls in enumerate(both):
                if time.perf_counter() > until_s:
                    return self
                quickest_s[which] = min(quickest_s[which], calls.timed(number)[0])
        repeats = max(calls.repeats_for(self.tick_s) for calls in both)
        room = _CALLS_S / max(max(quickest_s) * repeats, self.tick_s)
        return replace(self, repeats=repeats, calls=int(np.clip(room, 1, _MOST_CALLS)))

    def timed(self, number: int) -> np.ndarray:
        """Give the seconds of pair *number*, shape (2 models, calls, 2 clocks); whose turn is first is chance."""
        both = (self.candidate, self.baseline)
        times = np.empty((len(both), self.calls, len(CLOCKS)))
        # What begins with a time slice of the system's is seldom interrupted in its middle.
        time.sleep(0)
        for call in range(self.calls):
            for which in self.rng.permutation(len(both)):
                times[which, call] = both[which].timed(number * self.calls + call, self.repeats)
        return times

    def logs(self, times_s: Sequence[np.ndarray], clock: str) -> np.ndarray:
        """Give the logarithm of each pair's ratio, of the quickest calls; shape (pairs,)."""
        quickest_s = np.array(times_s)[..., CLOCKS.index(clock)].min(axis=-1)
        # A clock may show no time at all, of which there is no logarithm.
        both = np.log(np.maximum(quickest_s, self.tick_s / self.repeats))
        found: np.ndarray = both[:, 0] - both[:, 1]
        return found


def drawn(rng: np.random.Generator, rows: int, *, batch_rows: int, calls: int) -> list[np.ndarray]:
    """Draw which of *rows* each of *calls* asks about, with replacement; fewer batches where they would not fit."""
    count = max(1, min(calls, _MOST_BATCHES, _MOST_ROWS_BUILT // batch_rows))
    return [rng.integers(rows, size=batch_rows) for _ in range(count)]


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector off as long as the body runs, if it was on."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def tick_s(clock: Callable[[], float] = time.process_time) -> float:
    """Measure the least step that *clock* shows, in seconds."""
    steps = []
    for _ in range(5):
        start_s = clock()
        while (now_s := clock()) == start_s:
            pass
        steps.append(now_s - start_s)
    return min(steps)


def require_clock(what: str, clock: str) -> None:
    """
    Refuse a clock that there is not.

    Raises:
        ConfigurationError: It is none of `CLOCKS`.
    """
    if clock not in CLOCKS:
        msg = f"{what}: clock is 'cpu' or 'wall', not {clock!r}."
        raise ConfigurationError(msg)


def require_answers(count: int, max_seconds: float) -> None:
    """
    Refuse to judge by nothing.

    Raises:
        ConfigurationError: There was no call within the limit.
    """
    if not count:
        msg = f"the model did not answer once within {max_seconds:g} s: give max_seconds for several calls."
        raise ConfigurationError(msg)


def load_in_words() -> str:
    """Say how busy the machine is, if it has more to do than CPUs; else nothing."""
    found = conditions(())
    if found["load_1min"] <= found["cpus"]:
        return ""
    return f"; the load average is {found['load_1min']:g} on {found['cpus']} CPUs, which lengthens wall times"


def named(what: str, batch_rows: int) -> str:
    """Name what is measured by the rows of a call: `latency_ratio[1000 rows]`."""
    return what if batch_rows == 1 else f"{what}[{batch_rows} rows]"


def distribution(
    title: str, times_ms: Mapping[str, np.ndarray], allowed: Mapping[float, float] | None = None
) -> Figure:
    """
    Draw which share of calls took at most how long.

    Args:
        title: What it shows.
        times_ms: Milliseconds a call, shape (n,), by whose they are.
        allowed: What a share of the calls may take at most, in milliseconds; a point each.
    """
    series = [_steps(name, np.sort(times)) for name, times in times_ms.items()]
    if allowed:
        points = Series(name="allowed", x=tuple(allowed.values()), y=tuple(allowed), style="points")
        series.append(points)
    return Figure(title=title, x="milliseconds a call", y="share of calls", series=tuple(series), log_x=True)


def _steps(name: str, ordered: np.ndarray) -> Series:
    count = len(ordered)
    places = np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(int))
    # An axis of logarithms has no zero; a clock may show one.
    least = min((value for value in ordered if value > 0), default=1.0)
    x = tuple(float(max(ordered[place], least)) for place in places)
    return Series(name=name, x=x, y=tuple(float((place + 1) / count) for place in places), style="steps")
