"""threadpoolctl: the conditions under which two runs give the same numbers."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.environment import conditions
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = (
    *("airflow-mltest", "mlflow", "numpy", "pandas", "scikit-learn", "scipy"),
    *("catboost", "lightgbm", "tensorflow", "torch", "xgboost"),
)


@contextmanager
def controlled(seed: int) -> Iterator[dict[str, Any]]:
    """
    Seed what draws from global generators, and hold numeric libraries to one thread.

    More threads than idle cores make one prediction take a hundred times as long as the next,
    and sum in another order.

    Yields:
        The conditions, for the record: seed, threads, how calls are timed, versions, CPUs, load.
    """
    with extra("model", provides="threadpoolctl"):
        from threadpoolctl import threadpool_limits
    random_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  models may draw from it
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        with threadpool_limits(limits=1):
            timed = "after a warm-up, with the garbage collector off"
            yield {"seed": seed, "threads": 1, "timed_calls": timed, **conditions(_PACKAGES)}
    finally:
        random.setstate(random_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
