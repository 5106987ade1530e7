import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import airflow_mltest.reports
from airflow_mltest.core.figure import Figure, Matrix, Series
from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.reports.document import dumps, suite_from_document, suite_to_document, summarise

CURVE = Figure(
    title="Robust accuracy",
    x="budget",
    y="accuracy",
    series=(
        Series(name="candidate", x=(0.0, 0.5), y=(0.9, math.nan), low=(0.8, 0.1), high=(1.0, math.inf)),
        Series(name="champion", x=(0.0, 0.5), y=(0.9, 0.4), style="steps"),
    ),
    bounds=(0.6,),
    log_x=True,
)
SLICES = Figure(title="Slices", x="slice", y="auc", series=(Series(x=("nl", "de"), y=(0.5, 0.7)),), diagonal=True)
CONFUSION = Matrix(title="m", rows="true", columns="predicted", row_names=("a", "b"), column_names=("a", "b"),
                   values=((5.0, 1.0), (0.0, math.nan)))  # fmt: skip
GOOD = {
    "type": "figure", "title": "t", "x": "x", "y": "y", "bounds": [], "diagonal": False, "log_x": False,
    "series": [{"name": "", "x": [1.0], "y": [2.0], "low": [], "high": [], "style": "line"}],
}  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(GOOD)), inner, max_size=4),
    max_leaves=6,
)


def suite(*figures):
    return Suite(name="s", kind="model", cases=(Case(name="c", outcome=Outcome.PASSED, figures=figures),))


def read(*documents, **changes):
    document = suite_to_document(suite())
    document["cases"][0]["figures"] = list(documents)
    document["cases"][0].update(changes)
    return suite_from_document(document).cases[0]


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((Path(airflow_mltest.reports.__file__).parent / "report.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)


def test_figures_are_read_back_as_they_were_and_the_schema_knows_them(validator):
    document = json.loads(dumps(suite_to_document(suite(CURVE, SLICES, CONFUSION))))
    curve, slices, confusion = suite_from_document(document).cases[0].figures

    validator.validate(document)
    assert slices == SLICES
    assert replace(confusion, values=()) == replace(CONFUSION, values=())
    assert math.isnan(confusion.values[1][1])
    assert curve.series[1] == CURVE.series[1]
    assert (curve.bounds, curve.log_x, curve.diagonal) == ((0.6,), True, False)
    # What has no form in JSON is not known.
    assert math.isnan(curve.series[0].y[1])
    assert math.isnan(curve.series[0].high[1])
    assert suite_to_document(suite_from_document(document)) == document


def test_case_of_an_earlier_release_has_no_figures(validator):
    document = suite_to_document(suite())
    del document["cases"][0]["figures"]

    validator.validate(document)
    assert suite_from_document(document).cases[0].figures == ()


@pytest.mark.parametrize(
    "change",
    [
        {"type": "photograph"},
        {"title": 3},
        {"series": None},
        {"series": [{}]},
        {"series": [{**GOOD["series"][0], "y": []}]},
        {"series": [{**GOOD["series"][0], "low": [1.0, 2.0]}]},
        {"series": [{**GOOD["series"][0], "x": ["a", 1]}]},
        {"series": [{**GOOD["series"][0], "y": ["high"]}]},
        {"series": [{**GOOD["series"][0], "y": [10**400]}]},
        {"series": [{**GOOD["series"][0], "style": "photograph"}]},
        {"series": [{**GOOD["series"][0], "style": []}]},
        {"type": "matrix"},
        {"type": "matrix", "rows": "r", "columns": "c", "row_names": ["a"], "column_names": ["b"], "values": [[]]},
        {"type": "matrix", "rows": "r", "columns": "c", "row_names": ["a"], "column_names": [], "values": []},
    ],
)
def test_damaged_figure_is_left_out_and_its_case_kept(change):
    case = read({**GOOD, **change}, GOOD)

    assert case.outcome is Outcome.PASSED
    assert [figure.title for figure in case.figures] == ["t"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(anything, st.sampled_from(list(GOOD)))
def test_whatever_stands_for_figures_the_case_is_read(found, key):
    assert read({**GOOD, key: found}, found).name == "c"
    assert read(figures=found).name == "c"


def test_very_long_series_are_thinned_with_both_ends_kept(validator):
    line = Series(x=tuple(float(n) for n in range(10_000)), y=tuple(float(n) for n in range(10_000)))
    names = Series(x=tuple(f"n{n}" for n in range(1000)), y=(1.0,) * 1000, low=(0.0,) * 1000, high=(2.0,) * 1000)
    document = json.loads(
        dumps(suite_to_document(suite(replace(CURVE, series=(line,)), replace(SLICES, series=(names,)))))
    )
    curve, rows = (figure.series[0] for figure in suite_from_document(document).cases[0].figures)

    validator.validate(document)
    assert (len(curve.x), curve.x[0], curve.x[-1]) == (400, 0.0, 9999.0)
    assert curve.x == curve.y
    assert rows.x == tuple(f"n{n}" for n in range(400))
    assert len(rows.low) == len(rows.high) == 400


def test_very_large_matrix_is_kept_as_means_of_blocks(validator):
    names = tuple(map(str, range(250)))
    values = tuple(tuple(float(row // 3 == column // 3) for column in range(250)) for row in range(250))
    document = suite_to_document(suite(replace(CONFUSION, row_names=names, column_names=names, values=values)))
    (kept,) = suite_from_document(document).cases[0].figures

    validator.validate(document)
    assert kept.row_names[:2] == ("0 …", "3 …")
    assert len(kept.values) == len(kept.values[0]) == 84
    assert (kept.values[0][0], kept.values[0][1]) == (1.0, 0.0)


def test_summary_for_xcom_holds_no_figure():
    assert "Robust accuracy" not in json.dumps(summarise(suite(CURVE), "somewhere"))
