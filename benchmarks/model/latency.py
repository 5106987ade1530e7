"""How often `LatencyRatio` errs on a busy machine: with equal models, and with one that is 10 % slower."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.latency_ratio import LatencyRatio
from airflow_mltest.checks.model.subject import ModelSubject
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from airflow_mltest.core.outcome import Case
    from benchmarks.table import Table

_TRIALS = 100
_MOST_S = 240.0
_BUSY = 3
_NICE = 5
_SLOWER = 0.10
_MOST_PAIRS = 150
_MOST_FALSE = 0.05
_LEAST_POWER = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """
    A scikit-learn model that is given plain arrays, as where a millisecond matters.

    Args:
        estimator: The model.
        slower: By which share of each call's CPU time it goes on working.
    """

    estimator: Any
    slower: float = 0.0
    uri: str = "a plain model"
    inputs: Mapping[str, str] | None = None

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Answer, and go on working."""
        start_s = time.thread_time()
        answers: np.ndarray = self.estimator.predict(rows.to_numpy())
        end_s = time.thread_time()
        end_s += (end_s - start_s) * self.slower
        while self.slower and time.thread_time() < end_s:
            pass
        return answers

    def scores(self, rows: pd.DataFrame) -> None:
        """Give none."""


def latency(table: Table, scratch: Path) -> None:  # noqa: ARG001  every section is given a folder
    """Compare models with themselves, and with themselves made slower, beside processes that want the CPUs, too."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import scale
    from threadpoolctl import threadpool_limits

    table.section(f"Latency; {_BUSY} busy processes on {os.cpu_count()} CPUs, at most {_MOST_PAIRS} pairs")
    rows, target = load_breast_cancer(return_X_y=True, as_frame=True)
    rows[:] = scale(rows)
    models = {
        "logistic regression": LogisticRegression(max_iter=1000),
        "random forest, 20 trees": RandomForestClassifier(20, n_jobs=1, random_state=0),
    }
    with threadpool_limits(1), _busy():
        for name, estimator in models.items():
            estimator.fit(rows.to_numpy(), target)
            _trials(table, name, estimator, rows.assign(target=target))
    table.note(f"load average at the end {os.getloadavg()[0]:.1f}")


def _trials(table: Table, name: str, estimator: Any, rows: pd.DataFrame) -> None:
    equal: list[Case] = []
    slower: list[Case] = []
    until_s = time.monotonic() + _MOST_S
    # In turns: the load changes in minutes, and both shall have their part of it.
    while len(equal) < _TRIALS and time.monotonic() < until_s:
        equal.append(_asked(estimator, rows, len(equal), slower=0.0))
        slower.append(_asked(estimator, rows, len(slower), slower=_SLOWER))
    alarms, found = (_counts(cases)[Outcome.FAILED] / len(cases) for cases in (equal, slower))
    what = f"{name}, {len(equal)} trials"
    table.row(
        f"{what}: equal models that failed", f"{alarms:.0%}", goal=f"<= {_MOST_FALSE:.0%}", kept=alarms <= _MOST_FALSE
    )
    table.row(
        f"{what}: models {_SLOWER:.0%} slower that failed", f"{found:.0%}",
        goal=f">= {_LEAST_POWER:.0%}", kept=found >= _LEAST_POWER,
    )  # fmt: skip
    for whose, cases in (("equal", equal), ("slower", slower)):
        told = ", ".join(f"{count} {outcome}" for outcome, count in _counts(cases).items())
        pairs = np.median([case.facts["pairs"] for case in cases])
        ratio = np.median([case.measurements[0].value for case in cases])
        took_ms = np.median([case.facts["baseline_p50_ms"] for case in cases])
        table.note(f"{whose}: {told}; median {pairs:.0f} pairs, ratio {ratio:.3f}, {took_ms:.3f} ms a call")


def _asked(estimator: Any, rows: pd.DataFrame, seed: int, *, slower: float) -> Case:
    subject = ModelSubject(
        model=Plain(estimator=estimator, slower=slower),
        baseline=Plain(estimator=estimator),
        rows=rows,
        target="target",
        seed=seed,
    )
    return LatencyRatio(max_pairs=_MOST_PAIRS).run(subject)


def _counts(cases: list[Case]) -> Counter[Outcome]:
    return Counter(case.outcome for case in cases)


@contextmanager
def _busy() -> Iterator[None]:
    """Keep more processes busy than there are CPUs, as long as the body runs."""
    work = [sys.executable, "-c", f"import os; os.nice({_NICE})\nwhile True: sum(range(10_000))"]
    others = [subprocess.Popen(work) for _ in range(_BUSY)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
