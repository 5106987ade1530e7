"""Is the model slower than the one that it would replace?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from airflow_mltest.checks.model.baseline import without_baseline
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.checks.model.timing import (
    CLOCKS,
    Calls,
    Pairs,
    distribution,
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
from airflow_mltest.core.statistics import Interval, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.checks.model.subject import ModelSubject
    from airflow_mltest.core.ports import Model

# Where the CPU clock sees less of the time than this, it is not the model's work that it sees.
_LEAST_CPU_SHARE = 0.05
_TELL_EVERY = 10
_LOOKS = 4
# The interval needs the means of all pairs of values: half a million.
_MOST_PAIRS = 1000
_WORDS = {"cpu": "CPU clock", "wall": "wall clock"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRatio:
    """
    A call takes at most *maximum* times as long as the baseline's on the same rows, beyond luck.

    Both models answer the same rows, one right after the other, the first by chance; what disturbs the
    machine disturbs both. Of each, the quickest of up to 5 calls (within 5 ms) makes the pair: what
    others do only ever adds. The ratios of the pairs are judged by their pseudomedian and its
    interval, on the CPU clock of the process (all its threads), which other processes hardly touch;
    the wall clock is reported beside. Pairs are made until the interval is on one side of *maximum*.
    It is looked at four times at most, and each look spends its part of `1 - confidence`: looking
    again makes no false alarm more likely. It is skipped without a baseline, as on a first release.

    At the default, a model that is as fast as its baseline passes and one that is 10 % slower
    fails, also on a busy machine; in between, and under very much load, it may stay inconclusive.

    Args:
        maximum: How many times the baseline's time is still fast enough. Above 1: no number of
            pairs proves that two equal models are equal.
        batch_rows: Rows a call, drawn with replacement.
        max_pairs: After so many pairs it is decided, or is inconclusive.
        confidence: That the true ratio is not beyond the end that is compared, a share.
        clock: Which one decides. `wall` where a model works in other processes or waits.
        warmup: Pairs before, which do not count.
        max_seconds: After this no more pairs are made, half of it for the warm-up; what was measured is judged.

    Source:
        J. L. Hodges and E. L. Lehmann (1963), Ann. Math. Stat. 34(2), 598-611, for the interval: exact
        when log ratios are symmetric about the true one, as the random order makes them for equal models.
    """

    maximum: float = 1.03
    batch_rows: int = 1
    max_pairs: int = 400
    confidence: float = 0.95
    clock: Literal["cpu", "wall"] = "cpu"
    warmup: int = 10
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        require_confidence("LatencyRatio", self.confidence)
        if not 0 < self.maximum < math.inf:
            msg = f"LatencyRatio: maximum is a ratio above 0, such as 1.03 for 3 % slower, not {self.maximum}."
            raise ConfigurationError(msg)
        if self.batch_rows < 1 or not 1 <= self.max_pairs <= _MOST_PAIRS:
            msg = f"LatencyRatio: batch_rows is 1 or more and max_pairs 1 to {_MOST_PAIRS}, not {self.batch_rows} "
            msg += f"and {self.max_pairs}."
            raise ConfigurationError(msg)
        require_clock("LatencyRatio", self.clock)

    def run(self, subject: ModelSubject) -> Case:
        """Call both in turns until it is decided."""
        name = named("latency_ratio", self.batch_rows)
        if subject.baseline is None:
            return without_baseline(name, subject)
        pairs = self._pairs(subject, subject.baseline)
        deadline_s = time.perf_counter() + self.max_seconds
        pairs = pairs.warmed(self.warmup, deadline_s - self.max_seconds / 2)
        times_s, found = self._until_decided(pairs, deadline_s, subject.progress)
        if self.clock == "cpu":
            _require_cpu(times_s)
        ratio, interval = found[self.clock]
        outcome = verdict(interval, maximum=self.maximum)
        candidate_ms, baseline_ms = _milliseconds(times_s, self.clock)
        title = f"Candidate and baseline, {_WORDS[self.clock]}"
        return Case(
            name=name,
            outcome=outcome,
            detail=self._detail(subject.baseline.uri, times_s, found, outcome),
            measurements=(
                self._measurement(name, ratio, interval, self.maximum),
                *(
                    self._measurement(named(f"latency_ratio_{clock}", self.batch_rows), *found[clock])
                    for clock in CLOCKS
                    if clock != self.clock
                ),
            ),
            facts={
                "pairs": len(times_s),
                "candidate_p50_ms": float(np.median(candidate_ms)),
                "baseline_p50_ms": float(np.median(baseline_ms)),
            },
            figures=(distribution(title, {"candidate": candidate_ms, "baseline": baseline_ms}),),
        )

    def _pairs(self, subject: ModelSubject, baseline: Model) -> Pairs:
        """Build the rows, the same for both models."""
        rng = subject.rng()
        picks = drawn(rng, len(subject.rows), batch_rows=self.batch_rows, calls=self.max_pairs)
        one, other = (
            Calls(model=model, batches=[features.iloc[pick] for pick in picks])
            for model in (subject.model, baseline)
            for features in (subject.features_for(model),)
        )
        return Pairs(candidate=one, baseline=other, rng=rng, tick_s=tick_s())

    def _until_decided(
        self, pairs: Pairs, deadline_s: float, tell: Callable[[int, int], None]
    ) -> tuple[np.ndarray, dict[str, tuple[float, Interval]]]:
        """
        Measure, look, and measure on.

        Returns:
            Seconds, shape (pairs, 2 models, calls, 2 clocks), and by clock the ratio and its interval.
        """
        times_s: list[np.ndarray] = []
        bounded, level, looked_at = (math.nan, Interval.between(0.0, math.inf, self.confidence)), 0.0, 0
        for look in self._looks():
            with uncollected():
                while len(times_s) < look and time.perf_counter() < deadline_s:
                    times_s.append(pairs.timed(len(times_s)))
                    if len(times_s) % _TELL_EVERY == 0:
                        tell(len(times_s), self.max_pairs)
            require_answers(len(times_s), self.max_seconds)
            if len(times_s) == looked_at:  # the time is over
                break
            level = self._spent(len(times_s)) - self._spent(looked_at)
            looked_at = len(times_s)
            bounded = self._bounded(pairs.logs(times_s, self.clock), level)
            if verdict(bounded[1], maximum=self.maximum) is not Outcome.INCONCLUSIVE:
                break
        found = {clock: self._bounded(pairs.logs(times_s, clock), level) for clock in CLOCKS if clock != self.clock}
        return np.array(times_s), {self.clock: bounded, **found}

    def _looks(self) -> list[int]:
        """After how many pairs it is looked at: each time there are twice as many."""
        return sorted({math.ceil(self.max_pairs / 2**halvings) for halvings in range(_LOOKS)})

    def _spent(self, pairs: int) -> float:
        """
        Say how much of `1 - confidence` may have been spent after *pairs*.

        Source:
            K. Kim and D. L. DeMets (1987), Biometrika 74(1), 149-154, with power 2. What a look spends is
            its own level, so the sum bounds the error whatever the looks have in common (Bonferroni).
        """
        return (1 - self.confidence) * (pairs / self.max_pairs) ** 2

    def _bounded(self, logs: np.ndarray, level: float) -> tuple[float, Interval]:
        centre, low, high = pseudomedian(logs, level)
        return math.exp(centre), Interval.between(math.exp(low), math.exp(high), self.confidence)

    def _measurement(self, name: str, ratio: float, interval: Interval, maximum: float | None = None) -> Measurement:
        known = math.isfinite(interval.high)
        return Measurement(
            name=name,
            value=ratio,
            low=interval.low if known else None,
            high=interval.high if known else None,
            maximum=maximum,
            confidence=interval.confidence,
        )

    def _detail(
        self, baseline: str, times_s: np.ndarray, found: dict[str, tuple[float, Interval]], outcome: Outcome
    ) -> str:
        told = []
        for clock in sorted(CLOCKS, key=lambda one: one != self.clock):
            ratio, interval = found[clock]
            candidate_ms, baseline_ms = np.median(_milliseconds(times_s, clock), axis=1)
            told.append(
                f"{ratio:.3f} times as long by the {_WORDS[clock]}, between {interval.low:.3f} and {interval.high:.3f} "
                f"({candidate_ms:.3g} ms against {baseline_ms:.3g} ms)"
            )
        words = f"beside {baseline} {told[0]}; {self.maximum:g} allowed; {told[1]}"
        words += f"; {len(times_s)} pairs"
        if outcome is Outcome.INCONCLUSIVE:
            ratio, interval = found[self.clock]
            words += self._needed(ratio, interval, len(times_s))
            if len(times_s) < self.max_pairs:
                words += f"; {self.max_seconds:g} s were over"
        return words + load_in_words()

    def _needed(self, ratio: float, interval: Interval, pairs: int) -> str:
        if not math.isfinite(interval.high):
            return "; too few pairs to bound it"
        logs = Interval.between(math.log(interval.low), math.log(interval.high), self.confidence)
        needed = rows_needed(math.log(ratio), logs, pairs, maximum=math.log(self.maximum))
        return would_decide(needed, "pairs")


def pseudomedian(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """
    Estimate the centre of symmetric *values* (Hodges and Lehmann), and bound it by inverting the signed-rank test.

    Of all estimates tried it decided with the fewest pairs: the median needs half as many again where
    the noise is nearly normal, the mean hundreds where it has outliers.

    Args:
        values: Independent, shape (n,).
        level: The chance that the centre is beyond an end, for each end, a share.

    Returns:
        The estimate and both ends, which are infinite when there are too few values.
    """
    above, right = np.triu_indices(len(values))
    means = np.sort((values[above] + values[right]) / 2)
    beyond = int(np.searchsorted(_rank_sums(len(values)), level, side="right"))
    if not beyond:
        return float(np.median(means)), -math.inf, math.inf
    return float(np.median(means)), float(means[beyond - 1]), float(means[-beyond])


@lru_cache(maxsize=32)
def _rank_sums(count: int) -> np.ndarray:
    """Give the chances that the signed ranks of *count* values sum to at most 0, 1, ...; shape (n (n + 1) / 2 + 1,)."""
    chances = np.ones(1)
    for rank in range(1, count + 1):
        # A rank is in the sum or is not, like the toss of a coin.
        padding = np.zeros(rank)
        chances = (np.concatenate([chances, padding]) + np.concatenate([padding, chances])) / 2
    return np.cumsum(chances)


def _milliseconds(times_s: np.ndarray, clock: str) -> np.ndarray:
    """Give all calls' times, shape (2 models, calls)."""
    found: np.ndarray = times_s[..., CLOCKS.index(clock)].swapaxes(0, 1).reshape(2, -1) * 1000
    return found


def _require_cpu(times_s: np.ndarray) -> None:
    """
    Refuse to judge by a CPU clock that does not see the work.

    Raises:
        ConfigurationError: A model waits, or works in other processes.
    """
    # The best call of each: others interrupt most calls of a busy machine, but no wait ends by luck.
    shares = (times_s[..., 1] / np.maximum(times_s[..., 0], np.finfo(float).tiny)).max(axis=(0, 2))
    if shares.min() < _LEAST_CPU_SHARE:
        who = ("the model", "the baseline")[int(shares.argmin())]
        msg = (
            f"{who} spends at most {shares.min():.1%} of a call on the CPU clock of this process: it waits, or "
            "works in others; give LatencyRatio clock='wall'."
        )
        raise ConfigurationError(msg)
