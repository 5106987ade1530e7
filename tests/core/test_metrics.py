import json
import logging
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.metrics import label, metrics_of, samples_of
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite


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


def sent(suite):
    return {(sample.name, *sample.tags.values()): sample.value for sample in samples_of(suite)}


@pytest.mark.parametrize(
    "text, written",
    [
        ("roc_auc", "roc_auc"),
        ("tests.unit-2", "tests.unit-2"),
        ("latency p95", "latency_p95"),
        ("", "none"),
        ("roc_auc[country=nl]", "roc_auc_country_nl_16c553c1"),
    ],
)
def test_label_is_the_text_as_far_as_every_protocol_takes_it(text, written):
    assert label(text) == written


@given(st.text(max_size=300))
def test_label_is_safe_and_short_and_its_own_label(text):
    written = label(text)

    assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,45}", written)
    assert label(written) == written


def test_names_that_differ_in_what_no_protocol_takes_stay_two():
    names = ["age <= 30", "age >= 30", "größe", "grüße", "x" * 250, "x" * 249, "a:b", "a|b"]

    assert len({label(name) for name in names}) == len(names)


def test_name_with_all_its_tags_is_one_that_airflow_does_not_drop():
    long = "x.y" * 90
    told = Suite(
        name=long,
        kind="environment",
        origin=Origin(dag_id=long, run_id="r", task_id="t"),
        subject={"model": long, "version": "3"},
        cases=(Case(name="a", outcome=Outcome.PASSED, measurements=(Measurement(name=long, value=1.0),)),),
    )

    for sample in samples_of(told):
        assert len(f"{sample.name},{','.join('='.join(tag) for tag in sample.tags.items())}") <= 250
        assert len(sample.dotted) <= 250
        assert sample.dotted.count(".") == sample.name.count(".") + len(sample.tags)


def test_thousands_of_cases_make_no_more_series_than_one():
    def counted(cases):
        return Suite(
            name="unit", kind="code", cases=tuple(Case(name=f"{i}", outcome=Outcome.FAILED) for i in range(cases))
        )

    assert sent(counted(1)).keys() == sent(counted(5000)).keys()
    assert sent(counted(5000))["mltest.cases", "none", "unit", "code", "failed"] == 5000


def test_outcome_that_no_case_had_is_sent_as_zero():
    found = sent(suite(quality=[]))

    assert [found["mltest.cases", "none", "model", "model", outcome.value] for outcome in Outcome] == [1, 0, 0, 0, 0]
    assert [found["mltest.suites", "none", "model", "model", outcome.value] for outcome in Outcome] == [1, 0, 0, 0, 0]


def test_flaky_case_is_counted_beside_its_outcome_not_twice():
    flaky = Suite(name="unit", kind="code", cases=(Case(name="a", outcome=Outcome.PASSED, flaky=True),))

    assert sum(value for key, value in sent(flaky).items() if key[0] == "mltest.cases") == 1
    assert sent(flaky)["mltest.flaky", "none", "unit", "code"] == 1


@pytest.mark.parametrize(
    "subject, told",
    [
        ({"model": "churn", "version": "12"}, {"churn": 12}),
        ({"model": "runs:/0af7/model"}, {}),
        ({}, {}),
    ],
)
def test_only_a_registered_model_is_named_since_the_others_are_new_in_each_run(subject, told):
    found = sent(Suite(name="model", kind="model", subject=subject, cases=suite(quality=[("auc", 0.9)]).cases))

    assert {key[-1]: value for key, value in found.items() if key[0] == "mltest.model_version"} == told
    assert [key[-2] for key in found if key[0] == "mltest.metric"] == [*told, "none"][:1]


def test_metric_whose_name_holds_a_found_bound_makes_no_series():
    found = sent(suite(slices=[("auc[country = nl]", 0.8), ("auc[0.31 <= age < 0.52]", 0.7), ("auc", math.nan)]))

    assert [key[-1] for key in found if key[0] == "mltest.metric"] == [label("auc[country = nl]")]


def test_of_too_many_metrics_the_first_are_sent_and_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING, logger="airflow_mltest"):
        found = sent(suite(columns=[(f"drift_{index:03}", 0.1) for index in range(150)]))

    assert [key[-1] for key in found if key[0] == "mltest.metric"] == [f"drift_{index:03}" for index in range(100)]
    assert "Of 150 metrics of model the first 100 are sent" in caplog.text
