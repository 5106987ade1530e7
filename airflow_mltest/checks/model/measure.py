"""What is a metric on these rows, and how far may that be from the truth?"""

from __future__ import annotations

import difflib
import inspect
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.intervals import difference_of, interval_of
from airflow_mltest.checks.model.per_row import row_values
from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_mltest.checks.model.answers import Answers
    from airflow_mltest.core.statistics import Interval

_SUFFIXES = ("_score", "_loss", "_error", "_deviance", "_corrcoef")
_OF_SCORES = {"y_score", "y_proba", "y_prob"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """
    A metric of scikit-learn, found by name, or a caller's own.

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
    def of(cls, metric: str | Callable[..., float], *, greater_is_better: bool = True) -> Measure:
        """
        Take a name, a scorer or a function of scikit-learn, or any `f(truth, answers) -> float`.

        Args:
            metric: Which.
            greater_is_better: Said of a function of your own; of scikit-learn's it is known.

        Raises:
            ConfigurationError: It is a name, and scikit-learn knows no such metric.
        """
        if isinstance(metric, str):
            return cls.named(metric)
        name = metric_name(metric)
        if hasattr(metric, "_score_func"):
            return cls._of_scorer(name, metric)
        if _functions().get(name) is metric:
            return cls.named(name)
        sign = 1 if greater_is_better else -1
        return cls(name=name, sign=sign, function=metric, keywords={}, factor=1, needs_scores=False)

    @classmethod
    def named(cls, name: str) -> Measure:
        """
        Find a scorer (`roc_auc`, `neg_log_loss`) or a function of `sklearn.metrics` (`log_loss`).

        Raises:
            ConfigurationError: There is none; the message has the nearest names.
        """
        import sklearn.metrics as sk

        scorers, functions = sk.get_scorer_names(), _functions()
        if name in scorers:
            return cls._of_scorer(name, sk.get_scorer(name))
        if name in functions:
            function = functions[name]
            needs = bool(_OF_SCORES & inspect.signature(function).parameters.keys())
            sign = 1 if name.endswith(("_score", "_corrcoef")) else -1
            return cls(name=name, sign=sign, function=function, keywords={}, factor=1, needs_scores=needs)
        near = difflib.get_close_matches(name, [*scorers, *functions], n=3)
        msg = f"scikit-learn has no metric {name!r}; {'near: ' + ', '.join(near) if near else 'see its scorer names'}."
        raise ConfigurationError(msg)

    @classmethod
    def _of_scorer(cls, name: str, scorer: Any) -> Measure:
        # scikit-learn has no public word for what a scorer is made of.
        parts = vars(scorer)
        return cls(
            name=name,
            sign=1,
            function=parts["_score_func"],
            keywords=parts["_kwargs"],
            factor=parts["_sign"],
            needs_scores=parts["_response_method"] != "predict",
        )

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
        keywords = self.told(answers)
        if "pos_label" in keywords and len(answers.classes) < 2:  # noqa: PLR2004
            self._refuse_one_class(answers)
        if self.needs_scores and len(np.unique(answers.labels)) < 2 and "labels" not in keywords:  # noqa: PLR2004
            self._refuse_one_class(answers)
        if answers.weights is not None and "sample_weight" not in _parameters(self.function):
            msg = f"{self.name} takes no weights: leave `weight` out, or give a function with `sample_weight`."
            raise ConfigurationError(msg)
        try:
            value = self._compute(answers.labels, given, keywords, answers.weights)
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
        of a confusion matrix, widened by errors that were not seen; by the central limit for a mean of
        losses, with their skewness; else by a bootstrap of the rows. The last two say nothing of fewer
        than 20 rows.

        Args:
            answers: The rows.
            confidence: Of each end on its own, a share.
            rng: The luck of a bootstrap.
        """
        return interval_of(self, answers, confidence, rng)

    def difference(
        self, one: Answers, other: Answers, confidence: float, rng: np.random.Generator
    ) -> tuple[float, Interval]:
        """
        Give how much better *one* is than *other* on the same rows, and bound it; paired.

        Returns:
            The difference, greater is better whatever the metric, and its interval.
        """
        value = self.sign * (self.value(one) - self.value(other))
        return value, difference_of(self, one, other, confidence, rng)

    def row_values(self, answers: Answers) -> np.ndarray | None:
        """
        Split the metric, before `factor`, into what each row adds.

        Returns:
            Values, shape (n,), whose mean is the metric; None if it is not known to be a mean.
        """
        if not (self.function.__module__ or "").startswith("sklearn."):
            return None
        return row_values(self.function, answers.labels, self.given(answers), answers.classes, self.keywords)

    def is_auc(self, given: np.ndarray) -> bool:
        """Say whether it is the area under the ROC curve of two classes, the whole of it."""
        whole = self.keywords.get("max_fpr") is None
        return self.function.__name__ == "roc_auc_score" and given.ndim == 1 and whole

    def told(self, answers: Answers) -> dict[str, Any]:
        """Tell the function what it cannot see in the rows: the positive class, all classes, 0 for 0 / 0."""
        known = _parameters(self.function)
        told = dict(self.keywords)
        if "zero_division" in known:
            told["zero_division"] = 0.0
        if "pos_label" in known and told.get("average", "binary") == "binary":
            told["pos_label"] = answers.classes[-1]
        if self.needs_scores and "labels" in known and self.function.__name__ != "roc_auc_score":
            told["labels"] = answers.classes
        return told

    def drawn(self, answers: Answers, given: np.ndarray, told: Mapping[str, Any], rows: np.ndarray) -> float:
        """Compute it for a draw, which may lack a class: then it is NaN."""
        weights = None if answers.weights is None else answers.weights[rows]
        try:
            return self._compute(answers.labels[rows], given[rows], told, weights)
        except (ValueError, ArithmeticError):
            return math.nan

    def _compute(
        self, truth: np.ndarray, given: np.ndarray, keywords: Mapping[str, Any], weights: np.ndarray | None
    ) -> float:
        weighted = {} if weights is None else {"sample_weight": weights}
        with warnings.catch_warnings():
            # What scikit-learn warns of, an undefined or a clipped value, is in the value and its interval.
            warnings.simplefilter("ignore")
            return self.factor * float(self.function(truth, given, **keywords, **weighted))

    def _refuse_one_class(self, answers: Answers) -> None:
        msg = f"{self.name} needs rows of two classes, and all {len(answers)} are {answers.labels[0]}."
        raise ConfigurationError(msg)


def metric_name(metric: str | Callable[..., Any]) -> str:
    """Call a metric by its name: that of a function, that of a scorer's function, else that of its class."""
    if isinstance(metric, str):
        return metric
    named = getattr(metric, "_score_func", metric)
    return str(getattr(named, "__name__", type(named).__name__))


def _functions() -> dict[str, Callable[..., Any]]:
    """Find the functions of `sklearn.metrics` that judge answers by the truth."""
    import sklearn.metrics as sk

    named = {name: getattr(sk, name) for name in sk.__all__ if name.endswith(_SUFFIXES)}
    first = {name: next(iter(inspect.signature(one).parameters)) for name, one in named.items()}
    return {name: one for name, one in named.items() if first[name] in {"y_true", "y1", "labels_true"}}


def _parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return inspect.signature(function).parameters
    except ValueError:  # one written in C tells nothing of itself
        return {}
