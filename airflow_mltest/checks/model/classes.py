"""Are the answers classes, or are they numbers?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

# More different numbers than this are measured, not classes.
_MOST_CLASSES = 100


def gives_classes(subject: ModelSubject) -> bool:
    """
    Say whether the model sorts rows into classes.

    It does if it gives probabilities, if the target is text or a truth value, or if both the target and
    the answers are few whole numbers. scikit-learn's `type_of_target` takes every whole number for a
    class, also a delay in minutes.

    Raises:
        ConfigurationError: The model gave no answers.
    """
    if subject.scores is not None or subject.labels.dtype.kind not in "fiu":
        return True
    if subject.predictions.dtype.kind not in "fiub":
        return True
    values = [np.unique(array.astype(float)) for array in (subject.labels, subject.predictions)]
    return len(values[0]) <= _MOST_CLASSES and all((found == np.floor(found)).all() for found in values)
