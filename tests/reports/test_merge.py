from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.reports.merge import merge, report_of


def test_newest_try_of_a_task_counts(suite):
    (merged,) = merge([suite("s", "failed", try_number=1), suite("s", "passed", try_number=2)])

    assert merged.passed


def test_shards_of_a_task_are_one_suite(suite, case):
    shards = [suite("s", case(f"t{n}"), map_index=n, duration_s=float(n)) for n in (2, 0, 1)]
    (merged,) = merge(shards)

    assert [case.name for case in merged.cases] == ["t0", "t1", "t2"]
    assert merged.origin.map_index == -1
    assert merged.duration_s == 2.0


def test_shard_that_did_not_end_is_named(suite):
    (merged,) = merge([suite("s", "passed", map_index=0), suite("s", map_index=1, incomplete="killed")])

    assert merged.incomplete == "shard 1: killed"
    assert merged.outcome is Outcome.BROKEN


def test_case_that_two_shards_ran_counts_once_as_the_worse(suite):
    (merged,) = merge([suite("s", "passed", map_index=0), suite("s", "failed", map_index=1)])

    assert [(case.name, case.outcome) for case in merged.cases] == [("c0", Outcome.FAILED)]


def test_suites_keep_the_order_in_which_they_started(suite):
    first = suite("z", "passed")
    second = suite("a", "passed", started_at=first.started_at + timedelta(seconds=1))

    assert [found.name for found in merge([second, first])] == ["z", "a"]


def test_no_case_is_lost_or_doubled_and_order_does_not_matter(suites):
    @given(st.lists(suites, max_size=5), st.randoms())
    def check(found, luck):
        merged = merge(found)
        newest = {}
        for one in found:
            key = (one.name, one.origin.map_index)
            if key not in newest or (one.origin.try_number, one.started_at) > (
                newest[key].origin.try_number,
                newest[key].started_at,
            ):
                newest[key] = one
        for whole in merged:
            wanted = {c.name for key, one in newest.items() if key[0] == whole.name for c in one.cases}
            names = [c.name for c in whole.cases]
            if len([1 for key in newest if key[0] == whole.name]) > 1:
                assert len(names) == len(set(names))
            assert set(names) == wanted
        assert merge(merged) == merged
        shuffled = list(found)
        luck.shuffle(shuffled)
        assert {whole.name for whole in merge(shuffled)} == {whole.name for whole in merged}

    check()


@pytest.mark.parametrize(
    "outcomes, required, whole",
    [
        (["passed", "passed"], [], Outcome.PASSED),
        (["passed", "inconclusive"], [], Outcome.INCONCLUSIVE),
        (["passed", "failed"], [], Outcome.FAILED),
        (["passed"], ["s0"], Outcome.PASSED),
        (["passed"], ["other"], Outcome.BROKEN),
        ([], [], Outcome.BROKEN),
    ],
)
def test_report_is_the_worst_of_its_suites_and_broken_when_one_is_missing(suite, outcomes, required, whole):
    report = report_of("r", [suite(f"s{n}", outcome) for n, outcome in enumerate(outcomes)], required=required)

    assert report.outcome is whole
    assert report.passed is (whole is Outcome.PASSED)


def test_counts_are_summed(suite):
    assert report_of("r", [suite("a", "passed", "failed"), suite("b", "passed")]).counts["passed"] == 2


def test_suites_without_a_task_are_merged_by_name(suite):
    merged = merge([suite("a", "passed", origin=False), suite("b", "passed", origin=False)])

    assert [found.name for found in merged] == ["a", "b"]
