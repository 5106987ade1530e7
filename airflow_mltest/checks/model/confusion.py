"""Metrics of a confusion matrix, for many matrices at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Cells of a table of truth and answers, above which drawing rows is cheaper than drawing cells.
_MOST_CELLS = 1000


def cells_of(labels: np.ndarray, *given: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """
    Count the rows by truth and by the answers of one or more models.

    Args:
        labels: The truth, shape (n,).
        given: The answers of each model, shape (n,).
        known: Classes that count even where no row has them.

    Returns:
        Rows, shape (classes, ...) with an axis for the truth and one a model; None if there are too
        many cells for a table to be of use.
    """
    if any(one.ndim != 1 for one in given):
        return None
    classes = np.unique(np.concatenate([known, labels, *given]))
    if len(classes) ** (1 + len(given)) > _MOST_CELLS:
        return None
    where = [np.searchsorted(classes, one) for one in (labels, *given)]
    shape = (len(classes),) * len(where)
    return np.bincount(np.ravel_multi_index(where, shape), minlength=math.prod(shape)).reshape(shape)


def cell_metric(function: str, keywords: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray] | None:
    """
    Find a metric as a function of confusion matrices.

    Args:
        function: The function's name in `sklearn.metrics`.
        keywords: What it is called with; `average` is understood.

    Returns:
        It takes matrices, shape (..., classes, classes), truth before prediction, the positive
        class of two last, and gives metrics, shape (...), equal to scikit-learn's with
        `zero_division=0`. None if the metric is not a function of them, or not known here.
    """
    if function in _WHOLE:
        return _WHOLE[function]
    ratio, combine = _RATIOS.get(function), _AVERAGES.get(keywords.get("average", "binary"))
    if ratio is None or combine is None:
        return None
    return lambda cells: combine(*ratio(*_margins(cells)), cells)


def proportion(function: str, keywords: Mapping[str, Any], cells: np.ndarray) -> tuple[int, int] | None:
    """
    Count the successes and trials of which a metric is the success rate.

    Such a metric has an exact interval. F1 is none, but depends on one only: f1 = 2 j / (1 + j),
    where j is the Jaccard index, so for it those of the index are given.

    Returns:
        Successes and trials in one confusion matrix; None if the metric is not a rate.
    """
    if function == "accuracy_score":
        return int(np.trace(cells)), int(cells.sum())
    if function not in _RATIOS or keywords.get("average", "binary") != "binary":
        return None
    over, under = _RATIOS["jaccard_score" if function == "f1_score" else function](*_margins(cells))
    return int(over[-1]), int(under[-1])


def unseen_errors(classes: int, *, models: int) -> np.ndarray:
    """
    Imagine errors that a few rows did not show, as Jeffreys' prior does for a rate.

    Returns:
        For each true class half a row answered right and half a row answered wrong, shape (classes,
        classes); of two models half a row that only the one has right, and half a row that only the
        other has, shape (classes, classes, classes).
    """
    truth = np.arange(classes)
    wrong = 0.5 / max(classes - 1, 1)
    if models == 1:
        table = np.full((classes, classes), wrong)
        table[truth, truth] = 0.5
        return table
    table = np.zeros((classes, classes, classes))
    table[truth, truth, :] = wrong
    table[truth, :, truth] = wrong
    table[truth, truth, truth] = 0.0
    return table


def _margins(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the rows of each class that are right, truly of it, and predicted: shapes (..., classes)."""
    return np.diagonal(cells, axis1=-2, axis2=-1), cells.sum(axis=-1), cells.sum(axis=-2)


def _divide(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    over, under = np.broadcast_arrays(np.asarray(over, dtype=float), np.asarray(under, dtype=float))
    quotient: np.ndarray = np.divide(over, under, out=np.zeros(over.shape), where=under > 0)
    return quotient


def _macro(over: np.ndarray, under: np.ndarray, cells: np.ndarray) -> np.ndarray:
    _, actual, predicted = _margins(cells)
    present = actual + predicted > 0
    return _divide((_divide(over, under) * present).sum(axis=-1), present.sum(axis=-1))


def _weighted(over: np.ndarray, under: np.ndarray, cells: np.ndarray) -> np.ndarray:
    _, actual, _ = _margins(cells)
    return _divide((_divide(over, under) * actual).sum(axis=-1), actual.sum(axis=-1))


def _accuracy(cells: np.ndarray) -> np.ndarray:
    right, actual, _ = _margins(cells)
    return _divide(right.sum(axis=-1), actual.sum(axis=-1))


def _balanced_accuracy(cells: np.ndarray) -> np.ndarray:
    right, actual, _ = _margins(cells)
    return _divide(_divide(right, actual).sum(axis=-1), (actual > 0).sum(axis=-1))


def _matthews(cells: np.ndarray) -> np.ndarray:
    right, actual, predicted = _margins(cells)
    rows = actual.sum(axis=-1)
    together = right.sum(axis=-1) * rows - (actual * predicted).sum(axis=-1)
    of_truth = rows**2 - (actual**2).sum(axis=-1)
    of_answer = rows**2 - (predicted**2).sum(axis=-1)
    return _divide(together, np.sqrt(of_truth * of_answer))


_WHOLE = {
    "accuracy_score": _accuracy,
    "balanced_accuracy_score": _balanced_accuracy,
    "matthews_corrcoef": _matthews,
}
_RATIOS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "precision_score": lambda right, _, predicted: (right, predicted),
    "recall_score": lambda right, actual, _: (right, actual),
    "f1_score": lambda right, actual, predicted: (2 * right, actual + predicted),
    "jaccard_score": lambda right, actual, predicted: (right, actual + predicted - right),
}
_AVERAGES: dict[Any, Callable[..., np.ndarray]] = {
    "binary": lambda over, under, _: _divide(over[..., -1], under[..., -1]),
    "micro": lambda over, under, _: _divide(over.sum(axis=-1), under.sum(axis=-1)),
    "macro": _macro,
    "weighted": _weighted,
}
