import dataclasses

import numpy as np
import pytest

from airflow_mltest.checks.model.drop import Drop, asked, drop, require_drop
from airflow_mltest.checks.model.measure import Measure
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import Interval


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
def test_worse_answers_are_a_drop_whichever_way_the_metric_points(subject, rows, metric):
    measure, mirrored = Measure.of(metric), rows.assign(x=-rows["x"])[["x", "n", "country"]]
    one = subject()
    found = drop(one, measure, asked(one, measure, mirrored), allowed=0.1, confidence=0.95)

    assert found.interval.low < found.value < found.interval.high
    assert found.value > 0.1
    assert found.flipped.all()
    assert found.outcome is Outcome.FAILED


def test_rows_as_they_are_drop_nothing(subject):
    one, measure = subject(), Measure.of("accuracy")
    found = drop(one, measure, asked(one, measure, one.features), allowed=0.01, confidence=0.95)

    assert (found.value, found.flipped.sum(), found.outcome) == (0, 0, Outcome.PASSED)


def test_words_say_how_many_rows_would_decide_if_any_would():
    unsure = Drop(
        metric="f1",
        value=0.05,
        interval=Interval(low=0.0, high=0.15, confidence=0.9),
        allowed=0.1,
        flipped=np.arange(100) < 20,
    )
    on_the_bound = dataclasses.replace(unsure, value=0.1)

    assert "f1 drops by 0.05, between 0 and 0.15; 0.1 allowed; 20.00% of answers flip" in unsure.words
    assert unsure.words.endswith("about 400 rows would decide")
    assert on_the_bound.words.endswith("no number of rows can be told")


def test_end_that_nothing_bounds_is_left_out_of_the_measurement():
    free = Interval(low=-np.inf, high=np.inf, confidence=0.9)
    found = Drop(metric="r2", value=0.1, interval=free, allowed=0.2, flipped=np.zeros(3, bool))

    assert found.measurement("r2_drop").low is found.measurement("r2_drop").high is None


@pytest.mark.parametrize("wrong", [{"max_drop": float("nan")}, {"share": 1.5}, {"confidence": 95}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Check"):
        require_drop("Check", **{"max_drop": 0.1, "share": 0.1, "confidence": 0.95, **wrong})
