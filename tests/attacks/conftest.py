"""Rows, models, and targets made of them."""

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.space import Space
from airflow_mltest.attacks.starts import Pool
from airflow_mltest.attacks.target import Target


@pytest.fixture(scope="session")
def loans():
    """Applicants of many types: what they earn and owe, what is left, and who is refused."""
    rng = np.random.default_rng(0)
    n = 1200
    rows = pd.DataFrame(
        {
            "income": rng.lognormal(10, 0.5, n).astype("float32"),
            "debt": rng.lognormal(9, 0.8, n),
            "age": rng.integers(18, 80, n).astype("int16"),
            "late": rng.poisson(1, n),
            "years": pd.array(rng.integers(0, 30, n), dtype="Int64"),
            "job": pd.Categorical(rng.choice(["clerk", "cook", "nurse"], n)),
            "owner": rng.random(n) < 0.4,
            "town": rng.choice(["Delft", "Ghent"], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, n), unit="D"),
        }
    )
    rows["left"] = rows["income"].astype(float) - rows["debt"]
    rows.loc[rng.random(n) < 0.05, "debt"] = np.nan
    rows.loc[rng.random(n) < 0.05, "years"] = pd.NA
    return rows


@pytest.fixture(scope="session")
def lender():
    """A model with every kind of step: thresholds, categories, a missing value."""

    def chance(rows):
        total = rows["left"].to_numpy(float) / 15_000 - 0.8 * rows["late"].to_numpy(float)
        total += 0.03 * rows["years"].to_numpy(dtype=float, na_value=10.0) - 0.01 * rows["age"].to_numpy(float)
        total += 0.6 * (rows["job"] == "nurse").to_numpy(bool) + 0.4 * rows["owner"].to_numpy(bool)
        total += 0.3 * (rows["town"] == "Ghent").to_numpy(bool) + 0.2 * rows["debt"].isna().to_numpy(bool)
        return 1 / (1 + np.exp(-np.floor(4 * total) / 4))

    return chance


@pytest.fixture(scope="session")
def aim():
    """Make a target and a pool of a function that gives probabilities."""

    def make(chance, rows, *, constraints=None, attacked=None, scores=True, **more):
        constraints = constraints or Constraints()

        def answers(frame):
            return np.where(chance(frame) > 0.5, "yes", "no")

        def probabilities(frame):
            found = chance(frame)
            return np.c_[1 - found, found]

        some = rows if attacked is None else rows.iloc[attacked]
        first = answers(some)
        space = Space.of(rows, constraints)
        target = Target(
            space=space,
            constraints=constraints,
            rows=some,
            answers=first,
            ask=answers,
            scores=probabilities if scores else None,
            own=(first == "yes").astype(int) if scores else None,
            **more,
        )
        return target, Pool.drawn(space.encode(rows), answers(rows), np.random.default_rng(0))

    return make
