import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Case, Measurement, Outcome, Suite


def suite(**cases):
    return Suite(
        name="model",
        kind="model",
        cases=tuple(
            Case(
                name=name,
                outcome=Outcome.PASSED,
                measurements=tuple(Measurement(name=metric, value=value) for metric, value in measured),
            )
            for name, measured in cases.items()
        ),
    )


def test_every_number_has_its_name():
    assert metrics_of(suite(quality=[("auc", 0.9), ("f1", 0.8)], speed=[("p95_ms", 12.5)])) == {
        "auc": 0.9,
        "f1": 0.8,
        "p95_ms": 12.5,
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_number_that_could_not_be_measured_is_absent(value):
    assert metrics_of(suite(quality=[("auc", value), ("f1", 0.8)])) == {"f1": 0.8}


def test_suite_that_measured_nothing_has_no_metrics():
    assert metrics_of(suite()) == metrics_of(suite(quality=[])) == {}


def test_second_number_of_a_name_is_told_apart_by_its_case():
    assert metrics_of(suite(quality=[("auc", 0.9)], noise=[("auc", 0.7)])) == {"auc": 0.9, "noise.auc": 0.7}


def test_number_that_could_not_be_measured_takes_no_name():
    assert metrics_of(suite(quality=[("auc", math.nan)], noise=[("auc", 0.7)])) == {"auc": 0.7}


@given(st.lists(st.tuples(st.sampled_from(["auc", "f1"]), st.floats() | st.floats(width=32).map(np.float32))))
def test_metrics_are_finite_and_strict_json(measured):
    metrics = metrics_of(suite(case=measured))

    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert all(type(value) is float for value in metrics.values())
