from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from airflow_mltest.checks.data.freshness import Freshness
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asked(times, max_age=24, now=NOW, **more):
    check = Freshness(column="at", max_age=max_age, now=now, **more)
    return check.run(DataSubject(rows=pd.DataFrame({"at": times})))


@pytest.mark.parametrize("max_age", [24, 24.0, timedelta(days=1)])
def test_age_of_the_newest_row_is_compared_in_hours(max_age):
    young = asked(pd.to_datetime(["2026-01-01", "2026-02-28 18:00"], utc=True, format="ISO8601"), max_age)
    old = asked(pd.to_datetime(["2026-01-01", "2026-02-28 06:00"], utc=True, format="ISO8601"), max_age)

    assert (young.outcome, old.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert [one.value for one in old.measurements] == [30, (31 + 28) * 24 + 12]
    assert old.measurements[0].maximum == 24
    assert "the newest row is of 2026-02-28 06:00 UTC, 30 hours ago; 24 allowed" in old.detail
    assert old.name == "freshness(at)"


def test_oldest_row_may_have_a_bound_too():
    times = pd.to_datetime(["2026-02-20", "2026-03-01"], utc=True, format="ISO8601")

    assert asked(times, max_age_of_oldest=timedelta(days=30)).outcome is Outcome.PASSED
    assert asked(times, max_age_of_oldest=timedelta(days=7)).outcome is Outcome.FAILED


def test_naive_times_are_taken_as_utc_and_that_is_told():
    case = asked(pd.to_datetime(["2026-02-28 18:00"]))

    assert case.measurements[0].value == 18
    assert "all times came without a time zone and were taken as UTC" in case.detail


def test_aware_texts_dates_and_naive_times_may_stand_beside_each_other():
    case = asked(["2026-03-01T10:00:00+09:00", datetime(2026, 2, 28), date(2026, 2, 27), None])  # noqa: DTZ001

    assert case.measurements[0].value == 11
    assert "2 of 3 times came without a time zone" in case.detail
    assert "1 of 4 rows have no at" in case.detail


def test_rows_that_are_yet_to_come_fail_and_are_named():
    case = asked(pd.to_datetime(["2026-03-01 11:00", "2026-03-01 12:03", "2027-01-01"], utc=True, format="ISO8601"))

    assert case.outcome is Outcome.FAILED
    assert "1 rows are yet to come, the last 2027-01-01 00:00 UTC: rows 2" in case.detail
    assert asked(pd.to_datetime(["2026-03-01 12:03"], utc=True, format="ISO8601")).measurements[0].value == 0


def test_without_a_moment_to_count_from_it_is_now():
    assert asked([datetime.now(UTC) - timedelta(hours=2)], 3, now=None).outcome is Outcome.PASSED
    assert asked([datetime.now(UTC) - timedelta(hours=4)], 3, now=None).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "times, match",
    [
        ([None, None], "missing in all 2 rows"),
        ([1.5, 2.5], "holds numbers"),
        (["2026-01-01", "soon"], r"holds 1 values that are no times, in rows 1"),
        ([pd.Timestamp("2026-01-01"), object()], "no times"),
    ],
)
def test_what_holds_no_times_is_not_judged(times, match):
    with pytest.raises(ConfigurationError, match=match):
        asked(times)


def test_misspelt_column_is_named():
    with pytest.raises(ConfigurationError, match="did you mean 'created_at'"):
        Freshness(column="createdat", max_age=1).run(DataSubject(rows=pd.DataFrame({"created_at": []})))


@pytest.mark.parametrize(
    "wrong",
    [{"max_age": 0}, {"max_age": float("nan")}, {"max_age_of_oldest": -1}, {"now": datetime(2026, 1, 1)}],  # noqa: DTZ001
)
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Freshness"):
        Freshness(**{"column": "at", "max_age": 1, **wrong})
