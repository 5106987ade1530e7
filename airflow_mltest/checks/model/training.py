"""Does training with the same seed make the same model?"""

from __future__ import annotations

import inspect
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.agreement import LAST_BITS, Said, first_difference
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReproducible:
    """
    Trained twice with the same seed, the model answers the same.

    The global generators of `random` and numpy are set to the seed before each training, too, so what
    differs comes from elsewhere: a generator of its own, the order of a set, threads, the clock.

    Args:
        train: Takes a seed and trains; gives what has `predict` (and perhaps `predict_proba`), or a
            function of a data frame.
        rows: How many of the tested rows to compare answers on.
        max_seconds: No second training is begun when it would not end by then.
    """

    train: Callable[[int], Any]
    rows: int = 200
    max_seconds: float = 600.0

    def __post_init__(self) -> None:
        if not callable(self.train) or self.rows < 1 or not self.max_seconds > 0:
            msg = "TrainingReproducible: train is a function of a seed, rows 1 or more, max_seconds above 0."
            raise ConfigurationError(msg)
        try:
            inspect.signature(self.train).bind(0)
        except TypeError as error:
            msg = f"TrainingReproducible: train is called with one seed, `train(0)`: {error}."
            raise ConfigurationError(msg) from error
        except ValueError:  # written in C: it does not say what it takes
            pass

    def run(self, subject: ModelSubject) -> Case:
        """Train, ask, train, ask, compare."""
        features = subject.features
        rows = features.iloc[subject.rng().permutation(len(features))[: self.rows]]
        subject.progress(0, 2)
        start_s = time.monotonic()
        first = self._trained(subject.seed)
        took_s = time.monotonic() - start_s
        subject.progress(1, 2)
        if took_s > self.max_seconds / 2:
            detail = f"the first training took {took_s:.3g} s, and both may take {self.max_seconds:g}: "
            detail += f"give max_seconds={2.5 * took_s:.2g}, or train on fewer rows"
            return Case(name="training_reproducible", outcome=Outcome.INCONCLUSIVE, detail=detail)
        before = Said.by(first, rows)
        second = self._trained(subject.seed)
        if second.trained is first.trained:
            msg = "train gave the very same object twice: it must train anew each time that it is called."
            raise ConfigurationError(msg)
        found = first_difference(before, Said.by(second, rows), tolerance=LAST_BITS)
        subject.progress(2, 2)
        if found:
            detail = f"row {rows.index[found.place]} is answered {found.before} by the first training and "
            detail += f"{found.after} by the second, both with seed {subject.seed}"
            return Case(name="training_reproducible", outcome=Outcome.FAILED, detail=detail)
        detail = f"{len(rows)} rows are answered the same after both trainings of {took_s:.3g} s"
        return Case(name="training_reproducible", outcome=Outcome.PASSED, detail=detail)

    def _trained(self, seed: int) -> _Trained:
        with _seeded(seed):
            try:
                trained = self.train(seed)
            except Exception as error:
                msg = f"train({seed}) raised {type(error).__name__}: {error}"
                raise ConfigurationError(msg) from error
        if not callable(getattr(trained, "predict", trained)):
            msg = f"train({seed}) gave {type(trained).__name__}, which neither has `predict` nor can be called."
            raise ConfigurationError(msg)
        return _Trained(trained=trained)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    """What a user's function has trained, as a model."""

    trained: Any
    uri: str = "the trained model"
    inputs: None = None

    def predict(self, rows: pd.DataFrame) -> Any:
        return getattr(self.trained, "predict", self.trained)(rows)

    def scores(self, rows: pd.DataFrame) -> np.ndarray | None:
        if not hasattr(self.trained, "predict_proba"):
            return None
        return np.asarray(self.trained.predict_proba(rows))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Set the global generators for the body, and leave them as they were."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002  training may draw from it
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
