"""What is a metric on these rows, and how far may that be from the truth?"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.confusion import cell_metric
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.statistics import Interval, auc_interval, bootstrap, bootstrap_cells, delong

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.checks.model.subject import ModelSubject

_RESAMPLES = 400
_CLASSES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """
    What one model said about some rows.

    Args:
        labels: The truth, shape (n,).
        predictions: The model's answers, shape (n,).
        scores: Its probabilities, shape (n, classes); None if it gives none.
    """

    labels: np.ndarray
    predictions: np.ndarray
    scores: np.ndarray | None

    @classmethod
    def of(cls, subject: ModelSubject) -> Answers:
        """Take what the model under test said."""
        return cls(labels=subject.labels, predictions=subject.predictions, scores=subject.scores)

    @classmethod
    def of_baseline(cls, subject: ModelSubject) -> Answers:
        """Take what the baseline said."""
        return cls(labels=subject.labels, predictions=subject.baseline_predictions, scores=subject.baseline_scores)

    def __getitem__(self, rows: Any) -> Answers:
        scores = None if self.scores is None else self.scores[rows]
        return Answers(labels=self.labels[rows], predictions=self.predictions[rows], scores=scores)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """
    A metric of scikit-learn, found by name.

    Args:
        name: As the user wrote it.
        sign: 1 when greater is better, -1 when less is.
        function: Takes labels and predictions, or labels and scores.
        needs_scores: Which of the two.
        of_cells: The same as a function of confusion matrices, if it is one; see `cell_metric`.
    """

    name: str
    sign: int
    function: Callable[[np.ndarray, np.ndarray], float]
    needs_scores: bool
    of_cells: Callable[[np.ndarray], np.ndarray] | None = None

    @classmethod
    def named(cls, name: str) -> Measure:
        """
        Find a scorer (`roc_auc`, `neg_log_loss`) or a function of `sklearn.metrics` (`log_loss`).

        Raises:
            ConfigurationError: There is none; the message has the nearest names.
        """
        import sklearn.metrics

        scorers = sklearn.metrics.get_scorer_names()
        functions = [found for found in sklearn.metrics.__all__ if found.endswith(("_score", "_loss", "_error"))]
        if name in scorers:
            scorer = sklearn.metrics.get_scorer(name)
            methods = scorer._response_method  # noqa: SLF001  no public word for what a scorer needs
            sign = scorer._sign  # noqa: SLF001
            keywords = scorer._kwargs  # noqa: SLF001
            plain = scorer._score_func  # noqa: SLF001
            return cls(
                name=name,
                sign=1,
                function=lambda truth, given: float(sign * plain(truth, given, **keywords)),
                needs_scores=methods != "predict",
                of_cells=cell_metric(plain.__name__, keywords) if sign > 0 else None,
            )
        if name in functions:
            function = getattr(sklearn.metrics, name)
            needs = name in {"roc_auc_score", "average_precision_score", "log_loss", "brier_score_loss", "hinge_loss"}
            sign = 1 if name.endswith("_score") else -1
            return cls(
                name=name, sign=sign, function=lambda truth, given: float(function(truth, given)), needs_scores=needs
            )
        near = difflib.get_close_matches(name, [*scorers, *functions], n=3)
        msg = f"scikit-learn has no metric {name!r}; {'near: ' + ', '.join(near) if near else 'see its scorer names'}."
        raise ConfigurationError(msg)

    @property
    def is_auc(self) -> bool:
        """Whether it is the area under the ROC curve."""
        return self.name in {"roc_auc", "roc_auc_score"}

    def given(self, answers: Answers) -> np.ndarray:
        """
        Pick what the metric is computed from: predictions, or the scores in the form it takes.

        Raises:
            ConfigurationError: It needs scores, and the model gives none.
        """
        if not self.needs_scores:
            return answers.predictions
        if answers.scores is None:
            msg = f"{self.name} needs probabilities, and the model gives only answers: log it with `predict_proba`."
            raise ConfigurationError(msg)
        return answers.scores[:, 1] if answers.scores.shape[1] == 2 else answers.scores  # noqa: PLR2004

    def value(self, answers: Answers) -> float:
        """
        Compute the metric.

        Raises:
            ConfigurationError: It is not defined on these rows, such as an AUC of one class.
        """
        if self.needs_scores and len(np.unique(answers.labels)) < 2:  # noqa: PLR2004
            msg = f"{self.name} needs rows of both classes, and all {len(answers)} are {answers.labels[0]!r}."
            raise ConfigurationError(msg)
        return self.function(answers.labels, self.given(answers))

    def interval(self, answers: Answers, confidence: float, rng: np.random.Generator) -> Interval:
        """
        Bound the true value.

        Exactly for `accuracy`, by DeLong for a binary AUC, else by bootstrap (of the confusion matrix,
        where the metric is a function of it: that is the same distribution in a thousandth of the time).

        Args:
            answers: What the model said.
            confidence: Of each end on its own, a share.
            rng: The luck of a bootstrap.
        """
        if self.name in {"accuracy", "accuracy_score"}:
            return _clopper_pearson(int((answers.labels == answers.predictions).sum()), len(answers), confidence)
        if self.is_auc and answers.scores is not None and answers.scores.shape[1] == 2:  # noqa: PLR2004
            positive = answers.labels == np.unique(answers.labels)[-1]
            area, covariance = delong(positive, answers.scores[:, 1])
            hits = int(positive.sum())
            return auc_interval(float(area[0]), float(covariance[0, 0]), hits, len(answers) - hits, confidence)
        if self.of_cells and (counts := _cells(answers.labels, answers.predictions)) is not None:
            # A bootstrap never draws an error that was not seen: two rows are imagined, spread over all cells.
            unseen = np.full(counts.shape, 2 / counts.size)
            return bootstrap_cells(self.of_cells, counts, rng=rng, confidence=confidence, unseen=unseen)
        return bootstrap(
            lambda rows: self._or_nan(answers[rows]), len(answers), rng=rng, confidence=confidence, resamples=_RESAMPLES
        )

    def difference(
        self, one: Answers, other: Answers, confidence: float, rng: np.random.Generator
    ) -> tuple[float, Interval]:
        """
        Give how much better *one* is than *other* on the same rows, and bound it; paired.

        Returns:
            The difference, greater is better whatever the metric, and its interval.
        """
        value = self.sign * (self.value(one) - self.value(other))
        if self.is_auc and all(given.scores is not None and given.scores.shape[1] == 2 for given in (one, other)):  # noqa: PLR2004
            positive = one.labels == np.unique(one.labels)[-1]
            _, covariance = delong(positive, one.scores[:, 1], other.scores[:, 1])  # type: ignore[index]  # not None, see above
            deviation = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
            reach = _normal(confidence) * deviation
            return value, Interval.between(value - reach, value + reach, confidence)
        of_cells = self.of_cells
        if of_cells and (counts := _cells(one.labels, one.predictions, other.predictions)) is not None:
            return value, bootstrap_cells(
                lambda cells: of_cells(cells.sum(axis=-1)) - of_cells(cells.sum(axis=-2)),
                counts,
                rng=rng,
                confidence=confidence,
            )
        return value, bootstrap(
            lambda rows: self.sign * (self._or_nan(one[rows]) - self._or_nan(other[rows])),
            len(one),
            rng=rng,
            confidence=confidence,
            resamples=_RESAMPLES,
        )

    def _or_nan(self, answers: Answers) -> float:
        """Compute it for a draw, which may lack a class."""
        try:
            return self.value(answers)
        except (ConfigurationError, ValueError):
            return float("nan")


def _cells(*answers: np.ndarray) -> np.ndarray | None:
    """Count rows by the truth and each model's answer; None where there are not a few classes of each."""
    classes = np.unique(np.concatenate(answers))
    if not 2 <= len(classes) <= _CLASSES:  # noqa: PLR2004
        return None
    counts = np.zeros((len(classes),) * len(answers), dtype=int)
    np.add.at(counts, tuple(np.searchsorted(classes, given) for given in answers), 1)
    return counts


def _normal(confidence: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(confidence)


def _clopper_pearson(hits: int, trials: int, confidence: float) -> Interval:
    """Bound a share exactly: C. J. Clopper and E. S. Pearson (1934), Biometrika 26(4), 404-413."""
    from scipy.stats import binomtest

    found = binomtest(hits, trials).proportion_ci(confidence_level=2 * confidence - 1, method="exact")
    return Interval.between(found.low, found.high, confidence)
