import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from airflow_mltest.checks.model.finite_outputs import FiniteOutputs
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def failed(case):
    assert case.outcome is Outcome.FAILED
    return case.detail


def test_sensible_model_passes_and_was_asked_extreme_rows(subject):
    case = FiniteOutputs().run(subject())

    assert case.outcome is Outcome.PASSED
    assert case.detail == "2000 rows and 6 extreme ones are answered as they should be"


def test_real_classifier_of_text_passes(subject, rule, rows):
    rows["y"] = np.where(rows["y"], "late", "on time")
    forest = RandomForestClassifier(5, random_state=0).fit(rows[["x", "n"]], rows["y"])
    model = rule(lambda r: forest.predict(r[["x", "n"]]))
    model.scores = lambda r: forest.predict_proba(r[["x", "n"]])

    assert FiniteOutputs(rows=100).run(subject(model, rows=rows)).outcome is Outcome.PASSED


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_answers_that_are_no_numbers_fail_and_their_rows_are_named(subject, rule, rows, wrong):
    model = rule(lambda r: np.where(r["n"] == 3, wrong, 1.0))
    detail = failed(FiniteOutputs().run(subject(model, rows=rows[:50])))
    where = rows.index[:50][rows["n"][:50] == 3]

    assert f"{len(where)} rows: {', '.join(map(str, where[:5]))}" in detail


def test_no_answer_at_all_fails(subject, rule):
    assert "2000 rows: 0, 1, 2, 3, 4 and 1995 more" in failed(
        FiniteOutputs().run(subject(rule(lambda r: [None] * len(r))))
    )


def test_probabilities_that_are_no_numbers_fail(subject, rule):
    model = rule(lambda r: np.zeros(len(r), int), lambda r: np.where(r["n"] == 3, np.nan, 0.5))

    assert "probabilities that are no numbers" in failed(FiniteOutputs().run(subject(model)))


def test_answers_of_another_length_fail(subject, rule):
    assert "shape (1999,) to 2000 rows" in failed(FiniteOutputs().run(subject(rule(lambda r: np.zeros(len(r) - 1)))))


def test_answers_in_another_order_fail(subject, rule):
    model = rule(lambda r: (r["x"] > 0).astype(int).sort_values())

    assert "in another order" in failed(FiniteOutputs().run(subject(model)))


@pytest.mark.parametrize(
    "chance, said",
    [(lambda r: 1 - 2 * (r["n"] == 3), "below 0 or above 1"), (lambda r: 1.0 + (r["n"] == 3), "below 0 or above 1")],
)
def test_what_is_no_probability_fails(subject, rule, chance, said):
    assert said in failed(FiniteOutputs().run(subject(rule(lambda r: np.zeros(len(r), int), chance))))


def test_probabilities_that_do_not_sum_to_one_fail(subject, rule):
    model = rule(lambda r: np.zeros(len(r), int))
    model.scores = lambda r: np.full((len(r), 2), 0.4)

    assert "do not sum to 1 in 2000 rows" in failed(FiniteOutputs().run(subject(model)))


def test_rounding_of_small_floats_is_no_fault(subject, rule):
    model = rule(lambda r: np.zeros(len(r), int))
    model.scores = lambda r: np.tile(np.float32([0.1, 0.2, 0.3, 0.4]) * np.float32(1 + 1e-6), (len(r), 1))

    assert FiniteOutputs().run(subject(model)).outcome is Outcome.PASSED


def test_class_that_nobody_knows_fails_unless_it_is_named_or_has_a_probability(subject, rule):
    strange = rule(lambda r: np.where(r["n"] == 3, 7, 1))
    scored = rule(strange.answer)
    scored.scores = lambda r: np.full((len(r), 3), 1 / 3)

    assert "7 is answered to" in failed(FiniteOutputs().run(subject(strange)))
    assert FiniteOutputs(classes=(7,)).run(subject(strange)).outcome is Outcome.PASSED
    assert FiniteOutputs().run(subject(scored)).outcome is Outcome.PASSED


def test_answers_of_another_type_than_the_target_fail(subject, rule):
    case = FiniteOutputs().run(subject(rule(lambda r: np.full(len(r), "1"))))

    assert "text and numbers are never equal" in failed(case)


def test_numbers_need_not_be_those_of_the_data(subject, rule, rows):
    rows["y"] = rows["x"]

    assert FiniteOutputs().run(subject(rule(lambda r: 3 * r["x"].to_numpy()), rows=rows)).outcome is Outcome.PASSED


def test_whole_numbers_of_which_there_are_many_are_no_classes(subject, rule, rows):
    rows["y"] = np.arange(len(rows))

    assert FiniteOutputs().run(subject(rule(lambda r: np.full(len(r), -5)), rows=rows)).outcome is Outcome.PASSED


def test_extreme_row_that_is_answered_with_infinity_is_named(subject, rule, rows):
    rows["other"] = -rows["x"]
    model = rule(lambda r: np.where((r["x"] > 1) & (r["other"] > 1), np.inf, 1.0))
    detail = failed(FiniteOutputs().run(subject(model, rows=rows)))

    assert "every number at its greatest" in detail


def test_extreme_row_that_the_model_refuses_fails(subject, rule, rows):
    def refuses(r):
        if ((r["x"] > 1) & (r["other"] > 1)).any():
            msg = "out of domain"
            raise ValueError(msg)
        return np.zeros(len(r), int)

    rows["other"] = -rows["x"]
    detail = failed(FiniteOutputs().run(subject(rule(refuses), rows=rows)))

    assert "out of domain It is row every number at its greatest" in detail


def test_model_that_raises_on_the_rows_cannot_be_judged(subject, rule):
    with pytest.raises(ConfigurationError, match="KeyError"):
        FiniteOutputs().run(subject(rule(lambda r: r["gone"])))


def test_rows_without_numbers_have_no_extremes(subject, rule, rows):
    model = rule(lambda r: np.ones(len(r), int), inputs={"country": "string"})

    assert FiniteOutputs().run(subject(model)).detail == "2000 rows and 0 extreme ones are answered as they should be"


def test_extremes_keep_their_types_and_leave_out_what_is_missing(subject, rule, rows):
    seen = []
    model = rule(lambda r: (seen.append(r), np.ones(len(r), int))[1])
    rows = rows.assign(
        whole=rows["n"].astype("int8"), gap=np.nan, end=pd.Series(np.inf, rows.index).where(rows["n"] > 3, 1.5)
    )
    FiniteOutputs().run(subject(model, rows=rows))
    extremes = seen[-1]

    assert (extremes.dtypes == rows.drop(columns="y").dtypes).all()
    assert extremes["whole"].agg(["min", "max"]).tolist() == [0, 8]
    assert extremes["end"].iloc[-1] == 1.5


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"tolerance": float("nan")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="FiniteOutputs"):
        FiniteOutputs(**wrong)
