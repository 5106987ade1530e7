import numpy as np
import pandas as pd
import pytest

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.target import OutOfTimeError
from airflow_mltest.core.errors import ConfigurationError


@pytest.fixture
def line():
    """Rows on a line, and the chance that grows along it."""
    rows = pd.DataFrame({"x": np.linspace(-2, 2, 41), "z": np.linspace(0.1, 1, 41)})
    return rows, lambda frame: 1 / (1 + np.exp(-3 * frame["x"].to_numpy(float)))


def test_margin_is_positive_on_the_own_side_and_negative_beyond(line, aim):
    rows, chance = line
    target, _ = aim(chance, rows, attacked=[0])

    margins = target.margins(np.array([[-2, 0.1], [-1, 0.1], [1, 0.1]]), np.zeros(3, dtype=int))

    assert margins.tolist() == pytest.approx([6.0, 3.0, -3.0])


def test_margin_is_finite_where_a_model_is_certain(line, aim):
    rows, _ = line
    target, _ = aim(lambda frame: (frame["x"].to_numpy(float) > 0).astype(float), rows, attacked=[0])

    margins = target.margins(np.array([[-2, 0.1], [2, 0.1]]), np.zeros(2, dtype=int))

    assert margins[0] == -margins[1]
    assert np.isfinite(margins).all()


def test_margin_of_numbers_is_what_the_tolerance_leaves(line, aim):
    rows, chance = line
    target, _ = aim(chance, rows, attacked=[20], tolerance=2.0)
    target.ask, target.answers = (lambda frame: frame["x"].to_numpy(float)), np.array([0.0])
    points, which = np.array([[1.0, 0.1], [4.0, 0.1], [-4.0, 0.1]]), np.zeros(3, dtype=int)

    assert target.margins(points, which).tolist() == [0.5, -1.0, 3.0]
    assert target.margins(points, which, sign=-1).tolist() == [1.5, 3.0, -1.0]
    assert target.flips(points, which).tolist() == [False, True, True]


def test_model_of_labels_has_no_margin(line, aim):
    target, _ = aim(line[1], line[0], scores=False)

    with pytest.raises(ConfigurationError, match="labels only"):
        target.margins(target.origin[:1], np.zeros(1, dtype=int))


def test_batches_are_not_larger_than_was_said_and_do_not_matter(line, aim):
    rows, chance = line
    seen, points = [], np.c_[np.linspace(-3, 3, 25), np.full(25, 0.5)]
    target, _ = aim(chance, rows, batch_rows=7)
    ask = target.ask
    target.ask = lambda frame: (seen.append(len(frame)), ask(frame))[1]

    flipped = target.flips(points, np.zeros(25, dtype=int))

    assert seen == [7, 7, 7, 4]
    assert flipped.tolist() == (points[:, 0] > 0).tolist()


def test_row_that_could_not_exist_is_no_adversary(line, aim):
    rows, chance = line
    target, _ = aim(chance, rows, constraints=Constraints(valid=lambda frame: frame["x"] < 1), attacked=[0])
    points, which = np.array([[0.5, 0.1], [1.5, 0.1]]), np.zeros(2, dtype=int)

    assert target.flips(points, which).tolist() == [True, False]
    assert target.margins(points, which)[1] == np.inf


def test_nothing_is_reported_that_a_second_look_does_not_confirm(line, aim):
    rows, chance = line
    target, _ = aim(chance, rows, attacked=[0, 1, 2, 3], max_features=1)
    points = target.origin.copy()
    points[:, 0] = [1.0, -1.0, 1.0, 99.0]
    points[2, 1] = 0.9
    claimed = np.array([True, True, True, True])

    found = target.verified(points, claimed, np.arange(4))

    # The second does not flip, the third changes two features, the fourth is out of the data's range.
    assert found.found.tolist() == [True, False, False, False]
    assert np.isfinite(found.size).tolist() == found.found.tolist()
    assert found.answers[0] == "yes"
    assert found.rows.index.tolist() == [0, 1, 2, 3]


def test_repair_sets_derived_features_in_the_types_that_the_model_knows(aim):
    rows = pd.DataFrame({"a": [1, 2, 3, 9], "b": [1, 5, 3, 0], "sum": [2, 7, 6, 9]})
    seen = []

    def repair(frame):
        frame["sum"] = (frame["a"] + frame["b"]) * 1.0
        return frame[["sum", "b", "a"]]

    def chance(frame):
        seen.append(frame.dtypes.to_dict())
        return (frame["sum"].to_numpy() > 7) * 1.0

    target, _ = aim(chance, rows, constraints=Constraints(derived=("sum",), repair=repair), attacked=[0])
    seen.clear()

    assert target.flips(np.array([[8.0, 1.0, 2.0], [2.0, 1.0, 2.0]]), np.zeros(2, dtype=int)).tolist() == [True, False]
    assert seen == [rows.dtypes.to_dict()]
    assert target.verified(np.array([[8.0, 1.0, 2.0]]), np.array([True]), np.array([0])).rows["sum"].tolist() == [9]


@pytest.mark.parametrize(
    "wrong,says",
    [
        ({"repair": lambda rows: rows.iloc[1:]}, "has to give the rows it was given"),
        ({"repair": lambda rows: rows[["x"]]}, "has to give the rows it was given"),
        ({"valid": lambda rows: rows["x"]}, "a boolean a row"),
        ({"valid": lambda rows: True}, "a boolean a row"),
    ],
)
def test_callables_that_give_something_else_are_refused(line, aim, wrong, says):
    target, _ = aim(line[1], line[0], constraints=Constraints(**wrong))

    with pytest.raises(ConfigurationError, match=says):
        target.flips(target.origin[:2], np.arange(2))


def test_out_of_time_is_said_before_the_model_is_asked(line, aim):
    target, _ = aim(line[1], line[0], out_of_time=lambda: True)

    with pytest.raises(OutOfTimeError):
        target.flips(target.origin, np.arange(len(target.rows)))
