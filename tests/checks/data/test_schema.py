import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.schema import Schema
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

WANTED = {"x": "double", "n": "long", "word": "string", "at": "datetime", "flag": "boolean"}


@pytest.fixture
def rows():
    return pd.DataFrame({
        "x": [0.5, 1.5], "n": [1, 2], "word": ["a", "b"], "at": pd.to_datetime(["2026-01-01"] * 2),
        "flag": [True, False],
    })  # fmt: skip


def asked(rows, columns=WANTED, **more):
    return Schema(columns=columns, **more).run(DataSubject(rows=rows))


def test_columns_of_the_signature_in_its_types_pass(rows):
    case = asked(rows)

    assert case.outcome is Outcome.PASSED
    assert case.detail == "all 5 columns of the signature, in its types"
    assert asked(rows, lambda: WANTED).outcome is Outcome.PASSED


def test_all_that_does_not_fit_is_told_at_once(rows):
    rows = rows.rename(columns={"word": "wordd"}).assign(n=[1.5, np.nan], flag=[7, 8])
    case = asked(rows)

    assert case.outcome is Outcome.FAILED
    assert "there is no column word; is it wordd?" in case.detail
    assert "n is float64 and the signature says long: 1 of its values are missing" in case.detail
    assert "flag is" in case.detail
    assert case.measurements[0].value == 3


def test_other_columns_and_another_order_are_told_and_are_faults_where_asked(rows):
    rows = rows[["n", "x", "word", "at", "flag"]].assign(y=1, id=2)
    case = asked(rows)

    assert case.outcome is Outcome.PASSED
    assert "not in the signature: y, id" in case.detail
    assert "another order: n, x, word, at, flag for x, n, word, at, flag" in case.detail
    assert asked(rows, ordered=True).outcome is Outcome.FAILED
    assert asked(rows, closed=True, besides=["y"]).outcome is Outcome.FAILED
    assert asked(rows, closed=True, besides=["y", "id"]).outcome is Outcome.PASSED


def test_optional_column_may_be_missing_and_has_its_type_where_it_is_there(rows):
    assert asked(rows.drop(columns="flag"), optional=["flag"]).outcome is Outcome.PASSED
    assert asked(rows.assign(flag=7), optional=["flag"]).outcome is Outcome.FAILED


def test_all_null_and_mixed_columns_are_judged_by_what_they_hold(rows):
    assert asked(rows.assign(x=np.nan)).outcome is Outcome.PASSED
    assert asked(rows.assign(x=[1.5, "a"])).outcome is Outcome.FAILED


def test_column_that_is_named_twice_is_not_judged(rows):
    with pytest.raises(ConfigurationError, match="more than one column 'x'"):
        asked(pd.concat([rows, rows[["x"]]], axis=1))


def test_signature_that_is_none_or_of_other_types_is_refused(rows):
    with pytest.raises(ConfigurationError, match="there is no signature"):
        asked(rows, lambda: None)
    with pytest.raises(ConfigurationError, match="there is no signature"):
        Schema(columns={})
    with pytest.raises(ConfigurationError, match="'duoble' of column 'x' is no type of MLflow: did you mean 'double'"):
        Schema(columns={"x": "duoble"})
    assert Schema(columns={"x": "Array(double)"}).columns == {"x": "Array(double)"}
