import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.gx_case import Rules
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.gx_validator import validate

ROWS = pd.DataFrame({"age": [20.0, 35.0, 41.0, np.nan], "origin": ["JFK", "EWR", "LGA", "JFK"], "empty": [np.nan] * 4})


def between(column="age", minimum=0, maximum=100, **more):
    kwargs = {"column": column, "min_value": minimum, "max_value": maximum, **more.pop("kwargs", {})}
    return {"type": "expect_column_values_to_be_between", "kwargs": kwargs, **more}


def cases(*expectations, rows=ROWS, **rules):
    recording = Recording("data", "data")
    validate(rows, read_expectations(list(expectations)), recording, Rules(**rules))
    return recording.cases


def test_each_expectation_is_one_case_in_the_order_of_the_questions():
    row_count = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}
    in_set = {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "origin", "value_set": ["JFK", "EWR", "LGA"]},
    }

    found = cases(in_set, row_count, between())

    assert [case.name for case in found] == [
        "values_to_be_in_set(origin)",
        "row_count_to_be_between",
        "values_to_be_between(age)",
    ]
    assert {case.outcome for case in found} == {Outcome.PASSED}


def test_what_fails_says_how_many_values_and_which():
    (case,) = cases(between(maximum=30))

    assert case.outcome is Outcome.FAILED
    assert "2 of 4 values" in case.detail
    assert "35.0" in case.detail
    assert case.measurements[0].value == pytest.approx(2 / 3)
    assert case.measurements[0].maximum == 0


def test_share_that_mostly_allows_passes():
    (case,) = cases(between(maximum=36, kwargs={"mostly": 0.6}))

    assert case.outcome is Outcome.PASSED
    assert case.measurements[0].maximum == pytest.approx(0.4)


def test_column_without_a_value_is_broken_and_not_passed():
    (case,) = cases(between("empty"))

    assert case.outcome is Outcome.BROKEN
    assert "all 4 values are missing" in case.detail


def test_expectation_that_raises_is_broken_with_its_cause_and_the_others_are_asked():
    broken, passed = cases(between("no_such_column"), between())

    assert broken.outcome is Outcome.BROKEN
    assert "no_such_column" in broken.detail
    assert passed.outcome is Outcome.PASSED


def test_quantiles_that_crash_a_checkpoint_are_judged():
    ranges = {"quantiles": [0.5], "value_ranges": [[30, 40]]}
    (case,) = cases(
        {"type": "expect_column_quantile_values_to_be_between", "kwargs": {"column": "age", "quantile_ranges": ranges}}
    )

    assert case.outcome is Outcome.PASSED
    json.dumps(dict(case.facts), allow_nan=False)


def test_observed_value_stands_beside_its_bounds():
    (case,) = cases(
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "age", "min_value": 40, "max_value": 50}}
    )

    assert case.outcome is Outcome.FAILED
    assert "observed 32" in case.detail
    assert (case.measurements[0].minimum, case.measurements[0].maximum) == (40, 50)


def test_warning_is_told_and_does_not_fail():
    (case,) = cases(between(maximum=30, severity="warning"))

    assert case.outcome is Outcome.PASSED
    assert case.detail.startswith("warning: 2 of 4")


@pytest.mark.parametrize(
    "severity, fail_on, outcome",
    [
        ("critical", "critical", Outcome.FAILED),
        ("warning", "critical", Outcome.PASSED),
        ("warning", "warning", Outcome.FAILED),
        ("info", "warning", Outcome.PASSED),
        ("info", "info", Outcome.FAILED),
    ],
)
def test_severity_fails_from_the_one_on_that_was_asked_for(severity, fail_on, outcome):
    (case,) = cases(between(maximum=30, severity=severity), fail_on=fail_on)

    assert case.outcome is outcome
    assert "2 of 4" in case.detail


def test_unknown_severity_to_fail_on_is_refused():
    with pytest.raises(ConfigurationError, match="critical, warning, info"):
        Rules(fail_on="fatal")


def aggregate(kind, column="empty", **kwargs):
    return {"type": f"expect_column_{kind}", "kwargs": {"column": column, **kwargs}}


@pytest.mark.parametrize(
    "expectation",
    [
        aggregate("sum_to_be_between", max_value=5),
        aggregate("unique_value_count_to_be_between", max_value=5),
        aggregate("distinct_values_to_be_in_set", value_set=[1]),
        aggregate("max_to_be_between", max_value=5),
        aggregate("mean_to_be_between", max_value=5),
    ],
)
def test_aggregate_of_no_value_is_broken_and_not_passed(expectation):
    (case,) = cases(expectation)

    assert case.outcome is Outcome.BROKEN
    assert "all 4 values are missing" in case.detail


@pytest.mark.parametrize(
    "expectation",
    [
        aggregate("values_to_be_between", "age", max_value=5),
        aggregate("values_to_not_be_null", "age"),
        aggregate("values_to_be_unique", "age"),
        aggregate("sum_to_be_between", "age", max_value=5),
        aggregate("distinct_values_to_be_in_set", "origin", value_set=["JFK"]),
    ],
)
def test_row_condition_that_selects_no_row_is_broken_and_not_passed(expectation):
    condition = {"row_condition": 'col("age")>99', "condition_parser": "great_expectations"}
    (case,) = cases({**expectation, "kwargs": {**expectation["kwargs"], **condition}})

    assert case.outcome is Outcome.BROKEN
    assert "no row meets its row condition" in case.detail


def test_sum_that_is_zero_is_judged():
    rows = pd.DataFrame({"change": [-1, 1]})

    (case,) = cases(aggregate("sum_to_be_between", "change", min_value=0, max_value=0), rows=rows)

    assert case.outcome is Outcome.PASSED


def test_column_that_is_not_there_is_named_with_the_nearest():
    (case,) = cases(between("ages"))

    assert case.detail == "could not be judged: there is no column 'ages'; did you mean 'age'?"


@pytest.mark.parametrize("redact", [["origin"], ["*"]])
@pytest.mark.parametrize(
    "expectation",
    [
        aggregate("values_to_be_in_set", "origin", value_set=["EWR"]),
        aggregate("distinct_values_to_equal_set", "origin", value_set=["EWR"]),
        aggregate("most_common_value_to_be_in_set", "origin", value_set=["EWR"]),
        aggregate("max_to_be_between", "origin", max_value=1.0),
        aggregate("mean_to_be_between", "origin", max_value=1),
        {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["origin", "empty"]}},
    ],
)
def test_value_of_a_redacted_column_is_shown_nowhere(expectation, redact):
    (case,) = cases(expectation, redact=redact)

    assert case.outcome in {Outcome.FAILED, Outcome.BROKEN}
    assert "JFK" not in repr(case)
    assert "LGA" not in repr(case)


def test_other_columns_are_shown_beside_a_redacted_one():
    (case,) = cases(between(maximum=30), redact=["origin"])

    assert "35.0, 41.0" in case.detail


def test_one_text_as_columns_to_redact_is_refused():
    with pytest.raises(ConfigurationError, match=r"\['origin'\]"):
        Rules(redact="origin")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_value_is_out_of_range_and_kept_as_strict_json(value):
    rows = pd.DataFrame({"age": [1.0, value]})
    found = cases(between(), aggregate("mean_to_be_between", "age", max_value=100, min_value=0), rows=rows)

    assert {case.outcome for case in found} == {Outcome.FAILED}
    json.dumps([dict(case.facts) for case in found], allow_nan=False)


def test_mixed_types_break_what_cannot_compare_them():
    rows = pd.DataFrame({"age": [1, "two", 3.0, None]})

    broken, judged = cases(between(), aggregate("values_to_be_in_set", "age", value_set=[1, 3, "two"]), rows=rows)

    assert broken.outcome is Outcome.BROKEN
    assert "could not be judged" in broken.detail
    assert judged.outcome is Outcome.PASSED


def test_same_question_twice_is_two_cases():
    assert [case.name for case in cases(between(), between())] == [
        "values_to_be_between(age)",
        "values_to_be_between(age) #2",
    ]


@pytest.mark.parametrize(
    "item, named",
    [
        ({"type": "expect_column_values_to_be_betwen", "kwargs": {}}, "'expect_column_values_to_be_between'"),
        ({"type": "ExpectColumnValuesToBeBetween", "kwargs": {"column": "age"}}, "ExpectColumnValuesToBeBetween"),
        (between(kwargs={"maximum": 3}), "maximum"),
        (between(severity="fatal"), "fatal"),
        (between(kwargs={"mostly": 2}), "mostly"),
        ({"kwargs": {"column": "age"}}, "without a type"),
        (between(kwargs={"condition_parser": "pandas", "row_condition": "@pd.io"}), "can run any code"),
    ],
)
def test_what_great_expectations_would_drop_or_run_is_refused(item, named):
    with pytest.raises(ConfigurationError, match=named.replace("'", ".")):
        read_expectations([between(), item])


@pytest.mark.parametrize("content", ["", "{", "null", '{"type": "x"}', '["expect_it"]', "[1]"])
def test_file_that_is_no_list_of_expectations_is_named(tmp_path, content):
    file = tmp_path / "suite.json"
    file.write_text(content)

    with pytest.raises(ConfigurationError, match=r"suite\.json|must be a list"):
        read_expectations(str(file))


def test_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"missing\.json"):
        read_expectations(str(tmp_path / "missing.json"))


def test_suite_that_great_expectations_saved_is_read(tmp_path):
    file = tmp_path / "suite.json"
    file.write_text(json.dumps({"name": "s", "expectations": [between()]}))

    assert len(read_expectations(str(file))) == 1


def test_factory_gives_the_suite():
    def factory():
        import great_expectations as gx

        return gx.ExpectationSuite(name="s", expectations=[gx.expectations.ExpectColumnToExist(column="age")])

    recording = Recording("data", "data")
    validate(ROWS, read_expectations(factory), recording)

    assert [(case.name, case.outcome) for case in recording.cases] == [("to_exist(age)", Outcome.PASSED)]


def test_import_writes_nothing_to_the_log():
    script = (
        "import logging; logging.basicConfig(level=logging.INFO);"
        "from airflow_mltest.integrations.gx_suite import read_expectations;"
        "read_expectations([{'type': 'expect_column_to_exist', 'kwargs': {'column': 'a'}}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr + done.stdout == ""
