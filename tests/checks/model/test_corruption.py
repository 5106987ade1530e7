import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from airflow_mltest.checks.model.corruption import Corruption, _eligible, _spoiled
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

KINDS = ("units", "swapped", "unseen_category", "stuck")


@pytest.fixture
def encoded(rule, rows):
    def make(handle_unknown):
        encoder = OneHotEncoder(handle_unknown=handle_unknown)
        pipe = make_pipeline(
            make_column_transformer((encoder, ["country"]), remainder="passthrough"), LogisticRegression()
        )
        features = rows[["x", "n", "country"]]
        return rule(pipe.fit(features, rows["y"]).predict)

    return make


def test_each_kind_is_measured_and_drawn(subject, encoded, rows):
    rows["w"] = rows["n"][::-1].to_numpy()
    case = Corruption(metric="accuracy", max_drop=0.1).run(subject(encoded("ignore"), rows=rows))

    assert case.outcome is Outcome.PASSED
    assert [m.name for m in case.measurements] == [f"accuracy_drop_by_{kind}" for kind in KINDS]
    assert case.figures[0].series[0].x == KINDS
    assert case.figures[0].bounds == (0.1,)
    assert set(case.facts["answers_changed_share_by_column"]["units"]) == {"x", "n", "w"}


def test_worst_kind_decides(subject, encoded, rows):
    case = Corruption(metric="accuracy", max_drop=0.02, kinds=("unseen_category", "stuck"), share=1.0).run(
        subject(encoded("ignore"))
    )
    by_name = {m.name: m for m in case.measurements}

    assert case.outcome is Outcome.FAILED
    assert by_name["accuracy_drop_by_unseen_category"].high < 0.02 < by_name["accuracy_drop_by_stuck"].low
    assert "most often where it is" in case.detail


def test_model_that_refuses_unseen_categories_fails_that_kind_with_its_reason(subject, encoded):
    case = Corruption(metric="accuracy", max_drop=0.5, kinds=("units", "unseen_category")).run(
        subject(encoded("error"))
    )

    assert case.outcome is Outcome.FAILED
    assert "unseen_category: not answered" in case.detail
    assert "never seen before" in case.detail
    assert np.isnan(case.measurements[1].value)
    assert case.measurements[0].high < 0.5


def test_own_metric_is_measured_and_where_nothing_is_nothing_is_drawn(subject, encoded):
    def hits(truth, answers):
        return (truth == answers).mean()

    taken, refused = (
        Corruption(metric=hits, max_drop=0.5, kinds=("unseen_category",)).run(subject(encoded(unknown)))
        for unknown in ("ignore", "error")
    )

    assert taken.name == "corruption(hits)"
    assert taken.outcome is Outcome.PASSED
    assert len(taken.figures) == 1
    assert refused.figures == ()


def test_kind_that_nothing_can_suffer_is_told_and_decides_nothing(subject, rule):
    model = rule(lambda r: (r["x"] > 0).astype(int).to_numpy(), inputs={"x": "double"})
    case = Corruption(metric="accuracy", max_drop=0.5, kinds=("units", "unseen_category")).run(subject(model))

    assert case.outcome is Outcome.PASSED
    assert "no column can go wrong by unseen_category" in case.detail
    with pytest.raises(ConfigurationError, match="no column that can go wrong by swapped"):
        Corruption(metric="accuracy", max_drop=0.5, kinds=("swapped",)).run(subject(model))


def test_model_that_does_not_take_sound_rows_is_not_judged(subject, rule):
    with pytest.raises(ConfigurationError, match="KeyError"):
        Corruption(metric="accuracy", max_drop=1).run(subject(rule(lambda r: r["gone"])))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0.01, 1), rows=st.integers(2, 60))
def test_one_column_or_pair_of_each_chosen_row_is_wrong_and_types_stay(kind, seed, share, rows):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "b": rng.normal(size=rows),
            "c": rng.integers(-100, 100, rows).astype("int8"),
            "d": rng.integers(0, 2**63, rows),
            "e": pd.array([None, *rng.integers(0, 9, rows - 1)], dtype="Int64"),
            "f": rng.choice(["u", "v"], rows),
            "g": pd.Categorical(rng.choice(["u", "v"], rows)),
            "h": rng.choice(["v", "w"], rows),
        }
    )
    spoiled, struck = _spoiled(kind, table, _eligible(kind, table), share, rng)
    changed = pd.DataFrame(
        {name: spoiled[name].astype(object).fillna(0).ne(table[name].astype(object).fillna(0)) for name in table}
    )
    places = np.concatenate(list(struck.values()))

    assert len(places) == len(set(places)) == max(1, round(share * rows))
    assert set(np.flatnonzero(changed.any(axis=1))) <= set(places)
    assert (changed.sum(axis=1) <= (2 if kind == "swapped" else 1)).all()
    dtypes = spoiled.drop(columns="g").dtypes
    assert (dtypes == table.drop(columns="g").dtypes).all()
    assert spoiled["g"].dtype == "category"


def test_wrong_units_are_a_thousandfold_or_fahrenheit_and_stay_within_their_type():
    table = pd.DataFrame({"small": np.full(600, 100, "int8"), "float": 20.0})
    spoiled, struck = _spoiled("units", table, _eligible("units", table), 1.0, np.random.default_rng(0))

    assert set(spoiled["small"][struck["small"]]) == {127, 0}
    assert set(spoiled["float"][struck["float"]]) == {20000, 0.02, 68}


@pytest.mark.parametrize(
    "wrong", [{"max_drop": -1}, {"share": 0}, {"kinds": ()}, {"kinds": "units"}, {"kinds": ("x",)}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Corruption"):
        Corruption(**{"metric": "accuracy", "max_drop": 0.1, **wrong})
