import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.greedy import greedy


@pytest.fixture(scope="module")
def plane():
    """Rows, and a linear model of them; its nearest adversary in the maximum norm is known."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(rng.normal(size=(400, 8)) * np.arange(1, 9), columns=list("abcdefgh"))
    truth = rows.to_numpy() @ rng.normal(size=8) > 0
    return rows, LogisticRegression().fit(rows.to_numpy(), truth)


def away(rows, model):
    """The exact smallest move of all features, in standard deviations, that changes a linear model's answer."""
    values = rows.to_numpy()
    return np.abs(model.decision_function(values)) / np.abs(model.coef_[0] * values.std(axis=0)).sum()


def chance_of(model):
    return lambda frame: model.predict_proba(frame.to_numpy())[:, 1]


FREE = {"bounds": dict.fromkeys("abcdefgh", (-1000000.0, 1000000.0))}


@pytest.mark.parametrize("budget", [0.05, 0.2, 0.5])
def test_exactly_those_rows_of_a_linear_model_fall_that_can(plane, aim, budget):
    rows, model = plane
    target, _ = aim(chance_of(model), rows, constraints=Constraints(**FREE))

    points, found = greedy(target, budget, np.arange(400))

    assert (found == (away(rows, model) < budget)).all()
    assert 0 < found.sum() < 400
    moves = target.space.moves(points, target.origin)
    assert moves.max() <= budget * (1 + 1e-9)


def test_result_of_a_row_has_the_same_bits_in_any_batch(plane, aim, loans, lender):
    for chance, rows in ((chance_of(plane[1]), plane[0]), (lender, loans.head(200))):
        target, _ = aim(chance, rows)
        everyone = np.arange(len(rows))
        points, found = greedy(target, 0.3, everyone)
        other, _ = aim(chance, rows, batch_rows=100)

        for some in (everyone[:1], everyone[50:57], everyone[::-3]):
            again, also = greedy(other, 0.3, some)
            np.testing.assert_array_equal(again, points[some])
            np.testing.assert_array_equal(also, found[some])


def test_no_more_features_change_than_may_and_with_one_it_is_the_best_one(plane, aim):
    rows, model = plane
    target, _ = aim(chance_of(model), rows, constraints=Constraints(**FREE), max_features=1)

    points, found = greedy(target, 1.0, np.arange(400))

    strength = np.abs(model.coef_[0] * rows.to_numpy().std(axis=0)).max()
    assert (found == (np.abs(model.decision_function(rows.to_numpy())) < strength)).all()
    assert ((points != target.origin).sum(axis=1) <= 1).all()


def test_model_that_answers_by_another_threshold_than_a_half_is_attacked_by_its_answers(plane, aim):
    rows, model = plane
    target, _ = aim(chance_of(model), rows, constraints=Constraints(**FREE))
    for threshold in (0.1, 0.9):
        target.ask = lambda frame, t=threshold: np.where(chance_of(model)(frame) > t, "yes", "no")
        target.answers = target.ask(rows)
        target.own = (target.answers == "yes").astype(int)
        _, found = greedy(target, 0.4, np.arange(400))

        values = rows.to_numpy()
        logit = model.decision_function(values) - np.log(threshold / (1 - threshold))
        exact = np.abs(logit) / np.abs(model.coef_[0] * values.std(axis=0)).sum() < 0.4
        assert (found <= exact).all()
        assert found.sum() >= 0.98 * exact.sum()


def test_numbers_are_pushed_the_way_that_was_asked(aim, plane):
    rows, _ = plane
    target, _ = aim(lambda frame: frame["a"].to_numpy(), rows, constraints=Constraints(**FREE), tolerance=0.5)
    target.ask = lambda frame: frame["a"].to_numpy() - 2 * frame["b"].to_numpy()
    target.answers = target.ask(rows)

    for sign in (1, -1):
        points, found = greedy(target, 0.3, np.arange(400), sign)
        change = points[:, 0] - 2 * points[:, 1] - target.answers
        assert found.all()
        assert (sign * change > 0.5).all()


def test_category_falls_only_within_a_budget_that_pays_for_it(aim):
    rows = pd.DataFrame({"job": ["a", "b", "c"] * 10, "x": np.arange(30) + 0.5})
    target, _ = aim(lambda frame: (frame["job"] == "c") * 0.9, rows)
    everyone = np.arange(30)

    assert not greedy(target, 0.9, everyone)[1].any()
    points, found = greedy(target, 1.0, everyone)
    assert found.all()
    np.testing.assert_array_equal(points[:, 1], rows["x"])


def test_way_on_which_each_step_opens_the_next_only_is_not_followed_for_ever(aim, plane):
    rows = plane[0].abs() + 0.1
    pushed = rows.to_numpy() + 0.2 * rows.to_numpy().std(axis=0)
    asked = []

    def chance(frame):
        asked.append(len(frame))
        # The features that have risen, as far as all before them have, too.
        risen = np.cumprod(frame.to_numpy()[:, None, :] >= pushed[None, :1, :] - 1e-9, axis=2).sum(axis=2)[:, 0]
        return 0.1 + 0.041 * risen * (risen < 8) + 0.5 * (risen == 8)

    target, _ = aim(chance, rows, constraints=Constraints(**FREE), attacked=[0])
    asked.clear()

    assert not greedy(target, 0.2, np.arange(1))[1].any()
    assert len(asked) < 25


def test_nothing_to_move_is_nothing_found(aim, plane):
    rows, model = plane
    target, _ = aim(chance_of(model), rows, constraints=Constraints(immutable=tuple("abcdefgh")))

    assert not greedy(target, 5.0, np.arange(400))[1].any()
