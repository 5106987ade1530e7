import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from airflow_mltest.checks.model.directional import Directional
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def test_risk_that_rises_with_a_delay_passes_and_the_other_way_fails(subject):
    up = Directional(column="x", by=0.5, expects="not_lower").run(subject())
    down = Directional(column="x", by=0.5, expects="not_higher").run(subject())

    assert up.outcome is Outcome.PASSED
    assert up.measurements[0].value == 0
    assert down.outcome is Outcome.FAILED
    assert "2000 of 2000 rows are answered higher with x moved by 0.5" in down.detail
    assert down.facts["examples"][0]["answers"][0] < down.facts["examples"][0]["answers"][1]


def test_boosting_is_monotone_where_it_was_told_to_be(subject, rule, rows):
    features = ["x", "n"]
    cases = []
    for constraint in ([0, 0], [1, 0]):
        fitted = HistGradientBoostingClassifier(max_iter=30, monotonic_cst=constraint, random_state=0)
        fitted.fit(rows[features], rows["y"])
        model = rule(lambda r, fitted=fitted: fitted.predict(r[features]))
        model.scores = lambda r, fitted=fitted: fitted.predict_proba(r[features])
        cases.append(Directional(column="x", by=0.2, expects="not_lower").run(subject(model)))

    assert [case.outcome for case in cases] == [Outcome.FAILED, Outcome.PASSED]


def test_share_that_is_allowed_is_judged_on_its_interval(subject, rule, rows):
    model = rule(lambda r: np.zeros(len(r), int), lambda r: np.clip(0.5 + 0.1 * r["x"] * (r["n"] != 3), 0, 1))
    wrong = rule(model.answer, lambda r: np.clip(0.5 + 0.1 * r["x"] * np.where(r["n"] == 3, -1, 1), 0, 1))
    few, many, neither = (
        Directional(column="x", by=0.1, expects="not_lower", max_violations=share).run(subject(wrong, rows=rows[:n]))
        for share, n in ((0.2, 2000), (0.05, 2000), (0.12, 100))
    )

    assert (few.outcome, many.outcome, neither.outcome) == (Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE)
    assert Directional(column="x", by=0.1, expects="not_lower").run(subject(model)).outcome is Outcome.PASSED


def test_numbers_are_watched_where_there_are_no_probabilities(subject, rule, rows):
    rows["y"] = rows["x"]
    case = Directional(column="x", by=1, expects="not_higher").run(
        subject(rule(lambda r: -2 * r["x"].to_numpy()), rows=rows)
    )

    assert case.outcome is Outcome.PASSED


def test_class_to_watch_is_named_where_there_are_several(subject, rule, rows):
    rows["y"] = np.array(["calm", "high", "low"])[np.arange(len(rows)) % 3]
    model = rule(lambda r: np.full(len(r), "low"))
    rises = lambda r: 1 / (1 + np.exp(-r["x"].to_numpy()))  # noqa: E731
    model.scores = lambda r: np.c_[np.full(len(r), 0.2), 0.8 * rises(r), 0.8 * (1 - rises(r))]

    def of(name, expects):
        return Directional(column="x", by=1, expects=expects, of=name).run(subject(model, rows=rows)).outcome

    assert of("high", "not_lower") is of("low", "not_higher") is of("calm", "not_lower") is Outcome.PASSED
    with pytest.raises(ConfigurationError, match="name the one to watch in `of`"):
        of(None, "not_lower")
    with pytest.raises(ConfigurationError, match="not 'hi'"):
        of("hi", "not_lower")


def test_class_that_is_absent_from_the_rows_leaves_nobody_to_tell(subject, rule, rows):
    model = rule(lambda r: np.zeros(len(r), int))
    model.scores = lambda r: np.full((len(r), 3), 1 / 3)

    with pytest.raises(ConfigurationError, match="knows 3 classes and the data has 0, 1"):
        Directional(column="x", by=1, expects="not_lower").run(subject(model))


def test_texts_without_probabilities_have_no_order(subject, rule, rows):
    asked = subject(rule(lambda r: np.full(len(r), "late")), rows=rows.assign(y="late"))
    with pytest.raises(ConfigurationError, match="gives no probabilities, and answers such as"):
        Directional(column="x", by=1, expects="not_lower").run(asked)


def test_moves_within_the_tolerance_do_not_count(subject, rule, rows):
    model = rule(lambda r: -0.001 * r["x"].to_numpy())
    strict, lenient = (
        Directional(column="x", by=1, expects="not_lower", tolerance=tolerance).run(subject(model))
        for tolerance in (1e-9, 0.01)
    )

    assert (strict.outcome, lenient.outcome) == (Outcome.FAILED, Outcome.PASSED)


def test_types_stay_and_missing_values_do_not_move(subject, rule, rows):
    seen = []
    model = rule(lambda r: (seen.append(r), r["n"].fillna(0).to_numpy(dtype=float))[1])
    rows["n"] = rows["n"].astype("Int64").mask(rows.index % 2 == 0)
    rows["at"] = pd.Timestamp("2026-01-01")
    whole = Directional(column="n", by=2, expects="not_lower").run(subject(model, rows=rows))
    time = Directional(column="at", by=pd.Timedelta("1h"), expects="not_lower").run(subject(model, rows=rows))

    assert "0 of 1000 rows" in whole.detail
    assert seen[1].dtypes.equals(seen[0].dtypes)
    assert time.outcome is Outcome.PASSED
    assert seen[3]["at"].unique() == [pd.Timestamp("2026-01-01 01:00")]


def test_function_moves_the_column(subject):
    case = Directional(column="x", by=lambda x: x.clip(lower=0), expects="not_lower").run(subject())

    assert case.outcome is Outcome.PASSED
    assert "with x changed" in case.detail


@pytest.mark.parametrize(
    "column, by, said",
    [
        ("n", 0.5, "does not fit there"),
        ("tiny", 120, "does not fit there"),
        ("country", 1, "cannot be moved by 1"),
        ("x", 0, "no value of 'x' moves"),
        ("x", lambda x: x[:3].to_numpy(), "cannot be moved"),
        ("contry", 1, "did you mean 'country'"),
        ("y", 1, "the model does not take 'y'"),
    ],
)
def test_what_cannot_be_moved_is_named(subject, rows, column, by, said):
    rows["tiny"] = rows["n"].astype("int8")
    with pytest.raises(ConfigurationError, match=said):
        Directional(column=column, by=by, expects="not_lower").run(subject(rows=rows))


def test_model_that_refuses_moved_rows_fails(subject, rule):
    def strict(r):
        if r["x"].max() > 50:
            msg = "x is out of range"
            raise ValueError(msg)
        return r["x"].to_numpy()

    case = Directional(column="x", by=100, expects="not_lower").run(subject(rule(strict)))

    assert case.outcome is Outcome.FAILED
    assert "moved rows are not answered" in case.detail


def test_probabilities_that_are_there_for_some_rows_only_fail(subject, rule, rows):
    model = rule(lambda r: np.ones(len(r), int))
    model.scores = lambda r: np.full((len(r), 2), 0.5) if r["x"].max() < 50 else None
    case = Directional(column="x", by=100, expects="not_lower").run(subject(model))

    assert case.outcome is Outcome.FAILED
    assert "none for others" in case.detail


@pytest.mark.parametrize("wrong", [{"expects": "up"}, {"max_violations": -1}, {"tolerance": float("nan")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Directional"):
        Directional(**{"column": "x", "by": 1, "expects": "not_lower", **wrong})
