from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_mltest.checks.model.staleness import Staleness
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


@pytest.fixture
def made(subject, rule):
    def at(moment):
        model = rule(lambda r: [0] * len(r))
        model.created_at = moment
        return subject(model)

    return at


@pytest.mark.parametrize("max_age", [30, 30.0, timedelta(days=30)])
def test_age_is_compared_in_days(made, max_age):
    now = datetime.now(UTC)
    young, old = (Staleness(max_age=max_age).run(made(now - timedelta(days=days))) for days in (29, 31))

    assert (young.outcome, old.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert old.measurements[0].value == pytest.approx(31, abs=0.01)
    assert old.measurements[0].maximum == 30
    assert "31 days ago; 30 days allowed" in old.detail


def test_another_time_zone_is_the_same_moment(made):
    moment = (datetime.now(UTC) - timedelta(hours=1)).astimezone(timezone(timedelta(hours=9)))

    assert Staleness(max_age=timedelta(hours=2)).run(made(moment)).outcome is Outcome.PASSED


def test_clocks_may_differ_by_seconds_and_not_by_hours(made):
    now = datetime.now(UTC)

    assert Staleness(max_age=1).run(made(now + timedelta(seconds=20))).measurements[0].value == 0
    with pytest.raises(ConfigurationError, match="yet to come: check both clocks"):
        Staleness(max_age=1).run(made(now + timedelta(hours=2)))


def test_model_of_which_nobody_knows_when_it_was_made_is_not_judged(made, subject):
    for unknown in (made(None), subject()):
        with pytest.raises(ConfigurationError, match="nobody knows when a rule was made"):
            Staleness(max_age=1).run(unknown)


def test_time_without_a_zone_is_refused(made):
    with pytest.raises(ConfigurationError, match="without a time zone"):
        Staleness(max_age=1).run(made(datetime(2026, 1, 1)))  # noqa: DTZ001  that is the point


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), timedelta(0)])
def test_ages_that_nothing_has_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Staleness"):
        Staleness(max_age=wrong)
