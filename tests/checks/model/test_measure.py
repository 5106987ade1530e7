import numpy as np
import pytest
from sklearn import metrics

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.statistics import verdict


def answers(labels, predictions, positive=None):
    scores = None if positive is None else np.column_stack([1 - np.asarray(positive), positive])
    return Answers(labels=np.asarray(labels), predictions=np.asarray(predictions), scores=scores)


def luck():
    return np.random.default_rng(0)


Y = np.arange(200) % 2
NOISY = np.where(np.arange(200) % 7 == 0, 1 - Y, Y)
SCORES = np.clip(NOISY * 0.5 + (np.arange(200) % 13) / 30, 0, 1)


@pytest.mark.parametrize("name", ["recall", "precision", "f1", "balanced_accuracy", "f1_macro", "matthews_corrcoef"])
def test_three_positives_all_found_do_not_show_that_nine_in_ten_are(name):
    rare = np.arange(100) < 3
    measure, given = Measure.named(name), answers(rare.astype(int), rare.astype(int))

    assert measure.value(given) == 1
    assert measure.interval(given, 0.95, luck()).low < 0.9


@pytest.mark.parametrize("name,rows", [("roc_auc", 10), ("accuracy", 10), ("f1", 10)])
def test_two_perfect_models_of_few_rows_do_not_show_that_one_is_not_worse(name, rows):
    y = np.arange(rows) % 2
    one, other = answers(y, y, y * 0.8 + 0.1), answers(y, y, y * 0.7 + 0.15)
    gain, interval = Measure.named(name).difference(one, other, 0.95, luck())

    assert gain == 0
    assert interval.low < -0.01 < interval.high


def test_a_truly_worse_recall_passes_at_most_one_time_in_twenty():
    rng, measure, wrong = np.random.default_rng(0), Measure.named("recall"), 0
    for _ in range(400):
        y = rng.random(200) < 0.05
        found = np.where(y, rng.random(200) < 0.85, rng.random(200) > 0.99)
        interval = measure.interval(answers(y.astype(int), found.astype(int)), 0.95, luck())
        wrong += verdict(interval, minimum=0.8501) == "passed"

    assert wrong / 400 <= 0.083


@pytest.mark.parametrize(
    "name", ["f1", "precision", "recall", "average_precision", "roc_auc", "neg_brier_score", "neg_log_loss"]
)
def test_labels_may_be_words(name):
    words = np.array(["no", "yes"])
    measure = Measure.named(name)
    of_words = answers(words[Y], words[NOISY], SCORES)

    assert measure.value(of_words) == pytest.approx(measure.value(answers(Y, NOISY, SCORES)))


def test_every_scorer_of_one_number_a_row_answers_or_says_why():
    defined = 0
    for name in metrics.get_scorer_names():
        measure = Measure.named(name)
        try:
            defined += np.isfinite(measure.value(answers(Y, NOISY, SCORES)))
        except ConfigurationError as error:
            if name not in str(error):
                raise
    assert defined > 40


def test_unknown_metric_is_named_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"'roc_acu'.*roc_auc"):
        Measure.named("roc_acu")


def test_one_class_has_no_area_under_the_curve():
    with pytest.raises(ConfigurationError, match="roc_auc needs rows of two classes, and all 5 are 1"):
        Measure.named("roc_auc").value(answers([1] * 5, [1] * 5, [0.5] * 5))


def test_a_slice_without_a_class_still_has_a_log_loss():
    y = np.arange(90) % 3
    whole = Answers(labels=y, predictions=y, scores=np.full((90, 3), 0.2) + 0.4 * (y[:, None] == np.arange(3)))

    assert Measure.named("neg_log_loss").value(whole[y < 2]) == pytest.approx(np.log(0.6))


def test_fewer_than_twenty_rows_are_not_bootstrapped():
    interval = Measure.named("neg_mean_squared_error").interval(
        answers(np.arange(5.0), np.arange(5.0) + 1), 0.95, luck()
    )

    assert (interval.low, interval.high) == (-np.inf, np.inf)


def test_precision_of_a_model_that_never_says_yes_is_unknown():
    interval = Measure.named("precision").interval(answers(Y, np.zeros(200, int)), 0.95, luck())

    assert (interval.low, interval.high) == (0, 1)


def test_many_classes_are_bootstrapped_by_row():
    y = np.arange(400) % 40
    given = answers(y, np.where(np.arange(400) % 9 == 0, (y + 1) % 40, y))
    measure = Measure.named("f1_macro")
    interval = measure.interval(given, 0.95, luck())

    assert interval.low < measure.value(given) < interval.high


def test_less_is_better_for_a_function_that_is_an_error():
    good, bad = (
        answers(np.arange(50.0), np.arange(50.0) + 0.1),
        answers(np.arange(50.0), np.arange(50.0) + np.arange(50) % 3),
    )
    gain, interval = Measure.named("mean_absolute_error").difference(good, bad, 0.95, luck())

    assert gain > 0.8
    assert interval.low > 0.5
