"""Small honest models, and rows that they are asked about."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.model.subject import ModelSubject


@dataclass
class Rule:
    """A model that is a function of its rows; `answer` may misbehave in any way."""

    answer: object
    probability: object = None
    inputs: object = None
    uri: str = "a rule"
    asked: list = field(default_factory=list)

    def predict(self, rows):
        self.asked.append(len(rows))
        return self.answer(rows)

    def scores(self, rows):
        if self.probability is None:
            return None
        chance = np.asarray(self.probability(rows))
        return np.c_[1 - chance, chance]


@pytest.fixture
def rule():
    return Rule


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"x": rng.normal(size=2000), "n": rng.integers(0, 9, size=2000)})
    found["y"] = (found["x"] + rng.normal(scale=0.5, size=2000) > 0).astype(int)
    found["country"] = np.where(np.arange(2000) % 2, "nl", "de")
    return found


@pytest.fixture
def sensible():
    return Rule(lambda r: (r["x"] > 0).astype(int).to_numpy(), lambda r: 1 / (1 + np.exp(-3 * r["x"])))


@pytest.fixture
def subject(rows, sensible):
    def make(model=sensible, baseline=None, rows=rows, **more):
        return ModelSubject(model=model, rows=rows, target="y", baseline=baseline, **more)

    return make
