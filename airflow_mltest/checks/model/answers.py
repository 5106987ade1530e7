"""What one model says to the rows of one table, asked at most once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, MltestError

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.core.ports import Model


class Answers:
    """
    Ask *model* about *features* when an answer is first needed, and check that it is one.

    The model gets a copy, so whatever it does to its input stays its own. An error is remembered,
    too: a model that fails after a minute fails once, not once a check.

    Args:
        model: Who is asked.
        features: The rows, as the model takes them.
    """

    def __init__(self, model: Model, features: pd.DataFrame) -> None:
        self.model = model
        self.features = features
        self._said: dict[str, np.ndarray | None | MltestError] = {}

    @property
    def predictions(self) -> np.ndarray:
        """
        Labels or numbers, shape (n,), none of them missing.

        Raises:
            BrokenRunError: The model raised.
            ConfigurationError: It answered something else.
        """
        predictions = self._ask("predict", dimensions=1)
        if predictions is None:
            msg = f"Model {self.model.uri!r} predicts nothing: predict() gave None."
            raise ConfigurationError(msg)
        return predictions

    @property
    def scores(self) -> np.ndarray | None:
        """
        Probabilities, shape (n, classes), none of them missing; None if the model gives none.

        Raises:
            BrokenRunError: The model raised.
            ConfigurationError: It answered something else.
        """
        return self._ask("scores", dimensions=2)

    def _ask(self, question: str, *, dimensions: int) -> np.ndarray | None:
        if question not in self._said:
            try:
                self._said[question] = self._checked(question, dimensions)
            except MltestError as error:
                self._said[question] = error
        said = self._said[question]
        if isinstance(said, MltestError):
            raise said
        return said

    def _checked(self, question: str, dimensions: int) -> np.ndarray | None:
        who = f"Model {self.model.uri!r}: {question}()"
        try:
            said = getattr(self.model, question)(self.features.copy())
        except Exception as error:
            msg = f"{who} could not answer {len(self.features)} rows: {type(error).__name__}: {error}"
            raise BrokenRunError(msg) from error
        if said is None:
            return None
        answer = plain(said)
        if dimensions == 1 and answer.ndim == 2 and answer.shape[1] == 1:  # noqa: PLR2004 - a table of one column
            answer = answer[:, 0]
        if answer.ndim != dimensions or len(answer) != len(self.features):
            wanted = f"({len(self.features)},)" if dimensions == 1 else f"({len(self.features)}, classes)"
            msg = f"{who} gave an answer of shape {answer.shape} to {len(self.features)} rows; it must be {wanted}."
            raise ConfigurationError(msg)
        missing = _missing(answer)
        if missing.any():
            rows = missing.reshape(len(answer), -1).any(axis=1)
            msg = (
                f"{who} gave NaN or infinity for {rows.sum()} of {len(answer)} rows, "
                f"first for row {rows.argmax()} (from 0): there is nothing to judge."
            )
            raise ConfigurationError(msg)
        return answer


def plain(values: Any) -> np.ndarray:
    """Give *values* as an array of numpy's own types where pandas wrapped them in objects."""
    array = np.asarray(values)
    if array.dtype == object and array.ndim == 1 and not _missing(array).any():
        return np.asarray(array.tolist())
    return array


def _missing(array: np.ndarray) -> np.ndarray:
    import pandas as pd

    if array.dtype.kind in "fc":
        return ~np.isfinite(array)
    return np.asarray(pd.isna(array))
