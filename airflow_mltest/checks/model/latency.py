"""Does the model answer soon enough?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.timing import (
    Calls,
    distribution,
    drawn,
    load_in_words,
    named,
    require_answers,
    uncollected,
)
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.statistics import calls_needed, measured, percentile_interval, verdict

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

_CONFIDENCE = 0.95
_TELL_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """
    The time of one call to `predict` stays below a bound at a percentile, proven at 95 %.

    Measured as loaded: a model from MLflow includes the check of its signature. Warmed up, with
    real rows built beforehand and the garbage collector off. The bound is compared with order
    statistics of the measured times, which need no assumption about their distribution.

    Args:
        p50_ms: Half of the calls take at most so many milliseconds.
        p95_ms: 95 % of the calls do.
        p99_ms: 99 % of the calls do.
        batch_rows: Rows a call, drawn with replacement.
        calls: Measured calls; 59 is the least that can prove a p95, 299 a p99.
        warmup: Calls before, which do not count.
        max_seconds: After this no more calls are made, half of it for the warm-up; what was measured is judged.
    """

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    batch_rows: int = 1
    calls: int = 300
    warmup: int = 20
    max_seconds: float = 20.0

    def __post_init__(self) -> None:
        if not self._bounds or any(not bound > 0 for bound in self._bounds.values()):
            msg = "Latency needs at least one of p50_ms, p95_ms and p99_ms, in milliseconds above 0."
            raise ConfigurationError(msg)
        if self.batch_rows < 1 or self.calls < 1:
            msg = f"Latency: batch_rows and calls are 1 or more, not {self.batch_rows} and {self.calls}."
            raise ConfigurationError(msg)

    @property
    def _bounds(self) -> dict[int, float]:
        bounds = {50: self.p50_ms, 95: self.p95_ms, 99: self.p99_ms}
        return {percent: bound for percent, bound in bounds.items() if bound is not None}

    def run(self, subject: ModelSubject) -> Case:
        """Call, time, and compare each percentile with its bound."""
        wall_ms, cpu_ms = self._times_ms(subject)
        outcomes, measurements, details = set(), [], []
        for percent, bound_ms in self._bounds.items():
            interval = percentile_interval(wall_ms, percent / 100, _CONFIDENCE)
            value = float(np.quantile(wall_ms, percent / 100))
            outcomes.add(verdict(interval, maximum=bound_ms))
            name = named(f"latency_p{percent}_ms", self.batch_rows)
            measurements.append(measured(name, value, interval, maximum=bound_ms))
            needed = f"{calls_needed(percent / 100)} calls needed"
            surely = f"surely at most {interval.high:.3g} ms" if np.isfinite(interval.high) else needed
            details.append(f"p{percent} {value:.3g} ms ({surely}), {bound_ms:g} allowed")
        ranked = (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)
        allowed = {percent / 100: bound_ms for percent, bound_ms in self._bounds.items()}
        return Case(
            name=named("latency", self.batch_rows),
            outcome=next(outcome for outcome in ranked if outcome in outcomes),
            detail=f"{'; '.join(details)}; {len(wall_ms)} calls{load_in_words()}",
            measurements=tuple(measurements),
            facts={"cpu_p50_ms": float(np.median(cpu_ms)), "calls": len(wall_ms)},
            figures=(
                distribution(named("Latency", self.batch_rows), {"wall clock": wall_ms, "CPU clock": cpu_ms}, allowed),
            ),
        )

    def _times_ms(self, subject: ModelSubject) -> tuple[np.ndarray, np.ndarray]:
        features = subject.features
        picks = drawn(subject.rng(), len(features), batch_rows=self.batch_rows, calls=self.calls)
        calls = Calls(model=subject.model, batches=[features.iloc[pick] for pick in picks])
        deadline_s = time.perf_counter() + self.max_seconds
        found: list[tuple[float, float]] = []
        with uncollected():
            calls.warm_up(self.warmup, deadline_s - self.max_seconds / 2)
            while len(found) < self.calls and time.perf_counter() < deadline_s:
                found.append(calls.timed(len(found)))
                if len(found) % _TELL_EVERY == 0:
                    subject.progress(len(found), self.calls)
        require_answers(len(found), self.max_seconds)
        wall_s, cpu_s = np.transpose(found)
        return wall_s * 1000, cpu_s * 1000
