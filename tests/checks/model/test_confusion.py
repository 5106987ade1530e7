import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from airflow_mltest.checks.model.confusion import cell_metric

BINARY = [
    ("accuracy_score", {}),
    ("balanced_accuracy_score", {}),
    ("matthews_corrcoef", {}),
    ("precision_score", {"average": "binary"}),
    ("recall_score", {"average": "binary"}),
    ("f1_score", {"average": "binary"}),
    ("jaccard_score", {"average": "binary"}),
]
AVERAGED = [(name, {"average": average}) for name, _ in BINARY[3:] for average in ("macro", "micro", "weighted")]


@pytest.mark.parametrize("function, keywords", BINARY + AVERAGED)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@given(st.integers(0, 10_000))
def test_metric_of_cells_is_scikit_learns(function, keywords, seed):
    rng = np.random.default_rng(seed)
    classes = 2 if (function, keywords) in BINARY else 3
    truth = np.r_[np.arange(classes), rng.integers(0, classes, 30)]
    answers = np.r_[rng.permutation(classes), rng.integers(0, classes, 30)]
    cells = np.zeros((1, classes, classes))
    np.add.at(cells[0], (truth, answers), 1)
    zero = {"zero_division": 0} if keywords else {}

    found = cell_metric(function, keywords)(cells)

    assert found[0] == pytest.approx(getattr(metrics, function)(truth, answers, **keywords, **zero))


def test_what_is_no_function_of_cells_is_not_one():
    assert cell_metric("roc_auc_score", {}) is None
    assert cell_metric("f1_score", {"average": "samples"}) is None
