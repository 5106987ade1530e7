"""The model that a check asks, the rows it is asked about, and its answers, given once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """

    model: Model
    rows: pd.DataFrame
    target: str
    baseline: Model | None = None
    baseline_absent: str = ""
    seed: int = 0
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
        if name not in self.rows.columns:
            names = [str(column) for column in self.rows.columns]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" did you mean {near[0]!r}?" if near else ""
            msg = f"there is no column {name!r};{hint} the data has {', '.join(names)}."
            raise ConfigurationError(msg)
        return self.rows[name]

    def rng(self) -> np.random.Generator:
        """Give a generator of this subject's seed: a check's luck does not depend on the others."""
        return np.random.default_rng(self.seed)

    @cached_property
    def labels(self) -> np.ndarray:
        """The truth, shape (n,)."""
        return self.rows[self.target].to_numpy()

    def features_for(self, model: Model) -> pd.DataFrame:
        """Give the columns that *model*'s signature names, in its order; without one, all but the target."""
        if model.inputs is None:
            return self.rows.drop(columns=[self.target])
        for name in model.inputs:
            self.column(name)
        return self.rows[list(model.inputs)]

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
        return answers

    def _once(
        self, key: str, ask: Callable[[Model, pd.DataFrame], np.ndarray | None], model: Model
    ) -> np.ndarray | None:
        """Ask, or give what it said the first time; a model that fails after a minute fails once, not once a check."""
        if key not in self._kept:
            try:
                self._kept[key] = ask(model, self.features_for(model))
            except ConfigurationError as error:
                self._kept[key] = error
        kept = self._kept[key]
        if isinstance(kept, ConfigurationError):
            raise kept
        return kept


def predicted(model: Model, rows: pd.DataFrame) -> np.ndarray:
    """
    Let *model* answer *rows*, and make sure that these are answers.

    Raises:
        ConfigurationError: It raised, or gave other than one finite answer a row.
    """
    answers = _called(model, "predict", rows)
    if answers.shape != (len(rows),):
        msg = f"{model.uri} gave answers of shape {answers.shape} to {len(rows)} rows; ({len(rows)},) was wanted."
        raise ConfigurationError(msg)
    return _finite(model, "answers", answers)


def scored(model: Model, rows: pd.DataFrame) -> np.ndarray | None:
    """Let *model* give probabilities, likewise; None if it has none."""
    scores = _called(model, "scores", rows)
    if scores is None:
        return None
    if scores.ndim != 2 or len(scores) != len(rows):  # noqa: PLR2004
        msg = f"{model.uri} gave probabilities of shape {scores.shape} to {len(rows)} rows; (rows, classes) was wanted."
        raise ConfigurationError(msg)
    return _finite(model, "probabilities", scores)


def _called(model: Model, method: str, rows: pd.DataFrame) -> Any:
    try:
        # A copy: a model that writes into its input must not change what the next check sees.
        answers = getattr(model, method)(rows.copy())
    except Exception as error:
        msg = f"{model.uri} raised {type(error).__name__} when asked about {len(rows)} rows: {error}"
        raise ConfigurationError(msg) from error
    return None if answers is None else np.asarray(answers)


def _finite(model: Model, what: str, values: np.ndarray) -> np.ndarray:
    import pandas as pd

    wrong = pd.isna(values)
    if values.dtype.kind == "f":
        wrong |= np.isinf(values)
    if wrong.any():
        first = int(np.argwhere(wrong)[0][0])
        msg = f"{model.uri} gave {what} that are no numbers to {int(wrong.sum())} rows, the first is row {first}."
        raise ConfigurationError(msg)
    return values
