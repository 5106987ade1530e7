"""Is the model better than one that anybody could have made in a minute?"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.classes import gives_classes
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.statistics import measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject

Simple = Literal["dummy", "linear", "tree"]
_SIMPLE: tuple[Simple, ...] = get_args(Simple)
_FOLDS = 5
_DEPTH = 3
_MOST_LEVELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SimplerModel:
    """
    The model is better than the best of a few simple ones by *margin*, on the same rows, beyond luck.

    The simple ones are fitted to the features that the model takes: `dummy` always answers the most
    frequent class (or the mean), `linear` is a logistic (or ridge) regression, `tree` a decision tree of
    depth 3. Without *train* each row is answered by one that was fitted to other tested rows
    (cross-validation), which are fewer than the model had: it gives the simple ones no advantage.

    Args:
        metric: As for `Metric`.
        margin: The least by which the model must be better, in the metric's own unit.
        models: Which simple ones.
        train: What to fit them to instead, features and target: a path, or a function that gives a
            data frame.
        rows: Compare on at most so many rows, drawn at random.
        max_seconds: After this no other simple model is fitted; then the case is inconclusive, if the
            model has not already failed.
        confidence: That the true difference is not beyond the end that is compared, a share.
    """

    metric: str | Callable[..., float]
    margin: float = 0.0
    models: tuple[Simple, ...] = _SIMPLE
    train: str | Callable[[], pd.DataFrame] | None = None
    rows: int = 20_000
    max_seconds: float = 120.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        what = f"SimplerModel({metric_name(self.metric)!r})"
        require_confidence(what, self.confidence)
        if isinstance(self.models, str) or not self.models or not set(self.models) <= set(_SIMPLE):
            msg = f"{what}: models is a tuple of {', '.join(_SIMPLE)}, not {self.models!r}."
            raise ConfigurationError(msg)
        if not (0 <= self.margin < math.inf and self.rows >= _FOLDS and self.max_seconds > 0):
            msg = f"{what}: margin is 0 or more, rows {_FOLDS} or more and max_seconds above 0, "
            msg += f"not {self.margin}, {self.rows} and {self.max_seconds}."
            raise ConfigurationError(msg)

    @property
    def sources(self) -> tuple[Any, ...]:
        """Which data the caller has to read."""
        return () if self.train is None else (self.train,)

    def run(self, subject: ModelSubject) -> Case:
        """Fit simple models, and compare with the best of them, row by row."""
        if len(subject.rows) > self.rows:
            chosen = np.sort(subject.rng().permutation(len(subject.rows))[: self.rows])
            subject = replace(subject, rows=subject.rows.iloc[chosen], _kept={})
        measure = Measure.of(self.metric)
        ours = Answers.of(subject, scores=measure.needs_scores)
        value = measure.value(ours)
        theirs, values = self._fitted(subject, measure)
        best = max(values, key=lambda name: measure.sign * values[name])
        gain, interval = measure.difference(ours, theirs[best], self.confidence, subject.rng())
        outcome = verdict(interval, minimum=self.margin)
        detail = f"{measure.name} is {value:.4g}, and {values[best]:.4g} of the best simple model ({best}): better by "
        detail += f"{gain:.4g}, between {interval.low:.4g} and {interval.high:.4g}; at least {self.margin:g} wanted"
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(gain, interval, len(ours), minimum=self.margin)
            detail += would_decide(needed)
        left = [name for name in self.models if name not in values]
        if left:
            detail += f"; no time was left within {self.max_seconds:g} s for {', '.join(left)}"
            outcome = outcome if outcome is Outcome.FAILED else Outcome.INCONCLUSIVE
        return Case(
            name=f"simpler_model({measure.name})",
            outcome=outcome,
            detail=detail,
            measurements=(measured(f"{measure.name}_above_simple", gain, interval, minimum=self.margin),),
            facts={"simple_models": values},
        )

    def _fitted(self, subject: ModelSubject, measure: Measure) -> tuple[dict[str, Answers], dict[str, float]]:
        """Fit the simple models one after the other while there is time; the first is always fitted."""
        classes = gives_classes(subject)
        if classes and len(np.unique(subject.labels)) < 2:  # noqa: PLR2004
            msg = f"all {len(subject.labels)} rows are {subject.labels[0]}: there is nothing to tell apart."
            raise ConfigurationError(msg)
        train = None if self.train is None else replace(subject, rows=subject.table(self.train), _kept={})
        theirs: dict[str, Answers] = {}
        start_s = time.monotonic()
        for name in self.models:
            if theirs and time.monotonic() - start_s > self.max_seconds:
                break
            subject.progress(len(theirs), len(self.models))
            theirs[name] = _answers(_simple(name, subject.features, classes=classes, seed=subject.seed), subject, train)
        return theirs, {name: measure.value(answers) for name, answers in theirs.items()}


def _answers(estimator: Any, subject: ModelSubject, train: ModelSubject | None) -> Answers:
    """Let a simple model answer rows that it was not fitted to."""
    from sklearn.base import is_classifier
    from sklearn.model_selection import cross_val_predict

    method = "predict_proba" if is_classifier(estimator) else "predict"
    about = subject if train is None else train
    classes = np.unique(about.labels)
    with warnings.catch_warnings():
        # A class with fewer rows than folds, or a regression that has not converged: it is a simple model.
        warnings.simplefilter("ignore")
        try:
            if train is None:
                given = cross_val_predict(
                    estimator, subject.features, subject.labels, cv=_folds(subject, method), method=method
                )
            else:
                given = getattr(estimator.fit(train.features, train.labels), method)(subject.features)
        except ValueError as error:
            msg = f"a simple model cannot be fitted to these rows: {error}"
            raise ConfigurationError(msg) from error
    if method == "predict":
        return Answers(labels=subject.labels, predictions=given, scores=None)
    return Answers(labels=subject.labels, predictions=classes[given.argmax(axis=1)], scores=given)


def _folds(subject: ModelSubject, method: str) -> Any:
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if method == "predict_proba" else KFold
    return kind(min(_FOLDS, len(subject.rows)), shuffle=True, random_state=subject.seed)


def _simple(name: Simple, features: pd.DataFrame, *, classes: bool, seed: int) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if name == "dummy":
        return DummyClassifier(strategy="prior") if classes else DummyRegressor()
    if name == "linear":
        estimator = LogisticRegression(max_iter=500) if classes else Ridge()
    else:
        tree = DecisionTreeClassifier if classes else DecisionTreeRegressor
        estimator = tree(max_depth=_DEPTH, random_state=seed)
    return make_pipeline(_table_of_numbers(features), estimator)


def _table_of_numbers(features: pd.DataFrame) -> Any:
    """Fill and scale numbers, spread out what has levels; times are left out."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    numeric = [name for name in features.columns if features[name].dtype.kind in "fiu"]
    levels = [name for name in features.columns if features[name].dtype.kind in "bO"]
    if not numeric and not levels:
        msg = "the model takes neither numbers nor texts: compare with models=('dummy',)."
        raise ConfigurationError(msg)
    numbers = make_pipeline(
        FunctionTransformer(_floats), SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    spread = OneHotEncoder(handle_unknown="ignore", max_categories=_MOST_LEVELS, sparse_output=False)
    texts = make_pipeline(FunctionTransformer(_texts), spread)
    return ColumnTransformer([("numbers", numbers, numeric), ("texts", texts, levels)])


def _floats(columns: pd.DataFrame) -> np.ndarray:
    values = columns.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _texts(columns: pd.DataFrame) -> np.ndarray:
    texts: np.ndarray = columns.astype(object).where(columns.notna(), "missing").astype(str).to_numpy(dtype=object)
    return texts
