import numpy as np
import pytest

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.checks.model.multiclass_auc import multiclass_auc

NAMES = ["roc_auc_ovr", "roc_auc_ovo"]


def judged(rng, rows, skill=1.0):
    labels = rng.integers(0, 3, rows)
    merit = np.exp(rng.normal(size=(rows, 3)) + skill * np.eye(3)[labels])
    scores = merit / merit.sum(axis=1, keepdims=True)
    return Answers(labels=labels, predictions=scores.argmax(axis=1), scores=scores)


@pytest.mark.parametrize("name", NAMES)
def test_area_is_scikit_learns(name):
    measure, given = Measure.named(name), judged(np.random.default_rng(0), 200)
    area, influence = multiclass_auc(given.labels, given.scores, given.classes, measure.keywords)

    assert area == pytest.approx(measure.value(given))
    assert influence.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_interval_and_paired_difference_are_as_wide_as_a_bootstrap_says(name):
    rng, measure = np.random.default_rng(0), Measure.named(name)
    one = judged(rng, 400)
    blurred = one.scores + rng.uniform(0, 0.2, size=(400, 3))
    other = Answers(labels=one.labels, predictions=one.predictions, scores=blurred / blurred.sum(axis=1, keepdims=True))
    draws = [rng.integers(400, size=400) for _ in range(100)]
    values = np.array([(measure.value(one[rows]), measure.value(other[rows])) for rows in draws])
    found, (_, paired) = measure.interval(one, 0.95, rng), measure.difference(one, other, 0.95, rng)

    assert found.high - found.low == pytest.approx(2 * 1.645 * values[:, 0].std(), rel=0.25)
    assert paired.high - paired.low == pytest.approx(2 * 1.645 * (values[:, 0] - values[:, 1]).std(), rel=0.25)
    assert paired.high - paired.low < found.high - found.low


@pytest.mark.parametrize("name", NAMES)
def test_perfect_ranking_of_few_rows_may_be_luck(name):
    labels = np.arange(60) % 3
    perfect = Answers(labels=labels, predictions=labels, scores=np.eye(3)[labels])
    found = Measure.named(name).interval(perfect, 0.95, np.random.default_rng(0))

    assert 0.9 < found.low < 0.99
    assert found.high > 0.99


def test_a_class_of_few_rows_and_other_averages_are_bootstrapped():
    rng = np.random.default_rng(0)
    given = judged(rng, 100)
    rare = given[np.append(np.flatnonzero(given.labels < 2), np.flatnonzero(given.labels == 2)[:5])]

    assert multiclass_auc(rare.labels, rare.scores, rare.classes, {"multi_class": "ovr"}) is None
    assert multiclass_auc(given.labels, given.scores, given.classes, {"multi_class": "raise"}) is None
    weighted = {"multi_class": "ovr", "average": "weighted"}
    assert multiclass_auc(given.labels, given.scores, given.classes, weighted) is None
