"""What attacks are measured on: a model, and rows that it answers right."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.attacks.space import Space
from airflow_mltest.attacks.starts import Pool
from airflow_mltest.attacks.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from airflow_mltest.attacks.constraints import Constraints

ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    A model, and rows that it answers right.

    Args:
        name: What it is called.
        rows: Those rows.
        answers: Its answers to them.
        ask: Takes a data frame, gives answers.
        scores: Takes a data frame, gives probabilities.
        constraints: Which changes are possible.
        data: What ranges are learned from, and attacks start from.
    """

    name: str
    rows: pd.DataFrame
    answers: np.ndarray
    ask: Callable[[pd.DataFrame], np.ndarray]
    scores: Callable[[pd.DataFrame], np.ndarray] | None
    constraints: Constraints
    data: pd.DataFrame

    def target(self, *, rows: int | None = None, **more: Any) -> Target:
        """Aim at the first rows."""
        answers = self.answers[:rows]
        return Target(
            space=Space.of(self.data, self.constraints),
            constraints=self.constraints,
            rows=self.rows.iloc[:rows],
            answers=answers,
            ask=self.ask,
            scores=self.scores,
            own=answers.astype(int),
            **more,
        )

    def pool(self, space: Space) -> Pool:
        """Give rows to start from."""
        return Pool.drawn(space.encode(self.data), self.ask(self.data), np.random.default_rng(0))


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Call, and give the CPU seconds that it took."""
    start_s = time.process_time()
    result = call()
    return result, time.process_time() - start_s
