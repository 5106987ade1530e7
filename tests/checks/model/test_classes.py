import numpy as np
import pytest

from airflow_mltest.checks.model.classes import gives_classes


@pytest.mark.parametrize(
    "labels, answers, classes",
    [
        (["late", "on time"], ["late", "late"], True),
        ([True, False], [True, True], True),
        ([0, 1], [1, 1], True),
        ([0.0, 1.0], [1.0, 1.0], True),
        ([0.5, 1.0], [1.0, 1.0], False),
        ([3, 4], [3.2, 3.9], False),
    ],
)
def test_few_whole_numbers_and_texts_are_classes(subject, rule, rows, labels, answers, classes):
    times = len(rows) // 2
    asked = subject(rule(lambda r: np.tile(answers, times)), rows=rows.assign(y=labels * times))

    assert gives_classes(asked) is classes


def test_many_whole_numbers_are_measured(subject, rule, rows):
    rows["y"] = np.arange(len(rows)) % 101

    assert not gives_classes(subject(rule(lambda r: np.zeros(len(r), int)), rows=rows))


def test_model_that_gives_probabilities_gives_classes(subject, rows):
    assert gives_classes(subject(rows=rows.assign(y=np.arange(len(rows)) % 500)))
