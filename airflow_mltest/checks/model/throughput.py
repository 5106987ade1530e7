"""Does the model answer enough rows a second?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.checks.model.timing import (
    CLOCKS,
    Calls,
    drawn,
    load_in_words,
    named,
    require_answers,
    require_clock,
    tick_s,
    uncollected,
)
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import Interval, calls_needed, percentile_interval, rows_needed, verdict

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

# The fewest times whose greatest is surely above their median is `calls_needed(0.5)`: 5 at 95 %.
_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """
    The model answers at least so many rows a second when they come in batches, beyond luck.

    One caller, one batch after the other, warmed up, built beforehand, garbage collector off. The
    median batch is judged, by the order statistics of the measured times.

    Args:
        minimum_rows_per_s: The least that is enough.
        batch_rows: Rows a call, drawn with replacement.
        batches: Measured calls; 5 are the least that prove anything at 95 %.
        confidence: That the true median is not beyond the end that is compared, a share.
        clock: Which one decides. `cpu` says what a CPU second is worth, however busy the machine is.
        warmup: Calls before, which do not count.
        max_seconds: After this no more calls are made, half of it for the warm-up; what was measured is judged.
    """

    minimum_rows_per_s: float
    batch_rows: int = 10_000
    batches: int = 30
    confidence: float = 0.95
    clock: Literal["wall", "cpu"] = "wall"
    warmup: int = 2
    max_seconds: float = 20.0

    def __post_init__(self) -> None:
        require_confidence("Throughput", self.confidence)
        if not 0 < self.minimum_rows_per_s < math.inf:
            msg = f"Throughput: minimum_rows_per_s is above 0, not {self.minimum_rows_per_s}."
            raise ConfigurationError(msg)
        if self.batch_rows < 1 or self.batches < 1:
            msg = f"Throughput: batch_rows and batches are 1 or more, not {self.batch_rows} and {self.batches}."
            raise ConfigurationError(msg)
        require_clock("Throughput", self.clock)

    def run(self, subject: ModelSubject) -> Case:
        """Let it answer batch after batch, and bound the median."""
        times_s = self._times_s(subject)
        rates = {clock: self._rate(times_s[:, at]) for at, clock in enumerate(CLOCKS)}
        rate, interval = rates[self.clock]
        outcome = verdict(interval, minimum=self.minimum_rows_per_s)
        other = next(clock for clock in CLOCKS if clock != self.clock)
        detail = (
            f"{rate:,.0f} rows a second of {self.clock} time, between {interval.low:,.0f} and {interval.high:,.0f}, "
            f"in batches of {self.batch_rows:,}; at least {self.minimum_rows_per_s:,.0f} wanted; "
            f"{rates[other][0]:,.0f} a second of {other} time; {len(times_s)} batches"
        )
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(rate, interval, len(times_s), minimum=self.minimum_rows_per_s)
            needed = needed or calls_needed(_HALF, self.confidence)
            detail += f"; about {max(needed, len(times_s) + 1)} batches would decide"
        return Case(
            name=named("throughput", self.batch_rows),
            outcome=outcome,
            detail=detail + load_in_words(),
            measurements=(
                self._measurement("throughput_rows_per_s", rate, interval, self.minimum_rows_per_s),
                self._measurement(f"throughput_{other}_rows_per_s", *rates[other]),
            ),
        )

    def _times_s(self, subject: ModelSubject) -> np.ndarray:
        features = subject.features
        picks = drawn(subject.rng(), len(features), batch_rows=self.batch_rows, calls=self.batches)
        calls = Calls(model=subject.model, batches=[features.iloc[pick] for pick in picks])
        deadline_s = time.perf_counter() + self.max_seconds
        found: list[tuple[float, float]] = []
        with uncollected():
            calls.warm_up(self.warmup, deadline_s - self.max_seconds / 2)
            repeats = calls.repeats_for(tick_s()) if time.perf_counter() < deadline_s else 1
            while len(found) < self.batches and time.perf_counter() < deadline_s:
                found.append(calls.timed(len(found), repeats))
                subject.progress(len(found), self.batches)
        require_answers(len(found), self.max_seconds)
        return np.array(found)

    def _rate(self, times_s: np.ndarray) -> tuple[float, Interval]:
        """Give rows a second at the median time, and its interval."""
        within = percentile_interval(times_s, _HALF, self.confidence)
        low, high = (self.batch_rows / end if end > 0 else math.inf for end in (within.high, within.low))
        centre = float(np.median(times_s))
        return self.batch_rows / centre if centre else math.inf, Interval.between(low, high, self.confidence)

    def _measurement(self, name: str, rate: float, interval: Interval, minimum: float | None = None) -> Measurement:
        known = math.isfinite(interval.high)
        return Measurement(
            name=named(name, self.batch_rows),
            value=rate,
            low=interval.low if known else None,
            high=interval.high if known else None,
            minimum=minimum,
            confidence=interval.confidence,
        )
