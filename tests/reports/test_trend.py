import math
from datetime import UTC, datetime, timedelta

import pytest

from airflow_mltest.core.figure import Matrix
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite
from airflow_mltest.reports.merge import Report
from airflow_mltest.reports.store import Store
from airflow_mltest.reports.trend import past_of, trends

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def run():
    def make(value, days_ago=0, version="", *, name="model", run_id="r", **more):
        ends = {"low": value - 0.1, "high": value + 0.1}
        measured = (Measurement(name="auc", value=value, minimum=0.7, **ends), Measurement(name="rows", value=9.0))
        case = Case(name="Metric", outcome=Outcome.PASSED, measurements=measured)
        more.setdefault("subject", {"model": "churn"} | ({"version": version} if version else {}))
        origin = Origin(dag_id="d", run_id=run_id, task_id=name)
        return Suite(name=name, kind="model", cases=(case,), origin=origin, started_at=NOW - timedelta(days=days_ago),
                     **more)  # fmt: skip

    return make


def test_metric_that_has_a_bound_is_drawn_over_the_versions(run):
    (figure,) = trends(run(0.9, 0, "7"), [run(0.8, 1, "6"), run(0.7, 2, "4")])
    (series,) = figure.series

    assert (figure.x, figure.y, figure.bounds) == ("model version", "auc", (0.7,))
    assert (series.x, series.y) == ((4.0, 6.0, 7.0), (0.7, 0.8, 0.9))
    assert series.low == pytest.approx((0.6, 0.7, 0.8))


def test_of_several_runs_on_one_version_the_newest_counts(run):
    (figure,) = trends(run(0.9, 0, "7"), [run(0.8, 1, "7"), run(0.75, 2, "6"), run(0.7, 3, "6")])

    assert (figure.series[0].x, figure.series[0].y) == ((6.0, 7.0), (0.75, 0.9))


@pytest.mark.parametrize("versions", [("", "", ""), ("7", "7", "7"), ("7", "", "5"), ("7", "blue", "5")])
def test_without_versions_in_order_it_is_drawn_over_the_days(run, versions):
    now, before, first = versions
    (figure,) = trends(run(0.9, 0, now), [run(0.8, 1, before), run(0.7, 2.5, first)])

    assert figure.x == "days; 0 is this run"
    assert (figure.series[0].x, figure.series[0].y) == ((-2.5, -1.0, 0.0), (0.7, 0.8, 0.9))


def test_other_suites_and_other_models_are_no_past_of_this_one(run):
    others = [run(0.8, 1, name="data"), run(0.8, 1, subject={"model": "fraud"}), run(math.nan, 1)]

    assert trends(run(0.9), others) == ()
    assert trends(run(0.9), []) == ()


def test_several_numbers_with_one_name_are_told_apart_by_their_cases(run):
    def two(first, second, days_ago):
        cases = [
            Case(name=f"Metric [{model}]", outcome=Outcome.PASSED,
                 measurements=(Measurement(name="auc", value=value, minimum=0.5),))
            for model, value in (("churn", first), ("fraud", second))
        ]  # fmt: skip
        return Suite(name="model", kind="model", cases=tuple(cases), started_at=NOW - timedelta(days=days_ago))

    churn, fraud = trends(two(0.9, 0.8, 0), [two(0.7, 0.6, 1)])

    assert (churn.y, churn.series[0].y) == ("Metric [churn]: auc", (0.7, 0.9))
    assert (fraud.y, fraud.series[0].y) == ("Metric [fraud]: auc", (0.6, 0.8))


def test_interval_that_is_not_known_is_nan(run):
    bare = Measurement(name="auc", value=0.8)
    earlier = Suite(name="model", kind="model", cases=(Case(name="m", outcome=Outcome.PASSED, measurements=(bare,)),),
                    started_at=NOW - timedelta(days=1))  # fmt: skip
    (figure,) = trends(run(0.9), [earlier])

    assert math.isnan(figure.series[0].low[0])


def test_past_is_read_of_suites_with_bounds_only(run, suite, tmp_path):
    store = Store(tmp_path)
    for number in range(3):
        store.keep(run(0.5 + number / 10, 3 - number, run_id=f"r{number}"))
    store.keep(suite("unit", "passed", started_at=NOW - timedelta(days=1)))
    newest = (run(0.9), suite("unit", "passed", started_at=NOW), run(0.9, name="nowhere"))

    past = past_of(Report(name="r", suites=newest), store)
    assert [(found.name, found.cases[0].measurements[0].value) for found in past] == [
        ("model", 0.7),
        ("model", 0.6),
        ("model", 0.5),
    ]


def test_drift_of_each_of_many_columns_is_a_row_of_a_heat_map_over_past_runs():
    def drift(days_ago, *, columns=60, factor=1.0):
        measured = [
            Measurement(name=f"drift.c{place}", value=place / 100 * factor, maximum=0.5) for place in range(columns)
        ] + [Measurement(name="rows", value=5.0, minimum=1.0)]
        case = Case(name="drift", outcome=Outcome.PASSED, measurements=tuple(measured))
        return Suite(name="data", kind="data", cases=(case,), started_at=NOW - timedelta(days=days_ago))

    figures = trends(drift(0, factor=2.0), [drift(1), drift(2, columns=20)])
    maps = [figure for figure in figures if isinstance(figure, Matrix)]

    assert [figure.y for figure in figures[:12]] == [f"drift.c{place}" for place in range(12)]
    assert [name for one in maps for name in one.row_names] == [f"drift.c{place}" for place in range(12, 60)]
    assert [one.column_names for one in maps] == [("-2", "-1", "0"), ("-1", "0")]
    assert maps[0].values[0] == pytest.approx((0.24, 0.24, 0.48))
    assert math.isnan(maps[0].values[-1][0])
    assert maps[0].values[-1][1:] == pytest.approx((0.51 / 0.5, 1.02 / 0.5))
