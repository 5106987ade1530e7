import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.evidence import doubt_of, usable
from airflow_mltest.core.outcome import Outcome

_GATE = runpy.run_path(str(Path(__file__).parents[1] / "gate_evidence.py"))
NOW, HOUR, CANDIDATE = _GATE["NOW"], _GATE["HOUR"], _GATE["CANDIDATE"]
suite, evidence, shards = _GATE["suite"], _GATE["evidence"], _GATE["shards"]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"version": ""}, "nothing to judge: model 'churn', version ''"),
        ({"model": ""}, "nothing to judge"),
        ({"digest": ""}, "nothing to judge"),
        ({"now": NOW.replace(tzinfo=None)}, "has no time zone"),
    ],
)
def test_candidate_that_is_unknown_or_judged_at_an_unknown_time_is_refused(change, said):
    with pytest.raises(ConfigurationError, match=said):
        replace(CANDIDATE, **change)


@pytest.mark.parametrize(
    "outcome, state",
    [
        (Outcome.PASSED, "success"),
        (Outcome.INCONCLUSIVE, "success"),
        (Outcome.FAILED, "failed"),
        (Outcome.BROKEN, "failed"),
        (Outcome.SKIPPED, "failed"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.FAILED, "success"),  # a person marked it so; the suite still says no
    ],
)
def test_report_that_its_task_has_kept_and_ended_with_is_not_doubted(outcome, state):
    assert doubt_of(suite("quality", outcome), "sha256:a", state=state, told="sha256:a") == ""


@pytest.mark.parametrize(
    "state",
    [
        "running", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "restarting", "deferred", "removed",
        "awaiting_input", "upstream_failed", "skipped", "failed", "a state of a later Airflow", None,
    ],
)  # fmt: skip
def test_passed_suite_is_doubted_unless_its_task_succeeded(state):
    doubt = doubt_of(suite(), "sha256:a", state=state, told="sha256:a")

    assert f"its task is {state or 'waiting to run'}" in doubt


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BROKEN])
def test_suite_that_has_not_passed_is_doubted_while_its_task_may_try_again(outcome):
    assert "its task is up_for_retry" in doubt_of(
        suite("a", outcome), "sha256:a", state="up_for_retry", told="sha256:a"
    )


@pytest.mark.parametrize(
    "digest, told, said",
    [
        ("sha256:b", "sha256:a", "altered: it has the digest sha256:b, and its task kept sha256:a"),
        ("", "sha256:a", "altered: it has the digest of nothing"),
        ("sha256:a", None, "has not told Airflow what it kept"),
        ("sha256:a", "", "has not told Airflow what it kept"),
        ("", "", "has not told Airflow what it kept"),
    ],
)
def test_report_is_doubted_unless_its_bytes_are_those_that_its_task_told_of(digest, told, said):
    assert said in doubt_of(suite(), digest, state="success", told=told)


def test_suite_that_was_cut_off_says_so_rather_than_what_airflow_knows_of_its_task():
    cut_off = evidence("quality", incomplete="killed", doubt="its task is running")

    assert usable("quality", [cut_off], CANDIDATE)[1] == "incomplete: killed"


def test_suite_that_nobody_asked_about_need_not_name_its_commit_and_may_not_name_another():
    asked = replace(CANDIDATE, subject={"commit": "abc"})
    unknown, same, other = (
        evidence("unit", kind="code", subject=subject) for subject in ({}, {"commit": "abc"}, {"commit": "def"})
    )

    assert usable("unit", [unknown], asked)[1] == ""
    assert usable("unit", [same], asked)[1] == ""
    assert usable("unit", [other], asked)[1] == "it tested commit def, not abc"
    assert usable("unit", [other], CANDIDATE)[1] == ""


def test_subject_that_asks_for_another_model_than_the_one_that_is_judged_finds_nothing_usable():
    other = replace(CANDIDATE, subject={"model": "other"})

    assert "not churn" in usable("quality", [evidence(subject={"model": "other"})], other)[1]


def test_suite_ended_when_the_first_of_its_shards_ended_and_nobody_knows_where_one_does_not():
    early, late = {"started_at": NOW - HOUR, "duration_s": 60}, {"started_at": NOW - HOUR / 2}

    assert shards("quality", late, early).ended_at == NOW - HOUR * 59 / 60
    assert evidence(**late).ended_at == NOW - HOUR / 2
    assert shards("quality", late, {"duration_s": 1e300}).ended_at is None
    assert evidence(started_at=NOW.replace(tzinfo=None)).ended_at is None


def test_shards_name_all_that_they_were_about():
    parts = [{"subject": {"data_digest": "a"}}, {"subject": {"data_digest": "b"}}, {"subject": {}}]

    assert shards("quality", *parts).named("data_digest") == {"a", "b"}
    assert shards("quality", *parts).named("commit") == set()
    assert [piece.label for piece in shards("quality", *parts).pieces] == ["quality[0]", "quality[1]", "quality[2]"]
