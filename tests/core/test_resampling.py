import math

import numpy as np
import pytest
from scipy.stats import beta, norm

from airflow_mltest.core.resampling import bootstrap, bootstrap_cells, drawn_cells, shrinkage


def accuracy(cells):
    return cells[..., [0, 1], [0, 1]].sum(axis=-1) / cells.sum(axis=(-1, -2))


def test_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(2).normal(size=400)
    found = bootstrap(lambda rows: values[rows].mean(), 400, rng=np.random.default_rng(0), resamples=4000)
    reach = norm.ppf(0.95) * values.std() / 20

    assert found.low == pytest.approx(values.mean() - reach, abs=0.01)
    assert found.high == pytest.approx(values.mean() + reach, abs=0.01)


def test_bootstrap_of_some_of_the_rows_is_as_wide_as_of_all():
    values = np.random.default_rng(2).normal(size=4000)
    keywords = {"rows": 4000, "resamples": 3000}
    of_all = bootstrap(lambda rows: values[rows].mean(), rng=np.random.default_rng(0), **keywords)
    of_some = bootstrap(lambda rows: values[rows].mean(), rng=np.random.default_rng(0), most_rows=500, **keywords)

    assert of_some.high - of_some.low == pytest.approx(of_all.high - of_all.low, rel=0.1)
    assert of_some.low < values.mean() < of_some.high


def test_bootstrap_is_the_same_for_the_same_seed():
    values = np.arange(50.0)
    one, two = (bootstrap(lambda rows: values[rows].mean(), 50, rng=np.random.default_rng(7)) for _ in range(2))

    assert one == two


def test_draws_without_a_metric_are_left_out():
    def of_some(rows):
        return math.nan if rows[0] % 2 else 0.5

    found = bootstrap(of_some, 50, rng=np.random.default_rng(0))

    assert (found.low, found.high) == (0.5, 0.5)


def test_bootstrap_of_nothing_but_nan_bounds_nothing():
    found = bootstrap(lambda _: math.nan, 50, rng=np.random.default_rng(0))

    assert (found.low, found.high) == (-math.inf, math.inf)


def test_drawing_cells_is_drawing_rows():
    truth = np.arange(300) % 3 == 0
    answer = truth ^ (np.random.default_rng(1).random(300) < 0.2)
    cells = np.array(
        [[(~truth & ~answer).sum(), (~truth & answer).sum()], [(truth & ~answer).sum(), (truth & answer).sum()]]
    )
    right = (truth == answer).astype(float)

    by_rows = bootstrap(lambda rows: right[rows].mean(), 300, rng=np.random.default_rng(0), resamples=8000)
    by_cells = bootstrap_cells(accuracy, cells, rng=np.random.default_rng(0), resamples=8000)

    # One row in three hundred is the step of this metric, and a quantile may lie on either side of it.
    assert by_cells.low == pytest.approx(by_rows.low, abs=1.1 / 300)
    assert by_cells.high == pytest.approx(by_rows.high, abs=1.1 / 300)


def test_paired_cells_are_narrower_than_two_models_apart():
    cells = np.zeros((2, 2, 2), dtype=int)
    cells[0, 0, 0] = cells[1, 1, 1] = 400
    cells[0, 1, 1] = cells[1, 0, 0] = 90
    cells[1, 1, 0] = cells[1, 0, 1] = 10

    def gain(drawn):
        return accuracy(drawn.sum(axis=-1)) - accuracy(drawn.sum(axis=-2))

    paired = bootstrap_cells(gain, cells, rng=np.random.default_rng(0))
    alone = bootstrap_cells(accuracy, cells.sum(axis=-1), rng=np.random.default_rng(0))

    assert paired.low < 0 < paired.high
    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_six_of_six_are_not_surely_all():
    cells = np.array([[94, 0], [0, 6]])

    def recall(drawn):
        return drawn[:, 1, 1] / np.maximum(drawn[:, 1].sum(axis=-1), 1e-9)

    seen = bootstrap_cells(recall, cells, rng=np.random.default_rng(0), resamples=500)
    unseen = bootstrap_cells(recall, cells, rng=np.random.default_rng(0), unseen=np.full((2, 2), 0.5))

    assert (seen.low, seen.high) == (1, 1)
    # The 5 % quantile of Beta(6.5, 0.5), which is Jeffreys' interval for six of six.
    assert unseen.low == pytest.approx(beta.ppf(0.05, 6.5, 0.5), abs=0.03)
    assert unseen.high == 1


def test_drawn_tables_have_all_rows_and_the_shape_of_the_counts():
    counts = np.array([[5, 0, 3], [1, 90, 1]])
    drawn = drawn_cells(counts, np.random.default_rng(0), 4000)

    assert drawn.shape == (4000, 2, 3)
    assert (drawn.sum(axis=(1, 2)) == 100).all()
    assert (drawn[:, 0, 1] == 0).all()
    np.testing.assert_allclose(drawn.mean(axis=0), counts, atol=0.3)


def test_what_luck_explains_shrinks_to_nothing():
    noise = np.abs(np.random.default_rng(0).normal(size=4000))

    least, middle, greatest = shrinkage(lambda factor: factor * 0.5 + noise, 0.6, 0.95)

    assert (least, middle) == (0, 0)
    assert greatest > 0


def test_what_luck_does_not_explain_keeps_its_size():
    noise = np.random.default_rng(0).normal(size=4000)

    least, middle, greatest = shrinkage(lambda factor: factor * 10 + noise, 10.0, 0.95)

    assert least == pytest.approx(1 - norm.ppf(0.95) / 10, abs=0.01)
    assert middle == pytest.approx(1, abs=0.01)
    assert greatest == pytest.approx(1 + norm.ppf(0.95) / 10, abs=0.01)
