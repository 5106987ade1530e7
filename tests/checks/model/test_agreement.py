import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from airflow_mltest.checks.model.agreement import Said, differ, first_difference

NUMBERS = hnp.arrays(float, st.integers(1, 20), elements=st.floats(-1e6, 1e6))


@given(NUMBERS)
def test_what_was_said_twice_does_not_differ(numbers):
    said = Said(answers=numbers, scores=np.c_[numbers, -numbers])

    assert first_difference(said, said, tolerance=0) is None


@given(NUMBERS, st.data())
def test_first_row_that_differs_is_found(numbers, data):
    place = data.draw(st.integers(0, len(numbers) - 1))
    other = numbers.copy()
    other[place:] += 1

    found = first_difference(Said(answers=numbers, scores=None), Said(answers=other, scores=None), tolerance=0)

    assert (found.place, found.before, found.after) == (place, numbers[place], other[place])


def test_last_bits_differ_only_where_none_may():
    one, other = np.array([1.0]), np.array([1.0 + 1e-15])

    assert differ(one, other, tolerance=0).all()
    assert not differ(one, other, tolerance=1e-9).any()


def test_answers_agree_whatever_the_probabilities_of_another_row_are():
    one = Said(answers=np.array(["a", "b"]), scores=np.array([[0.9, 0.1], [0.2, 0.8]]))
    other = Said(answers=np.array(["a", "b"]), scores=np.array([[0.9, 0.1], [0.3, 0.7]]))

    assert first_difference(one, other, tolerance=1e-9).place == 1


def test_probabilities_that_are_gone_or_of_other_classes_differ():
    answers = np.array([0, 1])
    two, three, none = (Said(answers=answers, scores=s) for s in (np.full((2, 2), 0.5), np.full((2, 3), 1 / 3), None))

    assert first_difference(two, none, tolerance=1).after == "no probabilities"
    assert first_difference(two, three, tolerance=1).place == 0


@pytest.mark.parametrize("other", [np.array(["0", "1"]), np.array([0, "x"], dtype=object)])
def test_text_is_no_number(other):
    assert differ(np.array([0, 1]), other, tolerance=1e-9).any()
