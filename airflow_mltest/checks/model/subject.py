"""The model that a check asks, the rows it is asked about, and its answers, given once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.model.asking import predicted, scored
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from airflow_mltest.core.ports import Model


@dataclass(kw_only=True)
class ModelSubject:
    """
    What a model check's `run` is given. What several checks need is computed once, when first needed.

    Args:
        model: The model under test.
        rows: Features, the target, and whatever else slices are made by.
        target: The column with the truth.
        baseline: The model to compare with, if there is one.
        baseline_absent: Why there is none.
        seed: For everything that draws.
        tables: Other data that checks ask for, by what they call it: paths, or callables, that have been read.
        on_progress: Told of long work: how much of it is done, of how much.
    """

    model: Model
    rows: pd.DataFrame
    target: str
    baseline: Model | None = None
    baseline_absent: str = ""
    seed: int = 0
    tables: Mapping[Any, pd.DataFrame] = field(default_factory=dict)
    on_progress: Callable[[int, int], None] = field(default=lambda *_: None, repr=False)
    _kept: dict[str, np.ndarray | ConfigurationError | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.rows.empty:
            msg = "there are no rows to test the model on."
            raise ConfigurationError(msg)
        self.column(self.target)
        missing = int(self.rows[self.target].isna().sum())
        if missing:
            msg = f"target {self.target!r} is missing in {missing} of {len(self.rows)} rows: drop them, or mend them."
            raise ConfigurationError(msg)

    def column(self, name: str) -> pd.Series[Any]:
        """
        Give a column of the rows.

        Raises:
            ConfigurationError: There is none of that name; the message has the nearest one.
        """
        return column_of(self.rows, name, "the data")

    def progress(self, done: int, total: int) -> None:
        """Tell how far long work is; as often as you like."""
        self.on_progress(done, total)

    def table(self, source: str | Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """
        Give other data that a check names, such as what the model was trained on.

        Args:
            source: A path that the caller has read, or a callable that gives a data frame.

        Raises:
            ConfigurationError: Nobody has read it.
        """
        if source in self.tables:
            return self.tables[source]
        if not callable(source):
            msg = f"nobody has read {source!r}: give `tables` with it, or a callable that returns the data frame."
            raise ConfigurationError(msg)
        return source()

    def rng(self) -> np.random.Generator:
        """Give a generator of this subject's seed: a check's luck does not depend on the others."""
        return np.random.default_rng(self.seed)

    @cached_property
    def labels(self) -> np.ndarray:
        """The truth, shape (n,)."""
        return self.rows[self.target].to_numpy()

    def columns_for(self, model: Model) -> list[str]:
        """
        Name the columns that *model* is given: those of its signature, in its order; without one, all but the target.

        Raises:
            ConfigurationError: The data lacks one.
        """
        if model.inputs is None:
            return [column for column in self.rows.columns if column != self.target]
        for name in model.inputs:
            self.column(name)
        return list(model.inputs)

    def features_for(self, model: Model) -> pd.DataFrame:
        """Give *model*'s columns of all rows; shape (n, columns)."""
        return self.rows[self.columns_for(model)]

    def ask(self, rows: pd.DataFrame) -> np.ndarray:
        """Let the model under test answer other rows of its features; shape (n,)."""
        return predicted(self.model, rows)

    def ask_scores(self, rows: pd.DataFrame) -> np.ndarray | None:
        """Let it give probabilities for them, shape (n, classes); None if it gives none."""
        return scored(self.model, rows)

    @property
    def features(self) -> pd.DataFrame:
        """What the model under test is given."""
        return self.features_for(self.model)

    @property
    def predictions(self) -> np.ndarray:
        """The model's answers, shape (n,)."""
        return self._predicted("predictions", self.model)

    @property
    def scores(self) -> np.ndarray | None:
        """The model's probabilities, shape (n, classes); None if it gives none."""
        return self._once("scores", scored, self.model)

    @property
    def baseline_predictions(self) -> np.ndarray:
        """The baseline's answers on the same rows, shape (n,)."""
        return self._predicted("baseline_predictions", self._baseline())

    @property
    def baseline_scores(self) -> np.ndarray | None:
        """The baseline's probabilities on the same rows, shape (n, classes); None if it gives none."""
        return self._once("baseline_scores", scored, self._baseline())

    def _baseline(self) -> Model:
        if self.baseline is None:
            msg = f"there is no baseline to compare with: {self.baseline_absent or 'none was given'}."
            raise ConfigurationError(msg)
        return self.baseline

    def _predicted(self, key: str, model: Model) -> np.ndarray:
        answers = self._once(key, predicted, model)
        assert answers is not None  # noqa: S101  `predicted` gives an array or raises
        if _is_text(answers) != _is_text(self.labels):
            msg = (
                f"{model.uri} answers with {answers[0]!r}, and the target {self.target!r} is {self.labels[0]!r}: text "
                "and numbers are never equal. Train on the target's own values, or convert the column."
            )
            raise ConfigurationError(msg)
        return answers

    def _once(
        self, key: str, ask: Callable[[Model, pd.DataFrame, list[str]], np.ndarray | None], model: Model
    ) -> np.ndarray | None:
        """Ask, or give what it said the first time; a model that fails after a minute fails once, not once a check."""
        if key not in self._kept:
            try:
                self._kept[key] = ask(model, self.rows, self.columns_for(model))
            except ConfigurationError as error:
                self._kept[key] = error
        kept = self._kept[key]
        if isinstance(kept, ConfigurationError):
            raise kept
        return kept


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "US" or (values.dtype.kind not in "biufc" and isinstance(values[0], str))
