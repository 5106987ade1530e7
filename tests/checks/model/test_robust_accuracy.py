import math

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.space import Space
from airflow_mltest.attacks.target import Adversaries, Target
from airflow_mltest.checks.model.robust_accuracy import RobustAccuracy, in_words

ROWS = pd.DataFrame({"x": [0.5, 1.5, np.nan, 3.5], "job": ["a", "b", "a", "b"]}, index=[10, 11, 12, 13])


@pytest.fixture
def robust():
    """Say that of so many drawn rows the four are right, and what was found for the first of these."""

    def make(sizes, changed=None, drawn=4):
        count = len(sizes)
        target = Target(
            space=Space.of(ROWS, Constraints()),
            constraints=Constraints(),
            rows=ROWS,
            answers=np.array([0, 1, 0, 1]),
            ask=lambda frame: np.zeros(len(frame)),
        )
        found = Adversaries(
            found=np.isfinite(sizes),
            rows=ROWS.iloc[:count].assign(x=9.0),
            size=np.array(sizes, dtype=float),
            changed=np.array(changed or [[True, False]] * count, dtype=bool).reshape(count, 2),
            answers=np.array([5] * count),
        )
        return RobustAccuracy(drawn=drawn, target=target, found=found, confidence=0.95)

    return make


def test_share_is_of_all_drawn_rows_and_falls_with_the_budget(robust):
    said = robust([0.2, 0.4, math.inf, 0.4], drawn=8)

    assert [said.share(budget) for budget in (0.0, 0.2, 0.4, 9.0)] == [0.5, 0.375, 0.125, 0.125]


def test_unknown_rows_widen_the_interval_to_both_sides_and_do_not_move_the_estimate(robust):
    known, unknown = robust([0.2, math.inf, 0.2, math.inf]), robust([0.2, math.inf])

    assert (known.unknown, unknown.unknown) == (0, 2)
    assert unknown.share(0.5) == known.share(0.5) == 0.5
    assert unknown.interval(0.5).low < known.interval(0.5).low
    assert unknown.interval(0.5).high > known.interval(0.5).high


def test_nothing_attacked_is_nothing_known(robust):
    said = robust([])

    assert not said.known
    assert math.isnan(said.share(0.5))
    assert math.isnan(said.smallest()[0])
    assert said.gives_way_first(0.5) == {}
    assert said.examples() == []


@pytest.mark.parametrize(
    "sizes,median",
    [([0.1, 0.2, 0.3], 0.2), ([0.1, 0.2, math.inf, math.inf], 0.2), ([0.1, math.inf, math.inf], math.inf)],
)
def test_median_is_a_budget_that_misleads_half_of_the_rows(robust, sizes, median):
    assert robust(sizes).smallest()[0] == median


def test_features_are_counted_in_the_adversaries_within_the_budget(robust):
    said = robust([0.1, 0.2, 0.9], changed=[[True, False], [True, True], [False, True]])

    assert said.gives_way_first(0.5) == {"x": 1.0, "job": 0.5}


def test_examples_are_the_smallest_with_the_whole_row_and_what_changed(robust):
    examples = robust([0.3, math.inf, 0.1]).examples()

    assert examples == [
        {"row": 12, "before": {"x": None, "job": "a"}, "after": {"x": 9.0}, "answers": [0, 5], "budget": 0.1},
        {"row": 10, "before": {"x": 0.5, "job": "a"}, "after": {"x": 9.0}, "answers": [0, 5], "budget": 0.3},
    ]
    assert in_words(examples[1]) == "row 10: x 0.5 -> 9: answered 0 -> 5"


def test_row_of_many_changes_is_told_in_short():
    names = [f"x{number}" for number in range(6)]
    before, after = dict.fromkeys(names, 0.123456789), dict.fromkeys(names, 1)
    example = {"row": 1, "before": before, "after": after, "answers": ["no", "yes"]}

    assert in_words(example) == (
        "row 1: x0 0.123457 -> 1, x1 0.123457 -> 1, x2 0.123457 -> 1, x3 0.123457 -> 1 and 2 more: answered no -> yes"
    )


def test_figure_begins_with_plain_accuracy(robust):
    figure = robust([0.2, math.inf, 0.2, math.inf], drawn=8).figure((0.1, 0.5), 0.3)

    (series,) = figure.series
    assert series.x == (0.0, 0.1, 0.5)
    assert series.y == (0.5, 0.5, 0.25)
    assert all(low < y < high for low, y, high in zip(series.low, series.y, series.high, strict=True))
    assert figure.bounds == (0.3,)
