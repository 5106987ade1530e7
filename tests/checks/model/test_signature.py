from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.model.signature import Signature
from airflow_mltest.core.outcome import Outcome


def zeros(rows):
    return np.zeros(len(rows))


def test_model_without_a_signature_fails_and_says_how_to_log_one(subject):
    case = Signature().run(subject())

    assert case.outcome is Outcome.FAILED
    assert "infer_signature" in case.detail


def test_columns_that_the_data_lacks_are_named(subject, rule):
    case = Signature().run(subject(rule(zeros, inputs={"x": "double", "age": "double"})))

    assert case.outcome is Outcome.FAILED
    assert "lacks age" in case.detail


def test_all_columns_of_other_types_are_told_at_once(subject, rule):
    inputs = {"x": "long", "n": "double", "country": "boolean", "age": "long"}
    case = Signature().run(subject(rule(zeros, inputs=inputs)))

    assert case.outcome is Outcome.FAILED
    for said in ("lacks age", "x is float64", "n is int64 and the signature says double", "country is str"):
        assert said in case.detail


def test_whole_numbers_with_gaps_say_what_to_do(subject, rule, rows):
    rows["n"] = rows["n"].mask(rows["n"] == 3)
    case = Signature().run(subject(rule(zeros, inputs={"n": "long"}), rows=rows))

    assert case.outcome is Outcome.FAILED
    assert f"{rows['n'].isna().sum()} of its values are missing, which whole numbers cannot be" in case.detail
    assert "says double" in case.detail


def test_rows_that_the_model_does_not_take_fail_with_both_types(subject, rule):
    def strict(rows):
        msg = "n must be positive"
        raise ValueError(msg)

    case = Signature().run(subject(rule(strict, inputs={"n": "long"})))

    assert case.outcome is Outcome.FAILED
    assert "n must be positive" in case.detail
    assert "n int64 for long" in case.detail


def test_columns_that_are_not_used_are_told(subject, rule):
    case = Signature().run(subject(rule(zeros, inputs={"x": "double"})))

    assert case.outcome is Outcome.PASSED
    assert case.detail == "1 columns; not used: n, country"


def test_another_order_is_told_and_is_no_fault(subject, rule):
    case = Signature().run(subject(rule(zeros, inputs={"country": "string", "n": "long", "x": "double"})))

    assert case.outcome is Outcome.PASSED
    assert "another order" in case.detail


COLUMNS = {
    "int8": pd.Series([1, 2], dtype="int8"),
    "int32": pd.Series([1, 2], dtype="int32"),
    "int64": pd.Series([5, 2]),
    "zero_or_one": pd.Series([1, 0]),
    "uint32": pd.Series([1, 2], dtype="uint32"),
    "float32": pd.Series([1.5, 2], dtype="float32"),
    "float64": pd.Series([1.5, 2]),
    "gaps": pd.Series([1, None]),
    "bool": pd.Series([True, False]),
    "text": pd.Series(["a", "b"]),
    "object": pd.Series(["a", None], dtype=object),
    "objects_that_are_numbers": pd.Series([1.5, 2.5], dtype=object),
    "decimals": pd.Series([Decimal(1), None], dtype=object),
    "truth_with_gaps": pd.Series([True, None], dtype=object),
    "time": pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02"])),
}
FITTING = {
    "int8": "integer long double",
    "int32": "integer long double",
    "int64": "long",
    "zero_or_one": "long float double",
    "uint32": "long double",
    "float32": "float double",
    "float64": "double",
    "gaps": "double",
    "bool": "boolean",
    "text": "string",
    "object": "string datetime",
    "objects_that_are_numbers": "double string datetime",
    "decimals": "boolean double string datetime",
    "truth_with_gaps": "boolean double string datetime",
    "time": "datetime",
}
TYPES = ("boolean", "integer", "long", "float", "double", "string", "datetime")


@pytest.mark.parametrize("column", COLUMNS)
def test_types_fit_where_no_number_loses_bytes(subject, rule, column):
    rows = pd.DataFrame({"c": COLUMNS[column], "y": [0, 1]})
    taken = [w for w in TYPES if Signature().run(subject(rule(zeros, inputs={"c": w}), rows=rows)).outcome == "passed"]

    assert taken == FITTING[column].split()


def test_types_fit_as_mlflow_says():
    utils = pytest.importorskip("mlflow.models.utils")
    schema = pytest.importorskip("mlflow.types.schema")
    for column, values in COLUMNS.items():
        for wanted in TYPES:
            try:
                utils._enforce_mlflow_datatype("c", values, schema.DataType[wanted])
                taken = True
            except Exception:  # noqa: BLE001  whatever it refuses with
                taken = False
            # A time among objects is one if it can be read as one: that is left to the model.
            assert taken == (wanted in FITTING[column].split()) or (values.dtype == object and wanted == "datetime")
