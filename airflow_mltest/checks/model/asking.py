"""Ask a model, and make sure that what it gives are answers to what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from airflow_mltest.core.ports import Model

# Of a million rows, the model's own copies and ours must not be there all at once.
BATCH_ROWS = 50_000


def predicted(model: Model, rows: pd.DataFrame, columns: Sequence[str] | None = None) -> np.ndarray:
    """
    Let *model* answer *rows*, in batches.

    Args:
        model: Who answers.
        rows: What it is asked about, shape (n, any).
        columns: Those of the columns that it takes, in its order; None: all. They are picked batch by batch.

    Returns:
        Labels or numbers, shape (n,).

    Raises:
        ConfigurationError: It raised, or gave other than one finite answer a row, in the rows' order.
    """
    return np.concatenate([_answers(model, batch) for batch in _batches(rows, columns)])


def scored(model: Model, rows: pd.DataFrame, columns: Sequence[str] | None = None) -> np.ndarray | None:
    """Let *model* give probabilities, likewise; shape (n, classes), None if it has none."""
    found = []
    for batch in _batches(rows, columns):
        scores = _scores(model, batch)
        if scores is None:
            return None
        found.append(scores)
    return np.concatenate(found)


def _batches(rows: pd.DataFrame, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
    for start in range(0, max(len(rows), 1), BATCH_ROWS):
        batch = rows.iloc[start : start + BATCH_ROWS]
        yield batch if columns is None else batch[list(columns)]


def _answers(model: Model, rows: pd.DataFrame) -> np.ndarray:
    given = _called(model, "predict", rows)
    _require_order(model, given, rows)
    answers = np.asarray(given)
    if answers.ndim == 2 and answers.shape[1] == 1:  # noqa: PLR2004  a table of one column
        answers = answers[:, 0]
    if answers.shape != (len(rows),):
        msg = f"{model.uri} gave answers of shape {answers.shape} to {len(rows)} rows; ({len(rows)},) was wanted."
        raise ConfigurationError(msg)
    return _finite(model, "answers", answers, rows)


def _scores(model: Model, rows: pd.DataFrame) -> np.ndarray | None:
    scores = _called(model, "scores", rows)
    if scores is None:
        return None
    scores = np.asarray(scores)
    if scores.ndim != 2 or len(scores) != len(rows):  # noqa: PLR2004
        msg = f"{model.uri} gave probabilities of shape {scores.shape} to {len(rows)} rows; (rows, classes) was wanted."
        raise ConfigurationError(msg)
    return _finite(model, "probabilities", scores, rows)


def _called(model: Model, method: str, rows: pd.DataFrame) -> Any:
    try:
        # A copy: a model that writes into its input must not change what the next check sees.
        return getattr(model, method)(rows.copy())
    except Exception as error:
        what = f"{model.uri} raised {type(error).__name__} when asked about {len(rows)} rows: {error}"
        msg = what + _blamed(model, method, rows)
        raise ConfigurationError(msg) from error


def _blamed(model: Model, method: str, rows: pd.DataFrame) -> str:
    """Find a row that the model refuses also without the others; say nothing if it is no single one."""
    if len(rows) == 1 or _refuses(model, method, rows.iloc[:1]):  # likely it takes nothing at all
        return ""
    while len(rows) > 1:
        half = len(rows) // 2
        parts = [part for part in (rows.iloc[:half], rows.iloc[half:]) if _refuses(model, method, part)]
        if len(parts) != 1:  # it refuses all there is, or none of it alone
            return ""
        rows = parts[0]
    return f" It is row {rows.index[0]} that it does not take: {rows.iloc[0].to_dict()}."


def _refuses(model: Model, method: str, rows: pd.DataFrame) -> bool:
    try:
        getattr(model, method)(rows.copy())
    except Exception:  # noqa: BLE001  whatever a model raises
        return True
    return False


def _require_order(model: Model, given: Any, rows: pd.DataFrame) -> None:
    """Refuse answers that say themselves that they are those of other rows."""
    import pandas as pd

    if not isinstance(given, (pd.Series, pd.DataFrame)) or given.index.equals(rows.index):
        return
    if len(given) == len(rows) and not given.index.equals(pd.RangeIndex(len(rows))):
        msg = f"{model.uri} gave answers whose index is not that of the rows: they are in another order, or of others."
        raise ConfigurationError(msg)


def _finite(model: Model, what: str, values: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    import pandas as pd

    wrong = pd.isna(values)
    if values.dtype.kind == "f":
        wrong |= np.isinf(values)
    if wrong.any():
        of_row = wrong.reshape(len(rows), -1).any(axis=1)
        first = rows.index[int(np.argmax(of_row))]
        msg = f"{model.uri} gave {what} that are no numbers to {int(of_row.sum())} rows, the first is row {first}."
        raise ConfigurationError(msg)
    return values
