import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from airflow_mltest.checks.model.confusion import cell_metric, proportion, unseen_errors

AVERAGED = ["precision_score", "recall_score", "f1_score", "jaccard_score"]
CASES = [("accuracy_score", {}), ("balanced_accuracy_score", {}), ("matthews_corrcoef", {})]
CASES += [(name, {"average": average}) for name in AVERAGED for average in ("micro", "macro", "weighted")]


def cells_of(truth, answer, classes):
    return np.bincount(np.asarray(truth) * classes + answer, minlength=classes**2).reshape(classes, classes)


@pytest.mark.filterwarnings("ignore:A single label was found", "ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("name,keywords", CASES)
@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_a_metric_of_cells_is_that_of_scikit_learn(name, keywords, rows):
    truth, answer = map(np.array, zip(*rows, strict=True))
    told = keywords | ({"zero_division": 0.0} if keywords else {})
    expected = getattr(metrics, name)(truth, answer, **told)

    found = cell_metric(name, keywords)(np.stack([cells_of(truth, answer, 4)] * 2))

    np.testing.assert_allclose(found, [expected, expected], atol=1e-12)


@pytest.mark.parametrize("name", AVERAGED)
@given(rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_of_two_classes_the_last_is_the_positive_one(name, rows):
    truth, answer = map(np.array, zip(*rows, strict=True))
    cells = cells_of(truth, answer, 2)
    expected = getattr(metrics, name)(truth, answer, zero_division=0.0)
    hits, trials = proportion(name, {"average": "binary"}, cells)
    rate = hits / trials if trials else 0.0

    assert cell_metric(name, {})(cells) == pytest.approx(expected)
    assert (2 * rate / (1 + rate) if name == "f1_score" else rate) == pytest.approx(expected)


def test_what_is_no_function_of_cells_is_not_known():
    assert cell_metric("log_loss", {}) is None
    assert cell_metric("f1_score", {"average": "samples"}) is None
    assert proportion("f1_score", {"average": "macro"}, np.eye(2)) is None
    assert proportion("matthews_corrcoef", {}, np.eye(2)) is None


def test_accuracy_is_a_rate_of_all_rows():
    assert proportion("accuracy_score", {}, np.array([[5, 1], [2, 7]])) == (12, 15)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_half_a_row_right_and_half_a_row_wrong_is_imagined_for_each_class(classes):
    table = unseen_errors(classes, models=1)

    assert np.diag(table) == pytest.approx([0.5] * classes)
    assert table.sum(axis=1) == pytest.approx([1.0] * classes)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_rows_that_only_one_of_two_models_has_right_are_imagined_for_both(classes):
    table = unseen_errors(classes, models=2)
    truth = np.arange(classes)

    assert table[truth, truth, :].sum(axis=1) == pytest.approx([0.5] * classes)
    assert table[truth, :, truth].sum(axis=1) == pytest.approx([0.5] * classes)
    assert table.sum() == pytest.approx(classes)
