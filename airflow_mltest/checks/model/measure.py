"""What is a metric on these rows, and how far may that be from the truth?"""

from __future__ import annotations

import difflib
import inspect
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.confusion import cell_metric, proportion, unseen_errors
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.statistics import Interval, auc_interval, bootstrap, bootstrap_cells, delong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_mltest.checks.model.answers import Answers

_RESAMPLES = 400
# A bootstrap of fewer rows than this says little more than those rows do.
_FEWEST_ROWS = 20
# Cells of a table of truth and answers, above which drawing rows is cheaper than drawing cells.
_MOST_CELLS = 1000
_SUFFIXES = ("_score", "_loss", "_error", "_deviance", "_corrcoef")
_OF_SCORES = {"y_score", "y_proba", "y_prob"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """
    A metric of scikit-learn, found by name.

    Args:
        name: As the user wrote it.
        sign: 1 when greater is better, -1 when less is.
        function: Takes labels and predictions, or labels and scores.
        keywords: What it is called with.
        factor: What its value is multiplied by: -1 for `neg_...`.
        needs_scores: Which of the two it takes.
    """

    name: str
    sign: int
    function: Callable[..., float]
    keywords: Mapping[str, Any]
    factor: int
    needs_scores: bool

    @classmethod
    def named(cls, name: str) -> Measure:
        """
        Find a scorer (`roc_auc`, `neg_log_loss`) or a function of `sklearn.metrics` (`log_loss`).

        Raises:
            ConfigurationError: There is none; the message has the nearest names.
        """
        import sklearn.metrics as sk

        scorers = {known: sk.get_scorer(known) for known in sk.get_scorer_names()}
        functions = [known for known in sk.__all__ if known.endswith(_SUFFIXES) and _judges_answers(getattr(sk, known))]
        if name in scorers:
            # scikit-learn has no public word for what a scorer is made of.
            parts = vars(scorers[name])
            needs = parts["_response_method"] != "predict"
            function, keywords, factor = parts["_score_func"], parts["_kwargs"], parts["_sign"]
            return cls(name=name, sign=1, function=function, keywords=keywords, factor=factor, needs_scores=needs)
        if name in functions:
            function = getattr(sk, name)
            needs = bool(_OF_SCORES & inspect.signature(function).parameters.keys())
            sign = 1 if name.endswith(("_score", "_corrcoef")) else -1
            return cls(name=name, sign=sign, function=function, keywords={}, factor=1, needs_scores=needs)
        near = difflib.get_close_matches(name, [*scorers, *functions], n=3)
        msg = f"scikit-learn has no metric {name!r}; {'near: ' + ', '.join(near) if near else 'see its scorer names'}."
        raise ConfigurationError(msg)

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
        given = self.given(answers)
        keywords = self._told(answers)
        if "pos_label" in keywords and len(answers.classes) < 2:  # noqa: PLR2004
            self._refuse_one_class(answers)
        if self.needs_scores and len(np.unique(answers.labels)) < 2 and "labels" not in keywords:  # noqa: PLR2004
            self._refuse_one_class(answers)
        try:
            value = self._compute(answers.labels, given, keywords)
        except (ValueError, TypeError) as error:
            msg = f"{self.name} cannot be computed here: {error}"
            raise ConfigurationError(msg) from error
        if not math.isfinite(value):
            msg = f"{self.name} is {value} on these {len(answers)} rows: it is not defined on them."
            raise ConfigurationError(msg)
        return value

    def interval(self, answers: Answers, confidence: float, rng: np.random.Generator) -> Interval:
        """
        Bound the true value.

        Exactly (Clopper-Pearson) where the metric is a rate: accuracy, and precision, recall, Jaccard
        and F1 of two classes; by DeLong for a binary AUC; by a multinomial bootstrap for other metrics
        of a confusion matrix, widened by errors that were not seen; else by a bootstrap of the rows,
        which says nothing of fewer than 20.

        Args:
            answers: The rows.
            confidence: Of each end on its own, a share.
            rng: The luck of a bootstrap.
        """
        given = self.given(answers)
        if self._is_auc(given):
            positive = answers.labels == answers.classes[-1]
            area, covariance = delong(positive, given)
            hits = int(positive.sum())
            return auc_interval(float(area[0]), float(covariance[0, 0]), hits, len(answers) - hits, confidence)
        cells = self._cells(answers, given)
        told = self._told(answers)
        metric = cell_metric(self.function.__name__, told)
        if cells is not None and metric:
            rate = proportion(self.function.__name__, told, cells)
            if rate:
                return self._exact(*rate, confidence)
            return bootstrap_cells(
                metric, cells, rng=rng, confidence=confidence, unseen=unseen_errors(len(cells), models=1)
            )
        return self._by_rows(lambda rows: self._drawn(answers, given, told, rows), len(answers), confidence, rng)

    def difference(
        self, one: Answers, other: Answers, confidence: float, rng: np.random.Generator
    ) -> tuple[float, Interval]:
        """
        Give how much better *one* is than *other* on the same rows, and bound it; paired.

        Returns:
            The difference, greater is better whatever the metric, and its interval.
        """
        value = self.sign * (self.value(one) - self.value(other))
        first, second = self.given(one), self.given(other)
        if first.dtype.kind == "f" and np.array_equal(first, second):
            return value, Interval.between(0.0, 0.0, confidence)
        if self._is_auc(first):
            return value, self._auc_difference(one, other, value, confidence)
        cells, told = self._cells(one, first, second), self._told(one)
        metric = cell_metric(self.function.__name__, told)
        if cells is not None and metric:
            unseen = unseen_errors(len(cells), models=2)
            interval = bootstrap_cells(
                lambda drawn: self.sign * (metric(drawn.sum(axis=-1)) - metric(drawn.sum(axis=-2))),
                cells,
                rng=rng,
                confidence=confidence,
                unseen=unseen,
            )
            return value, interval

        def drawn(rows: np.ndarray) -> float:
            return self.sign * (self._drawn(one, first, told, rows) - self._drawn(other, second, told, rows))

        return value, self._by_rows(drawn, len(one), confidence, rng)

    def _auc_difference(self, one: Answers, other: Answers, value: float, confidence: float) -> Interval:
        from statistics import NormalDist

        positive = one.labels == one.classes[-1]
        area, covariance = delong(positive, self.given(one), self.given(other))
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        if variance > 0:
            reach = NormalDist().inv_cdf(confidence) * math.sqrt(variance)
            return Interval.between(value - reach, value + reach, confidence)
        # Two perfect rankings, or too few rows to pair: the two intervals, as if independent.
        hits = int(positive.sum())
        ends = [
            auc_interval(float(area[i]), float(covariance[i, i]), hits, len(positive) - hits, confidence)
            for i in (0, 1)
        ]
        low = value - math.hypot(area[0] - ends[0].low, ends[1].high - area[1])
        high = value + math.hypot(ends[0].high - area[0], area[1] - ends[1].low)
        return Interval.between(low, high, confidence)

    def _is_auc(self, given: np.ndarray) -> bool:
        return self.function.__name__ == "roc_auc_score" and given.ndim == 1

    def _told(self, answers: Answers) -> dict[str, Any]:
        """Tell the function what it cannot see in the rows: the positive class, all classes, 0 for 0 / 0."""
        known = inspect.signature(self.function).parameters
        told = dict(self.keywords)
        if "zero_division" in known:
            told["zero_division"] = 0.0
        if "pos_label" in known and told.get("average", "binary") == "binary":
            told["pos_label"] = answers.classes[-1]
        if self.needs_scores and "labels" in known and self.function.__name__ != "roc_auc_score":
            told["labels"] = answers.classes
        return told

    def _compute(self, truth: np.ndarray, given: np.ndarray, keywords: Mapping[str, Any]) -> float:
        with warnings.catch_warnings():
            # What scikit-learn warns of, an undefined or a clipped value, is in the value and its interval.
            warnings.simplefilter("ignore")
            return self.factor * float(self.function(truth, given, **keywords))

    def _drawn(self, answers: Answers, given: np.ndarray, told: Mapping[str, Any], rows: np.ndarray) -> float:
        """Compute it for a draw, which may lack a class."""
        try:
            return self._compute(answers.labels[rows], given[rows], told)
        except ValueError:
            return math.nan

    def _cells(self, answers: Answers, *given: np.ndarray) -> np.ndarray | None:
        """Count the rows by truth and answers; None if there are too many, or these are no classes."""
        if self.needs_scores or any(one.ndim != 1 for one in given):
            return None
        arrays = [answers.labels, *given]
        classes = np.unique(np.concatenate([answers.classes, *arrays]))
        if len(classes) ** len(arrays) > _MOST_CELLS:
            return None
        where = [np.searchsorted(classes, array) for array in arrays]
        shape = (len(classes),) * len(arrays)
        return np.bincount(np.ravel_multi_index(where, shape), minlength=math.prod(shape)).reshape(shape)

    def _exact(self, hits: int, trials: int, confidence: float) -> Interval:
        found = _clopper_pearson(hits, trials, confidence)
        if self.function.__name__ != "f1_score":
            return found
        low, high = (2 * end / (1 + end) for end in (found.low, found.high))
        return Interval.between(low, high, confidence)

    def _by_rows(
        self, metric: Callable[[np.ndarray], float], rows: int, confidence: float, rng: np.random.Generator
    ) -> Interval:
        if rows < _FEWEST_ROWS:
            return Interval.between(-math.inf, math.inf, confidence)
        return bootstrap(metric, rows, rng=rng, confidence=confidence, resamples=_RESAMPLES)

    def _refuse_one_class(self, answers: Answers) -> None:
        msg = f"{self.name} needs rows of two classes, and all {len(answers)} are {answers.labels[0]}."
        raise ConfigurationError(msg)


def _judges_answers(function: Callable[..., Any]) -> bool:
    return next(iter(inspect.signature(function).parameters)) in {"y_true", "y1", "labels_true"}


def _clopper_pearson(hits: int, trials: int, confidence: float) -> Interval:
    """Bound a share exactly: C. J. Clopper and E. S. Pearson (1934), Biometrika 26(4), 404-413."""
    from scipy.stats import binomtest

    if not trials:
        return Interval.between(0.0, 1.0, confidence)
    found = binomtest(hits, trials).proportion_ci(confidence_level=2 * confidence - 1, method="exact")
    return Interval.between(found.low, found.high, confidence)
