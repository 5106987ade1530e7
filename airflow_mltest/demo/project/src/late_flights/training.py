"""Train a model to tell late flights, and say how well it does on flights it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from late_flights.features import CATEGORIES, INPUTS, NUMBERS, TARGET, DataError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

YEAR_FROM = pd.Timestamp("2013-01-01T05:00Z")

# Weather says on which day a flight left, and so a large tree learns days by heart: small ones, held back, do not.
TREES = {
    "max_iter": 120,
    "learning_rate": 0.06,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 200,
    "l2_regularization": 50.0,
    "early_stopping": False,
}


def build_model(seed: int = 0) -> Pipeline:
    """Compose the untrained model: rare and unseen categories share a code, gaps stay gaps, then boosted trees."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=20)
    columns = ColumnTransformer([("categories", codes, CATEGORIES), ("numbers", "passthrough", NUMBERS)])
    trees = HistGradientBoostingClassifier(
        **TREES, categorical_features=list(range(len(CATEGORIES))), random_state=seed
    )
    return Pipeline([("columns", columns), ("trees", trees)])


def first_months(train: pd.DataFrame, months: int) -> pd.DataFrame:
    """
    Keep the flights of the first *months* months of the year.

    Raises:
        DataError: There are none.
    """
    kept = train[train["scheduled"] < YEAR_FROM + pd.DateOffset(months=months)]
    if kept.empty:
        msg = f"No flight to train on in the first {months} months; the first one is of {train['scheduled'].min()}."
        raise DataError(msg)
    return kept


def fit(train: pd.DataFrame, *, seed: int = 0, shuffled: bool = False) -> Pipeline:
    """
    Train on *train*; the same rows and seed give the same model.

    Args:
        shuffled: Deal the labels out at random first. What is learned is noise: a model that must not be released.
    """
    labels = train[TARGET].to_numpy()
    if shuffled:
        labels = np.random.default_rng(seed).permutation(labels)
    return build_model(seed).fit(train[INPUTS], labels)


def evaluate(model: Pipeline, test: pd.DataFrame) -> dict[str, float]:
    """Give the area under the ROC curve and the Brier score on *test*, beside its share of late flights."""
    from sklearn.metrics import brier_score_loss, roc_auc_score

    probability = model.predict_proba(test[INPUTS])[:, 1]
    return {
        "auc": float(roc_auc_score(test[TARGET], probability)),
        "brier": float(brier_score_loss(test[TARGET], probability)),
        "late_share": float(test[TARGET].mean()),
    }
