import numpy as np
import pandas as pd
import pytest

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.starts import MOST_ROWS, Pool, starts


def near(target, pool, which, *, norm="linf", budget=9.0, compared=8):
    return starts(target, pool, which, norm=norm, budget=budget, compared=compared)


@pytest.fixture
def square():
    """Rows in a square; the answer is yes right of the middle."""
    rows = pd.DataFrame(np.random.default_rng(0).uniform(-1, 1, size=(300, 2)), columns=["x", "y"])
    return rows, lambda frame: (frame["x"].to_numpy(float) > 0) * 1.0


def test_pool_keeps_as_many_rows_as_distances_are_worth():
    points = np.arange(5000.0).reshape(-1, 1)

    pool = Pool.drawn(points, points[:, 0], np.random.default_rng(0))

    assert len(pool.points) == MOST_ROWS
    assert (pool.points[:, 0] == pool.answers).all()


def test_start_is_an_adversary_and_comparing_more_rows_gets_nearer(square, aim):
    target, pool = aim(square[1], square[0], attacked=range(50), scores=False)
    which = np.arange(50)
    lengths = []
    for compared in (1, 8):
        points, found = near(target, pool, which, compared=compared)
        assert found.all()
        assert target.flips(points, which).all()
        lengths.append(target.space.moves(points, target.origin).max(axis=1))

    assert (lengths[1] <= lengths[0] + 1e-9).all()
    assert lengths[1].mean() < lengths[0].mean()


def test_start_takes_the_categories_of_another_row_where_only_these_change_the_answer(aim):
    rows = pd.DataFrame({"job": ["a", "b"] * 20, "x": np.arange(40) + 0.5, "rare": ["p", None] * 20})
    target, pool = aim(lambda frame: (frame["job"] == "b") * 1.0, rows, attacked=[0, 1], scores=False)

    points, found = near(target, pool, np.arange(2))

    assert found.all()
    assert (points[:, 0] != target.origin[:, 0]).all()
    assert not near(target, pool, np.arange(2), budget=0.9)[1].any()


def test_start_keeps_what_may_not_change(square, aim):
    frozen = Constraints(immutable=("x",))
    target, pool = aim(square[1], square[0], constraints=frozen, attacked=range(20), scores=False)

    points, found = near(target, pool, np.arange(20))

    assert not found.any()
    np.testing.assert_array_equal(points, target.origin)


def test_with_one_feature_to_change_a_start_changes_one(aim):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(300, 6)), columns=list("abcdef"))
    target, pool = aim(
        lambda frame: (frame["c"].to_numpy(float) > 0) * 1.0, rows, attacked=range(40), scores=False, max_features=1
    )

    points, found = near(target, pool, np.arange(40))

    assert found.all()
    assert ((points != target.origin).sum(axis=1) == 1).all()


def test_start_for_a_number_is_a_row_whose_answer_is_beyond_the_tolerance(square, aim):
    target, pool = aim(square[1], square[0], attacked=range(30), scores=False, tolerance=0.4)
    target.ask = lambda frame: frame["x"].to_numpy(float)
    target.answers = target.ask(target.rows)
    pool = Pool(points=pool.points, answers=pool.points[:, 0])

    points, found = near(target, pool, np.arange(30))

    assert found.all()
    assert (np.abs(points[:, 0] - target.answers) > 0.4).all()
