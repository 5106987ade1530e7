"""A model, the rows to test it on, and what it says to them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from airflow_mltest.checks.model.answers import Answers, plain
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from airflow_mltest.core.ports import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelSubject:
    """
    What a model check is asked about.

    Each answer of a model is computed when the first check needs it, and shared by all.

    Args:
        model: The model under test.
        rows: Features, the target and whatever else slices are cut by; at least one row.
        target: The column that holds the truth, without gaps.
        baseline: The model that is in place now, if there is one.
        baseline_absent: Why there is none, for a person to read.
        seed: Of all luck in the checks.

    Raises:
        ConfigurationError: There are no rows, no such target, or gaps in it.
    """

    model: Model
    rows: pd.DataFrame
    target: str
    baseline: Model | None = None
    baseline_absent: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.target not in self.rows.columns:
            msg = f"The data has no target column {self.target!r}{nearest(self.target, self.rows.columns)}."
            raise ConfigurationError(msg)
        if self.rows.empty:
            msg = f"The data has no rows (columns: {', '.join(map(str, self.rows.columns))}): nothing can be tested."
            raise ConfigurationError(msg)
        gaps = int(self.rows[self.target].isna().sum())
        if gaps:
            msg = f"{gaps} of {len(self.rows)} rows have no {self.target!r}: leave them out, or fill them in."
            raise ConfigurationError(msg)

    @cached_property
    def labels(self) -> np.ndarray:
        """The truth, shape (n,)."""
        return plain(self.rows[self.target])

    @cached_property
    def features(self) -> pd.DataFrame:
        """The columns that the model takes, in its order; without a signature all but the target."""
        return self.features_of(self.model)

    @cached_property
    def answers(self) -> Answers:
        """What the model says to the rows."""
        return Answers(self.model, self.features)

    @cached_property
    def baseline_answers(self) -> Answers | None:
        """What the baseline says to the same rows; None without a baseline."""
        return Answers(self.baseline, self.features_of(self.baseline)) if self.baseline else None

    @property
    def predictions(self) -> np.ndarray:
        """What the model predicts, shape (n,)."""
        return self.answers.predictions

    @property
    def scores(self) -> np.ndarray | None:
        """Its probabilities, shape (n, classes); None if it gives none."""
        return self.answers.scores

    @property
    def baseline_predictions(self) -> np.ndarray | None:
        """What the baseline predicts for the same rows, shape (n,); None without a baseline."""
        return self.baseline_answers.predictions if self.baseline_answers else None

    @property
    def baseline_scores(self) -> np.ndarray | None:
        """Its probabilities, shape (n, classes); None without a baseline, or if it gives none."""
        return self.baseline_answers.scores if self.baseline_answers else None

    def features_of(self, model: Model) -> pd.DataFrame:
        """
        Select the columns that *model* takes.

        Raises:
            ConfigurationError: The data lacks one of them.
        """
        if not model.inputs:
            return self.rows.drop(columns=self.target)
        missing = [name for name in model.inputs if name not in self.rows.columns]
        if missing:
            msg = (
                f"Model {model.uri!r} takes columns that the data does not have: "
                f"{', '.join(map(repr, missing))}{nearest(missing[0], self.rows.columns)}."
            )
            raise ConfigurationError(msg)
        return self.rows[list(model.inputs)]

    def rng(self) -> np.random.Generator:
        """Luck that starts anew: what one check draws does not change what the next one does."""
        return np.random.default_rng(self.seed)


def nearest(name: str, known: Iterable[object]) -> str:
    """End a sentence about an unknown *name*: with the likeliest one meant, or some that there are."""
    names = [str(one) for one in known]
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?" + f" There are {_some(names)}"
    return f"; there are {_some(names)}"


def _some(names: list[str], limit: int = 20) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
