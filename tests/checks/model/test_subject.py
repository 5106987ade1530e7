import numpy as np
import pytest

from airflow_mltest.checks.model.subject import ModelSubject
from airflow_mltest.core.errors import ConfigurationError


def test_model_is_asked_once_however_many_checks_want_its_answers(subject, sensible, rows):
    asked = subject()

    assert asked.predictions is asked.predictions
    assert asked.scores is asked.scores
    assert sensible.asked == [len(rows)]


def test_model_is_given_its_signatures_columns_in_their_order(subject, rule):
    seen = []
    model = rule(lambda r: (seen.append(list(r.columns)), np.zeros(len(r)))[1], inputs={"n": "long", "x": "double"})
    _ = subject(model).predictions

    assert seen == [["n", "x"]]


def test_model_without_a_signature_is_given_all_but_the_target(subject):
    assert list(subject().features.columns) == ["x", "n", "country"]


def test_model_that_writes_into_its_input_changes_nothing_for_the_next_check(subject, rule, rows):
    def vandal(r):
        r["x"] = 0
        return np.zeros(len(r))

    before = rows.copy()
    asked = subject(rule(vandal))
    _ = asked.predictions

    assert asked.rows.equals(before)


def test_model_that_fails_is_asked_once_and_fails_for_each_check(subject, rule):
    def fails(rows):
        msg = "no GPU"
        raise OSError(msg)

    model = rule(fails)
    asked = subject(model)
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="no GPU"):
            _ = asked.predictions

    assert model.asked == [2000, 1]  # once, and about one row to see whose fault it is


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda r: np.zeros(len(r) - 1), r"shape \(1999,\) to 2000 rows"),
        (lambda r: np.zeros((len(r), 2)), r"shape \(2000, 2\)"),
        (lambda r: np.where(np.arange(len(r)) == 7, np.nan, 1.0), "no numbers to 1 rows, the first is row 7"),
        (lambda r: np.full(len(r), np.inf), "no numbers to 2000 rows"),
        (lambda r: [None] * len(r), "no numbers"),
        (lambda r: r["gone"], "raised KeyError when asked about 2000 rows"),
    ],
)
def test_what_is_no_answer_is_named_with_the_model(subject, rule, answer, said):
    with pytest.raises(ConfigurationError, match=f"a rule .*{said}"):
        _ = subject(rule(answer)).predictions


def test_probabilities_of_another_shape_are_named(subject, rule):
    model = rule(lambda r: np.zeros(len(r)))
    model.scores = lambda r: np.zeros(len(r))

    with pytest.raises(ConfigurationError, match=r"probabilities of shape \(2000,\)"):
        _ = subject(model).scores


def test_missing_column_is_named_with_the_nearest(subject):
    with pytest.raises(ConfigurationError, match="no column 'contry'; did you mean 'country'"):
        subject().column("contry")


def test_missing_target_is_named(rows, sensible):
    with pytest.raises(ConfigurationError, match="no column 'z'"):
        ModelSubject(model=sensible, rows=rows, target="z")


def test_target_with_gaps_is_refused(rows, sensible):
    rows["y"] = rows["y"].astype(float)
    rows.loc[:2, "y"] = np.nan

    with pytest.raises(ConfigurationError, match="missing in 3 of 2000 rows"):
        ModelSubject(model=sensible, rows=rows, target="y")


def test_no_rows_are_refused(rows, sensible):
    with pytest.raises(ConfigurationError, match="no rows"):
        ModelSubject(model=sensible, rows=rows[:0], target="y")


def test_missing_baseline_says_why(subject):
    with pytest.raises(ConfigurationError, match="first release"):
        _ = subject(baseline_absent="first release").baseline_predictions


def test_many_rows_are_asked_in_batches_and_answered_in_their_order(rule):
    import pandas as pd

    seen = []
    model = rule(lambda r: (seen.append(len(r)), r["x"].to_numpy())[1], lambda r: r["x"] / 1e6, inputs={"x": "long"})
    rows = pd.DataFrame({"x": np.arange(120_001), "y": 0, "unused": 1.0})
    asked = ModelSubject(model=model, rows=rows, target="y")

    assert np.array_equal(asked.predictions, np.arange(120_001))
    assert asked.scores.shape == (120_001, 2)
    assert seen == [50_000, 50_000, 20_001]


def test_row_that_the_model_does_not_take_is_named(subject, rule, rows):
    def picky(frame):
        if (frame["x"] == rows["x"].iloc[1234]).any():
            msg = "cannot take this"
            raise ValueError(msg)
        return np.zeros(len(frame))

    with pytest.raises(ConfigurationError, match=r"cannot take this It is row 1234 that it does not take"):
        _ = subject(rule(picky)).predictions


def test_answers_with_the_index_of_other_rows_are_refused(subject, rule, rows):
    model = rule(lambda r: (r["x"] > 0).astype(int).sort_values())

    with pytest.raises(ConfigurationError, match="another order"):
        _ = subject(model, rows=rows.set_index(np.arange(5, 2005))).predictions


def test_other_data_is_what_the_caller_has_read_or_a_callable_gives(subject, rows):
    asked = subject(tables={"train.parquet": rows.head(3)})

    assert len(asked.table("train.parquet")) == 3
    assert len(asked.table(lambda: rows.head(4))) == 4
    with pytest.raises(ConfigurationError, match=r"nobody has read 'tarin\.parquet'"):
        asked.table("tarin.parquet")


@pytest.mark.parametrize("kind", [str, object])
def test_answers_of_another_kind_than_the_target_are_refused_with_both(subject, rule, kind):
    model = rule(lambda r: np.array(["1"] * len(r), dtype=kind))

    with pytest.raises(ConfigurationError, match=r"answers with .*'1'.*, and the target 'y' is .*\d"):
        _ = subject(model).predictions


def test_answers_of_another_number_type_are_the_same_answers(subject, rule):
    for kind in (float, bool, np.int8):
        assert len(subject(rule(lambda r, kind=kind: (r["x"] > 0).to_numpy().astype(kind))).predictions) == 2000
