from datetime import UTC, datetime, timedelta

from airflow_mltest.core.outcome import Case, Origin, Outcome
from airflow_mltest.core.recording import Recording

ORIGIN = Origin(dag_id="d", run_id="r", task_id="t")


def case(name="case"):
    return Case(name=name, outcome=Outcome.PASSED)


def test_suite_holds_the_cases_in_the_order_in_which_they_ended():
    recording = Recording("unit", "code", origin=ORIGIN)
    recording.add(case("b"))
    recording.add(case("a"))
    suite = recording.suite()

    assert (suite.name, suite.kind, suite.origin, suite.incomplete) == ("unit", "code", ORIGIN, "")
    assert [case.name for case in suite.cases] == ["b", "a"]
    assert suite.passed


def test_suite_can_be_asked_for_at_any_time_and_is_not_changed_by_what_follows():
    recording = Recording("unit", "code")
    recording.about(model="churn")
    recording.under(seed=0)
    recording.add(case())
    so_far = recording.suite(incomplete="killed")
    recording.about(model="other")
    recording.under(seed=1)
    recording.add(case("later"))

    assert [case.name for case in so_far.cases] == ["case"]
    assert (so_far.subject, so_far.environment, so_far.incomplete) == ({"model": "churn"}, {"seed": 0}, "killed")
    assert len(recording.suite().cases) == 2


def test_each_case_is_told_as_it_ends_with_all_that_came_before():
    told = []
    recording = Recording(
        "unit", "code", on_case=lambda recording, case: told.append((len(recording.cases), case.name))
    )
    recording.add(case("a"))
    recording.add(case("b"))

    assert told == [(1, "a"), (2, "b")]


def test_number_of_cases_is_unknown_until_it_is_said():
    recording = Recording("unit", "code")

    assert recording.total is None
    recording.expect(3)
    assert recording.total == 3


def test_what_is_not_known_of_the_subject_is_absent_and_forgets_nothing():
    recording = Recording("model", "model")
    recording.about(model="churn", version="3", model_digest="")
    recording.about(version=None, commit="abc")

    assert recording.suite().subject == {"model": "churn", "version": "3", "commit": "abc"}


def test_conditions_add_up():
    recording = Recording("model", "model")
    recording.under(seed=0)
    recording.under(threads=1)

    assert recording.suite().environment == {"seed": 0, "threads": 1}


def test_suite_says_when_it_began_and_how_long_it_took():
    before = datetime.now(UTC)
    recording = Recording("unit", "code")
    first, second = recording.suite(), recording.suite()

    assert before <= first.started_at <= datetime.now(UTC)
    assert second.started_at == first.started_at
    assert 0 <= first.duration_s <= second.duration_s
    assert first.started_at + timedelta(seconds=second.duration_s) <= datetime.now(UTC) + timedelta(seconds=1)


def test_what_is_attached_is_held_for_the_store_and_named_by_no_suite_before_it_is_kept():
    recording = Recording("data", "data")
    recording.attach("page.html", "<p>old")
    recording.attach("page.html", "<p>new")

    assert recording.attachments == {"page.html": "<p>new"}
    assert recording.suite().attachments == ()
