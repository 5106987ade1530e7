"""What one model said about some rows, and about a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """
    What one model said about some rows.

    Args:
        labels: The truth, shape (n,).
        predictions: The model's answers, shape (n,).
        scores: Its probabilities, shape (n, classes); None if it gives none.
        whole: The answers that these are a slice of: a slice may lack a class that the model knows.
        weights: How much each row counts, shape (n,); None when all count the same.
    """

    labels: np.ndarray
    predictions: np.ndarray
    scores: np.ndarray | None
    whole: Answers | None = None
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, subject: ModelSubject, *, scores: bool) -> Answers:
        """Take what the model under test said; ask for probabilities only where a metric needs them."""
        return cls(labels=subject.labels, predictions=subject.predictions, scores=subject.scores if scores else None)

    @classmethod
    def of_baseline(cls, subject: ModelSubject, *, scores: bool) -> Answers:
        """Take what the baseline said, likewise."""
        return cls(
            labels=subject.labels,
            predictions=subject.baseline_predictions,
            scores=subject.baseline_scores if scores else None,
        )

    def __getitem__(self, rows: Any) -> Answers:
        return Answers(
            labels=self.labels[rows],
            predictions=self.predictions[rows],
            scores=None if self.scores is None else self.scores[rows],
            whole=self.whole or self,
            weights=None if self.weights is None else self.weights[rows],
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> np.ndarray:
        """All classes, in order; of two the greater is the positive one."""
        whole = self.whole or self
        known = np.unique(whole.labels)
        if whole.scores is not None and whole.scores.shape[1] == len(known):
            return known
        return np.union1d(known, whole.predictions)
