from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.merge import Report, merge, report_of

PASSED, FAILED, BROKEN = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN
INCONCLUSIVE, SKIPPED = Outcome.INCONCLUSIVE, Outcome.SKIPPED
STARTED_AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def case(name, outcome=PASSED, **more):
    return Case(name=name, outcome=outcome, **more)


def suite(*cases, name="unit", shard=-1, attempt=1, second=0, **more):
    origin = Origin(dag_id="d", run_id="r", task_id=name, map_index=shard, try_number=attempt)
    more = {"kind": "code", "origin": origin, "duration_s": float(second), **more}
    return Suite(name=name, cases=cases, started_at=STARTED_AT + timedelta(seconds=second), **more)


# Few names, so that tries, shards and doubled cases meet; each suite starts at a time of its own.
some_cases = st.lists(
    st.builds(case, st.sampled_from("abcd"), st.sampled_from(Outcome)), max_size=4, unique_by=lambda found: found.name
)
some_suites = st.lists(
    st.builds(
        lambda cases, **more: suite(*cases, **more),
        some_cases,
        name=st.sampled_from(["unit", "model"]),
        shard=st.integers(-1, 2),
        attempt=st.integers(1, 3),
        second=st.integers(0, 10_000),
    )
    | st.builds(
        lambda cases, **more: suite(*cases, origin=None, **more),
        some_cases,
        name=st.sampled_from(["unit", "loose"]),
        second=st.integers(0, 10_000),
    ),
    max_size=8,
    unique_by=lambda found: found.started_at,
)


def newest(found):
    """Say which suites count, by the words of the contract and nothing else."""
    counting = []
    for one in found:
        rivals = [
            other
            for other in found
            if one.origin
            and other.origin
            and (other.origin.task_id, other.origin.map_index) == (one.origin.task_id, one.origin.map_index)
        ]
        if not rivals or one is max(rivals, key=lambda other: (other.origin.try_number, other.started_at)):
            counting.append(one)
    return counting


@given(some_suites)
def test_no_case_is_lost_or_counted_twice(found):
    def keys(suites):
        return [(one.origin is None, one.name, asked.name) for one in suites for asked in one.cases]

    merged = keys(merge(found))

    assert len(merged) == len(set(merged))
    assert set(merged) == set(keys(newest(found)))


@given(some_suites)
def test_merged_again_nothing_changes(found):
    once = merge(found)

    assert merge(once) == once


@given(some_suites, st.randoms())
def test_order_in_which_files_are_read_does_not_matter(found, random):
    shuffled = list(found)
    random.shuffle(shuffled)

    assert merge(shuffled) == merge(found)


@given(some_suites)
def test_merged_suite_is_never_better_than_its_worst_shard(found):
    rank = [FAILED, BROKEN, INCONCLUSIVE, PASSED, SKIPPED]
    merged = merge(found)

    for one in newest(found):
        (whole,) = [m for m in merged if (m.origin is None, m.name) == (one.origin is None, one.name)]
        assert rank.index(whole.outcome) <= rank.index(one.outcome)


def test_newest_try_of_a_shard_counts_alone():
    merged = merge([suite(case("a", FAILED), shard=0), suite(case("b"), shard=1), suite(case("a"), shard=0, attempt=2)])

    assert [(one.outcome, len(one.cases)) for one in merged] == [(PASSED, 2)]
    assert merged[0].origin == Origin(dag_id="d", run_id="r", task_id="unit", map_index=-1, try_number=2)


def test_shards_are_one_suite_as_long_as_the_longest():
    (merged,) = merge([suite(case("b"), shard=1, second=9), suite(case("a"), shard=0, second=4)])

    assert [found.name for found in merged.cases] == ["a", "b"]
    assert merged.duration_s == 9
    assert merged.started_at == STARTED_AT + timedelta(seconds=4)


def test_case_of_two_shards_counts_once_as_the_worst_and_says_so():
    (merged,) = merge([suite(case("a"), shard=0), suite(case("a", FAILED, detail="3 != 4"), shard=4)])

    assert merged.counts["failed"] == 1
    assert merged.counts["passed"] == 0
    assert merged.cases[0].detail == "Ran 2 times (passed in shard 0, failed in shard 4); the worst counts.\n3 != 4"


def test_shards_of_different_subjects_keep_each_answer_under_a_name_of_its_own():
    churn = suite(case("auc", FAILED), shard=0, subject={"model": "churn", "version": "1", "commit": "c"})
    fraud = suite(case("auc"), case("size"), shard=1, subject={"model": "fraud", "version": "1"})
    (merged,) = merge([fraud, churn])

    assert [(found.name, found.outcome) for found in merged.cases] == [
        ("auc [churn]", FAILED),
        ("auc [fraud]", PASSED),
        ("size", PASSED),
    ]
    assert merged.subject == {"version": "1", "commit": "c"}


def test_digests_tell_subjects_apart_only_where_nothing_else_does():
    one = suite(case("auc"), shard=0, subject={"model": "churn", "model_digest": "sha256:1"})
    other = suite(case("auc"), shard=1, subject={"model": "churn", "model_digest": "sha256:2"})

    assert [found.name for found in merge([one, other])[0].cases] == ["auc [sha256:1]", "auc [sha256:2]"]


def test_shard_that_did_not_end_is_named_and_the_suite_is_incomplete():
    (merged,) = merge([suite(case("a"), shard=0), suite(shard=3, incomplete="killed")])

    assert merged.incomplete == "shard 3: killed"
    assert merged.outcome is BROKEN


def test_shard_in_which_nothing_ran_does_not_vanish_among_those_that_passed():
    (merged,) = merge([suite(case("a"), shard=0), suite(shard=1)])

    assert merged.incomplete == "shard 1: nothing ran"
    assert merged.outcome is BROKEN


def test_kind_is_that_of_the_shard_that_knows_most():
    (merged,) = merge([suite(shard=0, incomplete="unreadable"), suite(case("a"), shard=1, kind="model")])

    assert merged.kind == "model"


def test_conditions_that_shards_disagree_on_are_all_told():
    (merged,) = merge([suite(case("a"), shard=n, environment={"python": "3.11", "cpus": n}) for n in (2, 4)])

    assert merged.environment == {"python": "3.11", "cpus": [2, 4]}


def test_flaky_in_one_shard_is_flaky():
    (merged,) = merge([suite(case("a", flaky=True), shard=0), suite(case("a"), shard=1)])

    assert merged.counts["flaky"] == 1


def test_tasks_of_the_same_name_in_two_runs_stay_apart():
    other = Origin(dag_id="d", run_id="another", task_id="unit")

    assert len(merge([suite(case("a")), suite(case("a"), origin=other)])) == 2


def test_suites_keep_the_order_in_which_they_started():
    found = merge([suite(case("a"), name="a", second=9), suite(case("a"), name="z", second=1)])

    assert [one.name for one in found] == ["z", "a"]


def test_nothing_merges_to_nothing():
    assert merge([]) == ()


@pytest.mark.parametrize(
    "outcomes, missing, expected",
    [
        ([PASSED, SKIPPED], (), PASSED),
        ([SKIPPED], (), SKIPPED),
        ([PASSED, INCONCLUSIVE], (), INCONCLUSIVE),
        ([INCONCLUSIVE, BROKEN], (), BROKEN),
        ([BROKEN, FAILED], (), FAILED),
        ([PASSED], ("serving",), BROKEN),
        ([FAILED], ("serving",), FAILED),
        ([], (), BROKEN),
    ],
)
def test_report_is_as_bad_as_the_worst_it_holds(outcomes, missing, expected):
    suites = tuple(suite(case("a", outcome), name=f"s{place}") for place, outcome in enumerate(outcomes))
    report = Report(name="r", suites=suites, missing=missing)

    assert report.outcome is expected
    assert report.passed is (expected is PASSED)


def test_suite_in_which_nothing_ran_breaks_the_report():
    assert Report(name="r", suites=(suite(case("a")), suite(name="empty"))).outcome is BROKEN


def test_counts_are_those_of_all_suites():
    report = Report(name="r", suites=(suite(case("a"), case("b", FAILED)), suite(case("a", flaky=True), name="two")))

    assert report.counts == {"passed": 2, "failed": 1, "inconclusive": 0, "broken": 0, "skipped": 0, "flaky": 1}


def test_required_suite_that_is_not_there_is_missing():
    report = report_of("r", [suite(case("a"))], required=["unit", "serving"], dag_id="d", run_id="1")

    assert report.missing == ("serving",)
    assert (report.dag_id, report.run_id, report.outcome) == ("d", "1", BROKEN)


def test_suite_that_stands_for_its_shards_takes_their_place():
    shards = [suite(case("a"), shard=0), suite(case("b", FAILED), shard=1, second=1)]
    merged = suite(case("a"), case("b", FAILED), case("c", BROKEN), name="group", second=2, stands_for="unit")

    assert merge([*shards, merged, suite(case("x"), name="other")]) == merge([merged, suite(case("x"), name="other")])


def test_shard_that_is_newer_than_what_stands_for_it_counts_again():
    merged = suite(case("a"), name="group", second=2, stands_for="unit")
    newer = suite(case("a", FAILED), shard=0, attempt=2, second=3)

    assert {found.name: found.outcome for found in merge([merged, newer])} == {"group": PASSED, "unit": FAILED}


def test_suite_stands_for_no_shards_of_another_run():
    merged = suite(case("a"), name="group", second=2, stands_for="unit")
    origin = Origin(dag_id="d", run_id="another", task_id="unit", map_index=0)

    assert len(merge([merged, suite(case("a", FAILED), origin=origin)])) == 2


def test_files_of_every_shard_are_named():
    shards = [suite(case("a"), shard=shard, attachments=(f"unit@{shard}/1.page.html",)) for shard in (0, 1)]

    (merged,) = merge(shards)
    assert merged.attachments == ("unit@0/1.page.html", "unit@1/1.page.html")
