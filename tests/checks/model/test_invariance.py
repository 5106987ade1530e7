import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from airflow_mltest.checks.model.invariance import Invariance
from airflow_mltest.checks.model.subject import ModelSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


@pytest.fixture
def biased(rule):
    """Late for everybody in the Netherlands with a count above 6."""
    return rule(lambda r: ((r["country"] == "nl") & (r["n"] > 6)).astype(int).to_numpy())


def test_model_that_does_not_look_at_a_column_passes(subject):
    case = Invariance(columns="country").run(subject())

    assert case.outcome is Outcome.PASSED
    assert case.name == "invariance(country)"
    assert case.measurements[0].value == 0
    assert 0 < case.measurements[0].high < 0.004


def test_model_that_looks_at_a_protected_column_fails_with_examples_a_person_can_read(subject, biased):
    case = Invariance(columns=("country",)).run(subject(biased))
    example = case.facts["examples"][0]

    assert case.outcome is Outcome.FAILED
    assert len(case.facts["examples"]) == 5
    assert set(example["before"]) == {"x", "n", "country"}
    assert {example["before"]["country"], example["after"]["country"]} == {"nl", "de"}
    assert set(example["answers"]) == {0, 1}
    assert "country de -> nl" in case.detail
    assert "answered 0 -> 1" in case.detail
    json.dumps(dict(case.facts), allow_nan=False)


def test_only_rows_that_really_change_are_counted(subject, biased, rows):
    case = Invariance(columns="country").run(subject(biased))
    counted = round(1 / case.measurements[0].value * int(case.detail.split()[0]))

    assert counted == pytest.approx(len(rows) / 2, rel=0.1)


def test_share_that_is_allowed_is_judged_on_its_interval(subject, biased, rows):
    passes, fails, neither = (
        Invariance(columns="country", max_changed=share).run(subject(biased, rows=rows[:n]))
        for share, n in ((0.5, 2000), (0.05, 2000), (0.2, 100))
    )

    assert [case.outcome for case in (passes, fails, neither)] == [
        Outcome.PASSED,
        Outcome.FAILED,
        Outcome.INCONCLUSIVE,
    ]
    assert "rows would decide" in neither.detail


def test_case_of_a_text_must_not_matter(subject, biased):
    def shouted(frame):
        return frame.assign(country=frame["country"].str.upper())

    case = Invariance(change=shouted).run(subject(biased))

    assert case.outcome is Outcome.FAILED
    assert case.name == "invariance(shouted)"


def test_real_model_depends_on_a_column_that_it_was_trained_on(subject, rule, rows):
    features = ["x", "n"]
    tree = DecisionTreeClassifier(random_state=0).fit(rows[features], rows["y"])
    model = rule(lambda r: tree.predict(r[features]))

    assert Invariance(columns="n").run(subject(model)).outcome is Outcome.FAILED
    assert Invariance(columns="country").run(subject(model)).outcome is Outcome.PASSED


def test_last_bits_of_a_number_may_change(subject, rule, rows):
    model = rule(lambda r: r["x"].to_numpy() * (1 + 1e-13 * r["n"].to_numpy()))
    rows["y"] = rows["x"]

    assert Invariance(columns="n").run(subject(model, rows=rows)).outcome is Outcome.PASSED
    assert Invariance(columns="n", tolerance=0).run(subject(model, rows=rows)).outcome is Outcome.FAILED


def test_column_that_the_model_does_not_take_cannot_matter(subject, rule):
    case = Invariance(columns="country").run(subject(rule(lambda r: np.ones(len(r)), inputs={"x": "double"})))

    assert case.outcome is Outcome.PASSED
    assert "does not take country" in case.detail


def test_model_that_refuses_what_must_not_matter_fails(subject, rule, rows):
    def strict(r):
        if not set(r["country"]) <= {"nl", "de"}:
            msg = "unknown country"
            raise ValueError(msg)
        return np.ones(len(r), int)

    case = Invariance(change=lambda r: r.assign(country=r["country"] + " ")).run(subject(rule(strict)))

    assert case.outcome is Outcome.FAILED
    assert "changed rows are not answered" in case.detail
    assert "unknown country" in case.detail


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda r: r.head(3), "must give 2000 rows"),
        (lambda r: r.drop(columns="x"), "with the columns x, n, country"),
        (lambda r: r["x"], "it gave Series"),
        (lambda r: None, "it gave NoneType"),
        (lambda r: r.sample(frac=1, random_state=0), "another index"),
        (lambda r: r["gone"], "raised KeyError when it changed the rows"),
        (lambda r: r, "changed none of 2000 rows"),
    ],
)
def test_change_that_is_none_of_these_rows_is_not_judged(subject, change, said):
    with pytest.raises(ConfigurationError, match=said):
        Invariance(change=change).run(subject())


def test_change_may_count_its_rows_anew_and_order_its_columns(subject, rows):
    def mix(r):
        return r.assign(country="xx")[["country", "n", "x"]].reset_index(drop=True)

    assert Invariance(change=mix).run(subject(rows=rows[100:])).outcome is Outcome.PASSED


def test_missing_column_is_named_with_the_nearest(subject):
    with pytest.raises(ConfigurationError, match="did you mean 'country'"):
        Invariance(columns="contry").run(subject())


@pytest.mark.parametrize(
    "wrong",
    [{}, {"columns": "x", "change": str}, {"columns": "x", "max_changed": 1}, {"columns": "x", "tolerance": -1}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Invariance"):
        Invariance(**wrong)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), columns=st.sets(st.sampled_from(["n", "country"]), min_size=1))
def test_model_that_looks_at_one_column_is_invariant_to_the_others(seed, columns):
    rng = np.random.default_rng(seed)
    import pandas as pd

    rows = pd.DataFrame(
        {"x": rng.normal(size=50), "n": rng.integers(0, 9, 50), "country": rng.choice(["a", "b"], 50), "y": [0, 1] * 25}
    )
    model = type("Model", (), {"uri": "m", "inputs": None, "scores": lambda self, r: None})()
    model.predict = lambda r: (r["x"] > 0).to_numpy()
    subject = ModelSubject(model=model, rows=rows, target="y", seed=seed % 1000)

    assert Invariance(columns=tuple(columns)).run(subject).outcome is Outcome.PASSED
