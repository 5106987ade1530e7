import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from airflow_mltest.attacks.boundary import Effort, boundary
from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.shrink import size

NAMES = [f"p{number}" for number in range(64)]
FREE = Constraints(units=dict.fromkeys(NAMES, 1.0), bounds=dict.fromkeys(NAMES, (-9.0, 9.0)), integer=())


@pytest.fixture(scope="module")
def digits():
    pixels, label = load_digits(return_X_y=True)
    return pd.DataFrame(pixels / 16, columns=NAMES).head(600), label[:600] >= 5


@pytest.fixture(scope="module")
def linear(digits):
    return LogisticRegression().fit(digits[0].to_numpy(), digits[1])


@pytest.fixture(scope="module")
def forest(digits):
    return RandomForestClassifier(10, random_state=0).fit(digits[0].to_numpy(), digits[1])


def chance_of(model):
    return lambda frame: model.predict_proba(frame.to_numpy())[:, 1]


@pytest.mark.parametrize("norm,within", [("l2", 1.25), ("linf", 1.6)])
def test_distance_is_near_the_shortest_there_is_to_a_plane(digits, linear, aim, norm, within):
    rows, _ = digits
    target, pool = aim(chance_of(linear), rows, constraints=FREE, attacked=range(100), scores=False)

    points, found = boundary(target, pool, np.arange(100), seed=0, norm=norm, effort=Effort(iterations=6, probes=200))

    values, weights = rows.to_numpy()[:100], linear.coef_[0]
    dual = np.linalg.norm(weights) if norm == "l2" else np.abs(weights).sum()
    exact = np.abs(linear.decision_function(values)) / dual
    got = size(np.abs(points - values), norm)
    assert found.all()
    assert (got >= exact * (1 - 1e-9)).all()
    assert np.median(got / exact) < within


def test_result_of_a_row_has_the_same_bits_in_any_batch(digits, linear, forest, aim, loans, lender):
    for chance, rows in ((chance_of(linear), digits[0]), (chance_of(forest), digits[0]), (lender, loans)):
        whole, pool = aim(chance, rows, attacked=range(40), scores=False)
        parts, _ = aim(chance, rows, attacked=range(40), scores=False, batch_rows=300)
        points, found = boundary(whole, pool, np.arange(40), seed=1)

        for some in (np.array([0]), np.arange(20, 27), np.arange(39, 0, -3)):
            again, also = boundary(parts, pool, some, seed=1)
            np.testing.assert_array_equal(again, points[some])
            np.testing.assert_array_equal(also, found[some])


def test_another_seed_is_another_walk(digits, linear, aim):
    target, pool = aim(chance_of(linear), digits[0], constraints=FREE, attacked=range(5), scores=False)

    one, other = (boundary(target, pool, np.arange(5), seed=seed)[0] for seed in (1, 2))

    assert (one != other).any(axis=1).all()


def test_forest_is_fooled_by_few_pixels_and_farther_search_gets_nearer(digits, forest, aim):
    target, pool = aim(chance_of(forest), digits[0], constraints=FREE, attacked=range(60), scores=False)
    lengths = []
    for effort in (Effort(iterations=1, probes=20, polish=0), Effort()):
        points, found = boundary(target, pool, np.arange(60), seed=0, norm="l2", effort=effort)
        assert found.all()
        lengths.append(np.median(size(np.abs(points - target.origin), "l2")))

    assert lengths[1] < 0.8 * lengths[0]
    assert np.median((points != target.origin).sum(axis=1)) <= 20


def test_constraints_hold_along_the_whole_way(loans, lender, aim):
    constraints = Constraints(
        immutable=("age", "town"),
        increasing=("late",),
        derived=("left",),
        repair=lambda rows: rows.assign(left=rows["income"].astype(float) - rows["debt"].fillna(0)),
        valid=lambda rows: rows["income"] > 6000,
    )
    target, pool = aim(lender, loans, constraints=constraints, attacked=range(80), scores=False)
    seen = []
    ask = target.ask
    target.ask = lambda frame: (seen.append(frame), ask(frame))[1]

    points, found = boundary(target, pool, np.arange(80), seed=0, budget=3.0)
    adversaries = target.verified(points, found, np.arange(80))

    assert found.mean() > 0.8
    assert adversaries.found.sum() == found.sum()
    assert all(frame.dtypes.equals(loans.dtypes) for frame in seen)
    before, after = loans.head(80)[found], adversaries.rows[found]
    assert (after["age"] == before["age"]).all()
    assert (after["town"] == before["town"]).all()
    assert (after["late"] >= before["late"]).all()
    assert constraints.valid(after).all()
    assert adversaries.size[found].max() <= 3.0 * (1 + 1e-9)


def test_no_more_features_change_than_may(loans, lender, aim):
    target, pool = aim(lender, loans, attacked=range(80), scores=False, max_features=2)

    points, found = boundary(target, pool, np.arange(80), seed=0)
    adversaries = target.verified(points, found, np.arange(80))

    assert adversaries.found.sum() > 20
    assert adversaries.changed.sum(axis=1).max() <= 2


def test_model_with_one_answer_leaves_nowhere_to_start(digits, aim):
    target, pool = aim(lambda frame: np.zeros(len(frame)), digits[0], attacked=range(5), scores=False)

    points, found = boundary(target, pool, np.arange(5), seed=0)

    assert not found.any()
    np.testing.assert_array_equal(points, target.origin)
