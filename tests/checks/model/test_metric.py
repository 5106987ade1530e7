import copy
import pickle

import numpy as np
import pytest
from sklearn import metrics

from airflow_mltest.checks.model.metric import Metric
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


@pytest.mark.parametrize("name", ["accuracy", "f1", "balanced_accuracy", "matthews_corrcoef", "precision", "recall"])
def test_metric_of_answers_is_scikit_learns_and_lies_in_its_interval(subject, rows, sensible, name):
    (measured,) = Metric(name=name, minimum=0.1).run(subject()).measurements
    truth = metrics.get_scorer(name)._score_func(rows["y"], sensible.answer(rows))

    assert measured.value == pytest.approx(truth)
    assert measured.low < truth < measured.high
    assert measured.confidence == pytest.approx(0.9)


def test_metrics_of_probabilities_are_given_probabilities(subject, rows, sensible):
    chance = sensible.probability(rows)
    expected = {
        "roc_auc": metrics.roc_auc_score(rows["y"], chance),
        "average_precision": metrics.average_precision_score(rows["y"], chance),
        "neg_log_loss": -metrics.log_loss(rows["y"], chance),
        "neg_brier_score": -metrics.brier_score_loss(rows["y"], chance),
        "brier_score_loss": metrics.brier_score_loss(rows["y"], chance),
    }
    for name, value in expected.items():
        (measured,) = Metric(name=name, minimum=-10).run(subject()).measurements
        assert measured.value == pytest.approx(value), name


def test_regression_is_measured_on_its_numbers(subject, rows, rule):
    rows["y"] = rows["x"] + 0.1
    case = Metric(name="mean_absolute_error", maximum=0.2).run(subject(rule(lambda r: r["x"].to_numpy()), rows=rows))

    assert case.outcome is Outcome.PASSED
    assert case.measurements[0].value == pytest.approx(0.1)


@pytest.mark.parametrize(
    "bounds, outcome",
    [({"minimum": 0.7}, "passed"), ({"minimum": 0.99}, "failed"), ({"maximum": 0.7}, "failed")],
)
def test_bound_is_compared_with_the_interval(subject, bounds, outcome):
    assert Metric(name="accuracy", **bounds).run(subject()).outcome == outcome


def test_bound_inside_the_interval_is_inconclusive_and_says_how_many_rows_would_decide(subject, rows):
    few = rows[:50]
    right = Metric(name="accuracy", minimum=0.1).run(subject(rows=few)).measurements[0].value
    case = Metric(name="accuracy", minimum=right - 0.02).run(subject(rows=few))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in case.detail


def test_nine_of_ten_do_not_show_nine_times_in_ten(subject, rows, rule):
    ten = rows[:10].copy()
    ten["y"] = [1] * 9 + [0]
    case = Metric(name="accuracy", minimum=0.9).run(subject(rule(lambda r: np.ones(len(r), dtype=int)), rows=ten))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert case.measurements[0].low == pytest.approx(0.606, abs=0.001)  # Clopper-Pearson's, as tabulated


def test_accuracy_interval_is_exact(subject, rule, rows):
    case = Metric(name="accuracy", minimum=0.1).run(subject(rule(lambda r: rows["y"].to_numpy()[: len(r)])))

    assert case.measurements[0].high == 1.0
    assert case.measurements[0].low == pytest.approx(0.05 ** (1 / 2000))


def test_unknown_metric_is_named_with_the_nearest(subject):
    with pytest.raises(ConfigurationError, match="no metric 'roc_auk'; near: roc_auc"):
        Metric(name="roc_auk", minimum=0.5).run(subject())


def test_one_class_has_no_area(subject, rows):
    with pytest.raises(ConfigurationError, match="rows of two classes"):
        Metric(name="roc_auc", minimum=0.5).run(subject(rows=rows.assign(y=1)))


def test_metric_of_probabilities_needs_a_model_that_gives_some(subject, rule):
    with pytest.raises(ConfigurationError, match="needs probabilities"):
        Metric(name="roc_auc", minimum=0.5).run(subject(rule(lambda r: np.zeros(len(r)))))


def test_constant_answers_are_measured_and_fail(subject, rule):
    case = Metric(name="balanced_accuracy", minimum=0.8).run(subject(rule(lambda r: np.ones(len(r), dtype=int))))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value == 0.5


def test_more_than_two_classes_are_measured(subject, rows, rule):
    rows["y"] = rows["n"] % 3
    model = rule(lambda r: (r["n"] % 3).to_numpy())

    assert Metric(name="f1_macro", minimum=0.9).run(subject(model, rows=rows)).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "wrong",
    [{}, {"minimum": float("nan")}, {"minimum": 0.9, "maximum": 0.1}, {"minimum": 0.5, "confidence": 95}],
)
def test_bounds_that_make_no_sense_are_refused_where_they_are_written(wrong):
    with pytest.raises(ConfigurationError, match="Metric"):
        Metric(name="accuracy", **wrong)


def test_few_rows_without_an_error_do_not_prove_a_perfect_f1(subject, rows, rule):
    few = rows[:12]
    model = rule(lambda r: few["y"].to_numpy()[: len(r)])

    case = Metric(name="f1", minimum=0.9).run(subject(model, rows=few))

    assert case.measurements[0].value == 1
    assert case.outcome is Outcome.INCONCLUSIVE


def test_draws_that_lack_a_class_are_left_out_and_a_handful_of_rows_says_nothing(subject, rows):
    rare = rows.sort_values("y").iloc[[*range(30), -1]]
    judged = Metric(name="average_precision", minimum=0.0).run(subject(rows=rare))
    handful = Metric(name="average_precision", minimum=0.0).run(subject(rows=rare[-3:]))

    assert judged.outcome is Outcome.PASSED
    assert handful.outcome is Outcome.INCONCLUSIVE


def weighted_share(truth, answers, sample_weight=None):
    return float(np.average(truth == answers, weights=sample_weight))


def test_metric_may_be_a_function_a_scorer_or_one_of_your_own(subject, rows, sensible):
    right = float((rows["y"] == sensible.answer(rows)).mean())
    named = {
        "accuracy_score": metrics.accuracy_score,
        "weighted_share": weighted_share,
        "fbeta_score": metrics.make_scorer(metrics.fbeta_score, beta=2),
    }
    for name, metric in named.items():
        case = Metric(name=metric, minimum=0.1).run(subject())
        assert case.name == case.measurements[0].name == name
        assert case.outcome is Outcome.PASSED
    assert Metric(name=weighted_share, minimum=0.1).run(subject()).measurements[0].value == pytest.approx(right)


def test_check_with_a_function_is_copied_and_pickled():
    check = Metric(name=metrics.f1_score, minimum=0.5, greater_is_better=True)

    assert copy.deepcopy(check) == pickle.loads(pickle.dumps(check)) == check  # noqa: S301


@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "neg_log_loss", weighted_share])
def test_rows_count_as_their_weight_says(subject, rows, name):
    rows["weight"] = np.where(np.arange(2000) < 1000, 0.0, 2.0)
    half = Metric(name=name, minimum=-5).run(subject(rows=rows[1000:])).measurements[0]
    weighted = Metric(name=name, minimum=-5, weight="weight").run(subject(rows=rows)).measurements[0]

    assert weighted.value == pytest.approx(half.value)
    assert weighted.low < weighted.value < weighted.high
    assert weighted.high - weighted.low == pytest.approx(half.high - half.low, rel=0.35)


@pytest.mark.parametrize("wrong", [np.nan, -1.0, np.inf])
def test_weight_that_is_none_is_named_with_its_row(subject, rows, wrong):
    rows["weight"] = 1.0
    rows.loc[[7, 9], "weight"] = wrong

    with pytest.raises(ConfigurationError, match=r"weight 'weight' is missing, negative or no number in 2 rows: 7, 9"):
        Metric(name="accuracy", minimum=0.5, weight="weight").run(subject(rows=rows))


def test_weights_of_nothing_and_metrics_that_take_none_are_refused(subject, rows):
    rows["weight"] = 0.0
    with pytest.raises(ConfigurationError, match="0 in all 2000 rows"):
        Metric(name="accuracy", minimum=0.5, weight="weight").run(subject(rows=rows))
    with pytest.raises(ConfigurationError, match="max_error takes no weights"):
        Metric(name="max_error", maximum=2, weight="weight").run(subject(rows=rows.assign(weight=1.0)))
    with pytest.raises(ConfigurationError, match="did you mean 'weight'"):
        Metric(name="accuracy", minimum=0.5, weight="wieght").run(subject(rows=rows))


def test_classes_are_drawn_as_they_were_taken_for_each_other(subject, rows, sensible):
    (matrix,) = Metric(name="roc_auc", minimum=0.5).run(subject()).figures

    assert matrix.row_names == matrix.column_names == ("0", "1")
    assert np.array(matrix.values).tolist() == metrics.confusion_matrix(rows["y"], sensible.answer(rows)).tolist()


def test_numbers_and_many_classes_are_no_matrix(subject, rows, rule):
    numbers = rows.assign(y=rows["x"])
    model = rule(lambda r: r["x"].to_numpy())
    many = rows.assign(y=np.arange(2000) % 40)

    assert Metric(name="mean_absolute_error", maximum=1).run(subject(model, rows=numbers)).figures == ()
    same = rule(lambda r: np.arange(len(r)) % 40)
    assert Metric(name="accuracy", minimum=0.5).run(subject(same, rows=many)).figures == ()


def test_class_that_the_test_rows_lack_is_measured_with_those_there_are(subject, rows, rule):
    rows["y"] = np.where(rows["n"] % 3 == 2, 0, rows["n"] % 3)
    model = rule(lambda r: (r["n"] % 3).to_numpy())
    case = Metric(name="f1_macro", minimum=0.1).run(subject(model, rows=rows))

    assert case.outcome is Outcome.PASSED
    assert case.measurements[0].value == pytest.approx(
        metrics.f1_score(rows["y"], rows["n"] % 3, average="macro", zero_division=0)
    )
    assert case.figures[0].row_names == ("0", "1", "2")
