import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_mltest.reports.axis import axis_of, written


@pytest.mark.parametrize(
    "values, labels",
    [
        ([0.02, 0.97], ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([3, 9], ["3", "4", "5", "6", "7", "8", "9"]),
        ([4, 6], ["4", "5", "6"]),
        ([-0.013, 0.021], ["−0.02", "−0.01", "0", "0.01", "0.02", "0.03"]),  # noqa: RUF001
        ([12_000, 48_000], ["10 000", "20 000", "30 000", "40 000", "50 000"]),
        ([1e7, 3e7], ["1e7", "1.5e7", "2e7", "2.5e7", "3e7"]),
        ([], ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([math.nan, math.inf], ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round_numbers(values, labels):
    ticks = axis_of(values, 0, 100).ticks()

    assert [label.replace("\N{NARROW NO-BREAK SPACE}", " ") for _, label in ticks] == labels


@pytest.mark.parametrize(
    "values, labels",
    [
        ([0.7, 22], ["1", "2", "5", "10", "20"]),
        ([0.001, 1000], ["0.001", "0.01", "0.1", "1", "10", "100", "1 000"]),
        ([3.1, 3.9], ["3.2", "3.4", "3.6", "3.8"]),
        ([-1, 0, 1, 100], ["1", "10", "100"]),
    ],
)
def test_logarithmic_ticks_are_powers_of_ten_and_where_these_are_few_their_doubles_and_halves(values, labels):
    ticks = axis_of(values, 0, 100, log=True, round_ends=False).ticks()

    assert [label.replace("\N{NARROW NO-BREAK SPACE}", " ") for _, label in ticks] == labels


def test_what_cannot_be_logarithmic_is_linear():
    assert not axis_of([-3, 0], 0, 100, log=True).log


@example([1e300, -1e300], True)
@example([5e-324, 1e308], True)
@example([1e15, 1e15 + 1], False)
@example([0.1, 0.1 + 1e-17], False)
@given(st.lists(st.floats(), max_size=5), st.booleans())
def test_any_numbers_have_an_axis_on_which_they_keep_their_order(values, log):
    axis = axis_of(values, 10, 110, log=log)
    ticks = axis.ticks()
    known = sorted(value for value in values if math.isfinite(value) and (value > 0 or not axis.log))
    places = [axis.at(value) for value in known]

    assert axis.low < axis.high
    assert places == sorted(places)
    assert all(10 <= place <= 110 for place in (*places, *(place for place, _ in ticks)))
    assert len(ticks) <= 12
    assert len({label for _, label in ticks}) == len(ticks)


@pytest.mark.parametrize(
    "value, text",
    [
        (0.123456, "0.1235"),
        (123_456.7, "123 457"),
        (-2.0, "−2"),  # noqa: RUF001
        (0.0, "0"),
        (1.5e-9, "1.5e−9"),  # noqa: RUF001
        (math.nan, "unknown"),
        (math.inf, "infinite"),
        (-math.inf, "minus infinite"),
    ],
)
def test_numbers_are_written_as_people_do(value, text):
    assert written(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text
