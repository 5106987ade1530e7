from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.checks.data.moments import is_timed, to_utc


@settings(max_examples=30)
@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_text_and_object_of_a_moment_are_that_moment(moment):
    moment = moment.astimezone(UTC)
    found = to_utc(pd.Series([moment.isoformat(), moment], dtype=object), "at")

    assert (found.moments == moment).all()
    assert found.naive == 0


@pytest.mark.parametrize(
    "text, naive",
    [
        ("2026-01-31", 1), ("2026-01", 1), ("2026-01-31T10:00", 1), ("2026-01-31 10:00:00.5", 1),
        ("2026-01-31T10:00Z", 0), ("2026-01-31T10:00-05", 0), ("2026-01-31T10:00+0530", 0),
        ("2026-01-31 10:00-05:00", 0),
    ],
)  # fmt: skip
def test_zone_of_a_text_is_seen(text, naive):
    assert to_utc(pd.Series([text]), "at").naive == naive


def test_times_are_known_by_their_type_or_by_each_object():
    assert is_timed(pd.Series(pd.to_datetime(["2026-01-01"])))
    assert is_timed(pd.Series([datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), None], dtype=object))  # noqa: DTZ001
    assert not is_timed(pd.Series([datetime(2026, 1, 1), 5], dtype=object))  # noqa: DTZ001
    assert not is_timed(pd.Series([None], dtype=object))
    assert not is_timed(pd.Series(["2026-01-01"]))
