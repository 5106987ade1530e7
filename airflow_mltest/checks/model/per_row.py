"""What does each row add to a metric that is a mean over rows?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What scikit-learn computes for each output on its own: a row is made an output.
_BY_OUTPUT = {
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_pinball_loss",
    "mean_squared_error",
    "mean_squared_log_error",
}


def row_values(
    function: Callable[..., Any], truth: np.ndarray, given: np.ndarray, classes: np.ndarray, keywords: Mapping[str, Any]
) -> np.ndarray | None:
    """
    Split a metric into what each row adds.

    Args:
        function: Of `sklearn.metrics`.
        truth: Labels, shape (n,).
        given: Answers, shape (n,), or probabilities: of the greater of two classes, shape (n,), or
            of each class, shape (n, classes).
        classes: All classes, in order.
        keywords: What the function is called with.

    Returns:
        Values, shape (n,), whose mean is the metric; None if it is not known to be a mean.
    """
    name = function.__name__
    if name in {"accuracy_score", "zero_one_loss"}:
        return np.asarray((truth == given) == (name == "accuracy_score"), dtype=float)
    if name in _BY_OUTPUT:
        alone = {key: value for key, value in keywords.items() if key != "multioutput"}
        return np.asarray(function(truth[None], given[None], multioutput="raw_values", **alone), dtype=float)
    if name == "log_loss":
        return np.asarray(-np.log(np.clip(_of_truth(truth, given, classes), np.finfo(given.dtype).eps, 1)))
    if name == "brier_score_loss" and given.ndim == 1:
        return np.asarray((given - (truth == classes[-1])) ** 2, dtype=float)
    if name == "brier_score_loss" and keywords.get("scale_by_half", "auto") == "auto":
        return np.asarray(((given - (truth[:, None] == classes)) ** 2).sum(axis=1), dtype=float)
    return None


def _of_truth(truth: np.ndarray, given: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Pick the probability that each row's true class was given, shape (n,)."""
    table = np.column_stack([1 - given, given]) if given.ndim == 1 else given / given.sum(axis=1, keepdims=True)
    picked: np.ndarray = table[np.arange(len(truth)), np.searchsorted(classes, truth)]
    return picked
