"""How may the area under the ROC curve of several classes vary? As its parts do, on the same rows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.core.statistics import auc_influence

if TYPE_CHECKING:
    from collections.abc import Mapping

# A class of fewer rows says too little of how its area varies.
_FEWEST_OF_A_CLASS = 10


def multiclass_auc(
    labels: np.ndarray, scores: np.ndarray, classes: np.ndarray, keywords: Mapping[str, Any]
) -> tuple[float, np.ndarray] | None:
    """
    Give scikit-learn's `roc_auc_score` of several classes, unweighted, and how much each row moves it.

    It is a mean of areas of two classes (one against the rest, or each pair both ways), and each of
    these moves as DeLong's method says; a bootstrap of 100,000 rows takes a hundred times as long.

    Args:
        labels: The truth, shape (n,).
        scores: Probabilities, shape (n, classes).
        classes: All classes, in order.
        keywords: What the function is called with.

    Returns:
        The area and the influence of each row, shape (n,), whose squares add up to its variance; None
        for other averages, and where a class has fewer than 10 rows.
    """
    if keywords.get("average", "macro") != "macro" or keywords.get("max_fpr") is not None:
        return None
    members = [labels == one for one in classes]
    if scores.shape[1] != len(classes) or min(int(one.sum()) for one in members) < _FEWEST_OF_A_CLASS:
        return None
    everything = np.ones(len(labels), dtype=bool)
    parts = {
        "ovr": [(member, everything, scores[:, at]) for at, member in enumerate(members)],
        "ovo": [
            (members[a], members[a] | members[b], scores[:, a])
            for a, b in itertools.permutations(range(len(classes)), 2)
        ],
    }.get(keywords.get("multi_class", ""))
    if not parts:
        return None
    areas, influence = [], np.zeros(len(labels))
    for positive, among, score in parts:
        area, moved = auc_influence(positive[among], score[among])
        areas.append(area)
        influence[among] += moved / len(parts)
    return float(np.mean(areas)), influence
