from datetime import UTC, datetime, timedelta

from airflow_mltest.core.versions import Measured, over_versions

START = datetime(2026, 11, 25, tzinfo=UTC)


def measured(version, days_ago, **metrics):
    return Measured(version=version, started_at=START - timedelta(days=days_ago), metrics=metrics)


def test_metric_goes_from_version_to_version_as_numbers_do():
    found = over_versions([measured("10", 0, auc=0.9), measured("9", 2, auc=0.8, rows=5.0), measured("2", 1, auc=0.7)])

    assert list(found["auc"].items()) == [("2", 0.7), ("9", 0.8), ("10", 0.9)]
    assert found["rows"] == {"9": 5.0}


def test_newest_run_on_a_version_that_measured_it_counts():
    found = over_versions([measured("1", 2, auc=0.7, rows=5.0), measured("1", 0, auc=0.9), measured("1", 1, auc=0.8)])

    assert found == {"auc": {"1": 0.9}, "rows": {"1": 5.0}}


def test_names_that_are_no_numbers_follow_in_the_order_of_their_first_runs():
    found = over_versions([measured(name, age, auc=1.0) for name, age in (("b", 3), ("a", 2), ("7", 1), ("²", 0))])

    assert list(found["auc"]) == ["7", "b", "a", "²"]


def test_run_without_a_version_is_on_none():
    assert over_versions([measured("", 0, auc=0.9)]) == over_versions([]) == {}
