import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.shrink import fewer, nearer, prefixes, ranks, size
from airflow_mltest.attacks.space import Space
from airflow_mltest.attacks.target import Target


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_prefixes_reach_from_one_to_all_and_depend_on_their_own_row_only(counts):
    found = prefixes(np.array(counts))

    for count, row in zip(counts, found, strict=True):
        lengths = row[row > 0].tolist()
        assert lengths == sorted(set(lengths))
        assert lengths == [size for size in prefixes(np.array([count]))[0].tolist() if size]
        if count:
            assert lengths[0] == 1
            assert lengths[-1] == count


def test_equal_entries_are_ranked_from_left_to_right():
    assert ranks(np.array([[2, 1, 2, 0], [0, 0, 0, 0]])).tolist() == [[2, 1, 3, 0], [0, 1, 2, 3]]


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_nearest_point_on_the_way_is_found_within_its_resolution(aim, norm):
    rows = pd.DataFrame({"x": np.linspace(-2, 2, 41), "z": np.linspace(0.1, 1, 41)})
    target, _ = aim(lambda frame: (frame["x"].to_numpy(float) > 0.3) * 1.0, rows)
    which = np.arange(10)
    points = target.origin[which] + [[4.0, 0.2]]

    found = nearer(target, points, which, norm=norm, rounds=5)

    assert ((found[:, 0] > 0.3) & (found[:, 0] < 0.3 + 4.0 / 4**5 + 1e-9)).all()


def test_features_that_an_adversary_can_do_without_go_back(aim):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(50, 12)), columns=list("abcdefghijkl"))
    target, _ = aim(lambda frame: ((frame["a"] + frame["b"]).to_numpy(float) > 0) * 1.0, rows)
    which = np.flatnonzero(target.answers == "no")
    points = target.origin[which] + 3 * np.abs(target.origin[which]).sum(axis=1, keepdims=True)

    for _ in range(3):
        points = fewer(target, points, which)

        assert target.flips(points, which).all()
    assert ((points != target.origin[which]).sum(axis=1) == 1).all()


def test_sizes_are_those_of_the_two_norms():
    moves = np.array([[3.0, 4.0], [0.0, 0.0]])

    assert size(moves, "l2").tolist() == [5.0, 0.0]
    assert size(moves, "linf").tolist() == [4.0, 0.0]


@given(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_no_point_on_the_way_is_beyond_its_ends_by_a_bit(start, end):
    if start == end:
        return
    rows = pd.DataFrame({"x": [start, end, 0.25]})
    space = Space.of(rows, Constraints())
    target = Target(
        space=space,
        constraints=Constraints(),
        rows=rows.head(1),
        answers=np.array([0]),
        ask=lambda frame: (frame["x"].to_numpy() != start).astype(int),
    )
    seen = []
    target.flips = lambda points, which: (seen.append(points.copy()), np.zeros(len(points), dtype=bool))[1]

    for norm in ("l2", "linf"):
        nearer(target, np.array([[end]]), np.array([0]), norm=norm, rounds=30)

    tried = np.concatenate(seen)
    assert tried.min() >= min(start, end)
    assert tried.max() <= max(start, end)
