import numpy as np
import pytest
from sklearn import metrics

from airflow_mltest.checks.model.per_row import row_values

RNG = np.random.default_rng(0)
NUMBERS = RNG.gamma(2.0, size=200)
NEAR = NUMBERS * RNG.uniform(0.8, 1.3, size=200)
CLASSES = np.array(["a", "b", "c"])
WORDS = CLASSES[np.arange(200) % 3]
CHANCES = RNG.dirichlet(np.ones(3), size=200)


@pytest.mark.parametrize(
    "function",
    [
        metrics.mean_absolute_error,
        metrics.mean_squared_error,
        metrics.mean_absolute_percentage_error,
        metrics.mean_squared_log_error,
        metrics.mean_pinball_loss,
    ],
)
def test_rows_of_an_error_have_its_mean(function):
    keywords = {"alpha": 0.8} if function is metrics.mean_pinball_loss else {}
    found = row_values(function, NUMBERS, NEAR, NUMBERS, keywords)

    assert found.shape == (200,)
    assert found.mean() == pytest.approx(function(NUMBERS, NEAR, **keywords))


@pytest.mark.parametrize("function", [metrics.accuracy_score, metrics.zero_one_loss])
def test_rows_of_a_rate_have_its_mean(function):
    answers = CLASSES[np.arange(200) * 7 % 3]

    assert row_values(function, WORDS, answers, CLASSES, {}).mean() == pytest.approx(function(WORDS, answers))


@pytest.mark.parametrize("function", [metrics.log_loss, metrics.brier_score_loss])
def test_rows_of_a_loss_of_probabilities_have_its_mean(function):
    binary = np.where(WORDS == "a", "no", "yes")
    positive = CHANCES[:, 1]
    of_two = {"pos_label": "yes"} if function is metrics.brier_score_loss else {"labels": ["no", "yes"]}

    assert row_values(function, WORDS, CHANCES, CLASSES, {}).mean() == pytest.approx(function(WORDS, CHANCES))
    assert row_values(function, binary, positive, np.array(["no", "yes"]), {}).mean() == pytest.approx(
        function(binary, positive, **of_two)
    )


def test_what_is_no_mean_has_no_rows():
    assert row_values(metrics.r2_score, NUMBERS, NEAR, NUMBERS, {}) is None
    assert row_values(metrics.f1_score, WORDS, WORDS, CLASSES, {}) is None
