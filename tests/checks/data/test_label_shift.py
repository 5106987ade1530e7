import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.drift_columns import METHODS
from airflow_mltest.checks.data.label_shift import LabelShift
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

CLASSES = ["churn", "stay", "unsure"]


def ask(labels, *, reference, **arguments):
    rows, known = (None if one is None else pd.DataFrame({"y": one}) for one in (labels, reference))
    return LabelShift(target="y", **arguments).run(DataSubject(rows=rows, reference=known))


def drawn(shares, rows=5000, seed=0):
    return np.random.default_rng(seed).choice(CLASSES, rows, p=shares)


@pytest.mark.parametrize("method", METHODS)
def test_same_shares_pass_and_others_fail_by_any_method(method):
    reference = drawn([0.2, 0.6, 0.2])

    assert ask(drawn([0.2, 0.6, 0.2], seed=1), reference=reference, method=method).outcome is Outcome.PASSED
    assert ask(drawn([0.4, 0.4, 0.2], seed=1), reference=reference, method=method).outcome is Outcome.FAILED


def test_classes_that_moved_are_named_and_those_that_did_not_are_not():
    case = ask(drawn([0.4, 0.4, 0.2], seed=1), reference=drawn([0.2, 0.6, 0.2]))

    assert case.name == "label_shift"
    assert case.measurements[0].name == "label_shift[y]"
    assert case.measurements[0].low > 0.1
    assert "'stay' 58.5 % became 39.6 %" in case.detail
    assert "'churn' 20.9 % became 40.4 %" in case.detail
    assert "unsure" not in case.detail
    assert case.figures[0].series[0].x[:2] == ("churn", "stay")


def test_class_that_is_new_is_named():
    case = ask([*CLASSES, "other"] * 500, reference=CLASSES * 500)

    assert case.outcome is Outcome.FAILED
    assert "'other' 0 % became 25 %" in case.detail


@pytest.mark.parametrize(
    "labels, moved",
    [
        ([0, 1], [0, 1, 1, 1]),
        ([0.0, 1.0], [0, 1, 1, 1]),
        ([False, True], [False, True, True, True]),
        (pd.Categorical(["1", "2"]), pd.Categorical(["1", "2", "2", "2"])),
    ],
    ids=["integers", "floats", "booleans", "categories"],
)
def test_classes_may_be_of_any_type(labels, moved):
    reference = pd.concat([pd.Series(labels)] * 1000, ignore_index=True)
    rows = pd.concat([pd.Series(moved)] * 500, ignore_index=True)

    assert ask(reference, reference=reference).outcome is Outcome.PASSED
    case = ask(rows, reference=reference)
    assert case.outcome is Outcome.FAILED
    assert "50 % became 25 %" in case.detail
    assert "became 75 %" in case.detail
    assert "Cramér's V" in case.detail


def test_amounts_are_compared_by_their_order():
    rng = np.random.default_rng(0)
    case = ask(rng.lognormal(0.5, 1, 5000), reference=rng.lognormal(size=5000))

    assert case.outcome is Outcome.FAILED
    assert "Kolmogorov-Smirnov distance of y" in case.detail
    assert "Kolmogorov" in ask(rng.poisson(100, 5000), reference=rng.poisson(100, 5000)).detail


def test_labels_that_hardly_repeat_are_still_classes():
    names = [f"class {number}" for number in range(300)] * 2

    assert "Cramér's V" in ask(names, reference=names).detail


def test_few_labels_are_inconclusive():
    case = ask(drawn([0.3, 0.5, 0.2], rows=60, seed=1), reference=drawn([0.2, 0.6, 0.2]))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "60 rows cannot tell; about" in case.detail


def test_share_of_missing_labels_is_compared_too():
    labels = drawn([0.2, 0.6, 0.2]).astype(object)
    missing = np.where(np.arange(5000) % 4, labels, None)
    case = ask(missing, reference=labels)

    assert case.outcome is Outcome.FAILED
    assert {one.name for one in case.measurements} == {"label_shift[y]", "label_shift_missing[y]"}
    assert "0 % became 25 %: has shifted" in case.detail
    assert "no share moved beyond luck: has not shifted" in case.detail


def test_labels_of_another_kind_fail():
    case = ask(["yes", "no"], reference=[1, 0])

    assert case.outcome is Outcome.FAILED
    assert case.detail == "y held numbers, and holds text"


def test_same_shares_fail_in_at_most_five_of_a_hundred_runs():
    failed = 0
    for seed in range(100):
        labels = drawn([0.2, 0.6, 0.2], rows=1000, seed=seed)
        failed += ask(labels[:500], reference=labels[500:], maximum=0.0).outcome is Outcome.FAILED

    assert failed <= 5 + 6


def test_what_cannot_be_compared_is_an_error_that_says_what_to_do():
    labels = drawn([0.2, 0.6, 0.2])
    with pytest.raises(ConfigurationError, match="give the operator a `reference`"):
        ask(labels, reference=None)
    with pytest.raises(ConfigurationError, match="reference that has rows"):
        ask(labels, reference=[])
    with pytest.raises(ConfigurationError, match="the data has no rows"):
        ask([], reference=labels)
    with pytest.raises(ConfigurationError, match="'y' of the data holds no label"):
        ask([None, None], reference=labels)
    with pytest.raises(ConfigurationError, match="'y' of the reference holds no label"):
        ask(labels, reference=[None, None])
    subject = DataSubject(rows=pd.DataFrame({"label": labels}), reference=pd.DataFrame({"y": labels}))
    with pytest.raises(ConfigurationError, match="no column 'y'"):
        LabelShift(target="y").run(subject)
    with pytest.raises(ConfigurationError, match="no column 'labels'; did you mean 'label'"):
        LabelShift(target="labels").run(DataSubject(rows=subject.rows, reference=subject.rows))


@pytest.mark.parametrize("arguments", [{"method": "none"}, {"maximum": -1}, {"max_missing": 2}, {"confidence": 1}])
def test_senseless_arguments_are_refused_at_once(arguments):
    with pytest.raises(ConfigurationError, match="LabelShift"):
        LabelShift(target="y", **arguments)
