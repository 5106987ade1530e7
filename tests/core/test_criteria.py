import json
import math
import runpy
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.criteria import MetricAgainstChampion, MetricHolds, SuitePassed, decide
from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

_GATE = runpy.run_path(str(Path(__file__).parents[1] / "gate_evidence.py"))
NOW, HOUR, DIGEST, SUBJECT, CANDIDATE = (_GATE[name] for name in ("NOW", "HOUR", "DIGEST", "SUBJECT", "CANDIDATE"))
suite, evidence, shards = _GATE["suite"], _GATE["evidence"], _GATE["shards"]


def only_reason(decision):
    """Give the one thing that did not hold, and be sure that it closed the gate."""
    assert not decision.approved
    assert len(decision.reasons) == 1, decision.reasons
    return decision.reasons[0]


@dataclass(frozen=True)
class Own:
    """A user's criterion, which answers what it is told to."""

    answer: Any = None

    def judge(self, evidence, candidate):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


YES = Own(Finding(criterion="own", holds=True, seen="yes", wanted="yes"))


def test_version_is_approved_when_everything_holds():
    pieces = [evidence("unit", kind="code", subject={}), evidence("quality", auc=0.9)]
    decision = decide(
        [SuitePassed("unit"), SuitePassed("quality"), MetricHolds("quality", "auc", 0.8)], pieces, CANDIDATE
    )

    assert decision.approved
    assert decision.reasons == ()
    assert (decision.model, decision.version, decision.digest, decision.champion) == ("churn", "3", DIGEST, "2")
    assert decision.decided_at == NOW.isoformat()
    assert decision.evidence == {
        "quality": {"address": "/reports/quality.json", "digest": "sha256:quality"},
        "unit": {"address": "/reports/unit.json", "digest": "sha256:unit"},
    }
    assert [(finding.criterion, finding.seen) for finding in decision.findings] == [
        ("suite unit", "passed (1 passed)"),
        ("suite quality", "passed (1 passed)"),
        ("quality: auc", "0.9"),
    ]


def test_without_criteria_nothing_is_approved():
    assert only_reason(decide([], [evidence()], CANDIDATE)) == "criteria: none (wanted at least one)"


@pytest.mark.parametrize("pieces", [[], [evidence("an earlier gate", kind="gate")]])
def test_without_evidence_nothing_is_approved_even_when_every_criterion_holds(pieces):
    assert only_reason(decide([YES], pieces, CANDIDATE)) == "evidence: none (wanted at least one)"


def test_missing_suite_closes_the_gate_and_the_reason_says_what_there_is():
    reason = only_reason(decide([SuitePassed("latency")], [evidence("unit"), evidence("quality")], CANDIDATE))

    assert reason == "suite latency: missing; there is quality, unit (wanted passed)"


@pytest.mark.parametrize(
    "piece, said",
    [
        (evidence("quality", Outcome.PASSED, Outcome.FAILED), "failed (1 passed, 1 failed): case 1"),
        (evidence("quality", Outcome.BROKEN), "broken (1 broken): case 0"),
        (evidence("quality", cases=()), "broken (nothing ran)"),
        (evidence("quality", Outcome.SKIPPED), "skipped (1 skipped)"),
        (evidence("quality", Outcome.INCONCLUSIVE), "inconclusive (1 inconclusive)"),
        (evidence("quality", incomplete="killed"), "incomplete: killed"),
    ],
)
def test_required_suite_that_has_not_passed_closes_the_gate(piece, said):
    assert only_reason(decide([SuitePassed("quality")], [piece], CANDIDATE)) == f"suite quality: {said} (wanted passed)"


def test_data_that_cannot_tell_are_enough_only_where_the_criterion_says_so():
    lenient = SuitePassed("quality", accept_inconclusive=True)

    assert decide([lenient], [evidence("quality", Outcome.INCONCLUSIVE)], CANDIDATE).approved
    assert not decide([lenient], [evidence("quality", Outcome.FAILED)], CANDIDATE).approved
    assert not decide([lenient], [evidence("quality", Outcome.SKIPPED)], CANDIDATE).approved
    assert not decide([lenient], [evidence("quality", Outcome.INCONCLUSIVE, incomplete="killed")], CANDIDATE).approved


@pytest.mark.parametrize("kind", ["model", "deployment"])
@pytest.mark.parametrize(
    "subject, said",
    [
        (SUBJECT | {"version": "2"}, "it tested version 2, not 3"),
        (SUBJECT | {"model": "other"}, "it tested model other, not churn"),
        (SUBJECT | {"model_digest": "sha256:b"}, "it tested model_digest sha256:b, not sha256:a"),
        ({"model": "churn", "version": "3"}, "it tested model_digest unknown, not sha256:a"),
        ({}, "it tested model unknown, not churn"),
    ],
)
def test_suite_about_another_thing_or_an_unknown_one_closes_the_gate(kind, subject, said):
    piece = evidence("quality", auc=0.9, kind=kind, subject=subject)

    for criterion in (SuitePassed("quality"), SuitePassed("quality", accept_inconclusive=True)):
        assert said in only_reason(decide([criterion], [piece], CANDIDATE))
    assert not MetricHolds("quality", "auc", 0.8).judge([piece], CANDIDATE).holds
    assert said in only_reason(decide([YES], [piece], CANDIDATE))


@pytest.mark.parametrize("kind", ["code", "data", "environment"])
def test_suite_that_tests_no_model_need_not_name_one(kind):
    assert decide([SuitePassed("unit")], [evidence("unit", kind=kind, subject={})], CANDIDATE).approved


@pytest.mark.parametrize(
    "times, said",
    [
        ({"started_at": NOW - 2 * HOUR}, "stale: 2:00:00 old, and 1:00:00 is allowed"),
        ({"started_at": NOW + 2 * HOUR}, "it ended in the future, at 2026-03-01T14:00:00+00:00"),
        ({"started_at": NOW, "duration_s": 3600}, "it ended in the future, at 2026-03-01T13:00:00+00:00"),
        ({"started_at": NOW.replace(tzinfo=None)}, "its time has no time zone"),
        ({"duration_s": math.nan}, "it took nan s, so its age is unknown"),
        ({"duration_s": math.inf}, "it took inf s, so its age is unknown"),
    ],
)
def test_suite_of_another_or_an_unknown_time_closes_the_gate(times, said):
    piece = evidence("quality", auc=0.9, **times)

    assert said in only_reason(decide([SuitePassed("quality")], [piece], CANDIDATE))
    assert said in only_reason(decide([YES], [piece], CANDIDATE))
    assert not MetricHolds("quality", "auc", 0.8).judge([piece], CANDIDATE).holds


def test_age_is_counted_from_the_end_of_the_suite():
    long_one = evidence("quality", started_at=NOW - 3 * HOUR, duration_s=2.5 * 3600)

    assert decide([SuitePassed("quality")], [long_one], CANDIDATE).approved


def test_clocks_may_differ_by_five_minutes_and_zones_do_not_matter():
    ahead = evidence("quality", started_at=(NOW + timedelta(minutes=5)).astimezone(timezone(5 * HOUR)))
    too_far = evidence("quality", started_at=NOW + timedelta(minutes=5, seconds=1))

    assert decide([SuitePassed("quality")], [ahead], CANDIDATE).approved
    assert not decide([SuitePassed("quality")], [too_far], CANDIDATE).approved


def test_without_a_maximum_old_evidence_counts_and_future_evidence_does_not():
    ageless = replace(CANDIDATE, max_age=None)

    assert decide([SuitePassed("quality")], [evidence("quality", started_at=NOW - 9999 * HOUR)], ageless).approved
    assert not decide([SuitePassed("quality")], [evidence("quality", started_at=NOW + HOUR)], ageless).approved


@pytest.mark.parametrize("criterion", [YES, MetricHolds("quality", "auc", 0.8), SuitePassed("unit")])
@pytest.mark.parametrize(
    "against",
    [
        evidence("quality", Outcome.PASSED, Outcome.FAILED, auc=0.9),
        evidence("quality", Outcome.BROKEN, auc=0.9),
        evidence("quality", auc=0.9, incomplete="killed"),
        evidence("quality", cases=()),
    ],
)
def test_suite_that_failed_or_broke_closes_the_gate_whatever_the_criteria_ask(criterion, against):
    unit = evidence("unit", kind="code")

    assert not decide([criterion], [unit, against], CANDIDATE).approved


def test_suite_that_no_criterion_names_may_be_inconclusive_or_skipped():
    others = [evidence("slices", Outcome.INCONCLUSIVE), evidence("unchanged", Outcome.SKIPPED)]

    assert decide([SuitePassed("quality")], [evidence("quality"), *others], CANDIDATE).approved


def test_two_suites_of_one_name_close_the_gate_also_where_both_passed():
    twice = [evidence("quality", auc=0.9), evidence("quality", auc=0.8)]

    for criterion in (SuitePassed("quality"), MetricHolds("quality", "auc", 0.8), YES):
        decision = decide([criterion], twice, CANDIDATE)
        assert not decision.approved
        assert "2 suites have this name" in decision.reasons[0]


def test_refusal_of_an_earlier_gate_does_not_keep_the_gate_closed():
    refused = evidence("gate", Outcome.FAILED, kind="gate")

    assert decide([SuitePassed("quality")], [evidence("quality"), refused], CANDIDATE).approved
    assert not decide([SuitePassed("gate")], [evidence("quality"), evidence("gate", kind="gate")], CANDIDATE).approved


@pytest.mark.parametrize(
    "bounds, value, holds",
    [
        ({"minimum": 0.8}, 0.8, True),
        ({"minimum": 0.8}, math.nextafter(0.8, 0), False),
        ({"maximum": 0.8}, 0.8, True),
        ({"maximum": 0.8}, math.nextafter(0.8, 1), False),
        ({"minimum": 0.7, "maximum": 0.8}, 0.75, True),
        ({"minimum": 0.7, "maximum": 0.8}, 0.85, False),
        ({"minimum": 0}, 0.0, True),
        ({"minimum": 0.8}, None, False),
        ({"maximum": 0.8}, None, False),
        ({"minimum": 0.8}, math.inf, False),
        ({"maximum": 0.8}, -math.inf, False),
    ],
)
def test_metric_holds_within_its_bounds_and_not_where_it_was_not_measured(bounds, value, holds):
    criterion = MetricHolds("quality", "auc", **bounds)

    assert criterion.judge([evidence("quality", auc=value)], CANDIDATE).holds is holds


def test_finding_of_a_metric_shows_a_difference_however_small():
    finding = MetricHolds("quality", "auc", 0.8).judge([evidence("quality", auc=math.nextafter(0.8, 0))], CANDIDATE)

    assert (finding.seen, finding.wanted) == ("0.7999999999999999", "at least 0.8")


def test_metric_of_a_suite_that_is_missing_does_not_hold():
    finding = MetricHolds("quality", "auc", 0.8, 0.9).judge([], CANDIDATE)

    assert finding == Finding(
        criterion="quality: auc", holds=False, seen="missing; there is nothing", wanted="at least 0.8 and at most 0.9"
    )


@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_nan_is_within_no_bounds(bound, lower):
    criterion = MetricHolds("quality", "auc", **{"minimum" if lower else "maximum": bound})
    finding = criterion.judge([evidence("quality", auc=math.nan)], CANDIDATE)

    assert (finding.holds, finding.seen) == (False, "not measured")


@pytest.mark.parametrize("bounds", [{}, {"minimum": math.nan}, {"maximum": math.nan}, {"minimum": -math.inf}])
def test_metric_criterion_that_asks_for_nothing_is_refused_when_it_is_written(bounds):
    with pytest.raises(ConfigurationError, match="asks for nothing: give a finite minimum"):
        MetricHolds("quality", "auc", **bounds)


def test_criterion_of_a_users_own_counts_as_any_other():
    no = Own(Finding(criterion="own", holds=False, seen="red", wanted="green"))

    assert decide([SuitePassed("quality"), YES], [evidence()], CANDIDATE).approved
    assert only_reason(decide([SuitePassed("quality"), no], [evidence()], CANDIDATE)) == "own: red (wanted green)"


def test_criterion_sees_the_evidence_and_the_candidate():
    @dataclass(frozen=True)
    class Newer:
        def judge(self, evidence, candidate):
            holds = int(candidate.version) > int(candidate.champion) and evidence[0].suite.name == "quality"
            return Finding(criterion="newer", holds=holds, seen=candidate.version, wanted="above the champion")

    assert decide([Newer()], [evidence()], CANDIDATE).approved
    assert not decide([Newer()], [evidence()], replace(CANDIDATE, champion="4")).approved
    assert "TypeError" in only_reason(decide([Newer()], [evidence()], replace(CANDIDATE, champion=None)))


def test_criterion_that_raises_does_not_hold_and_its_error_is_told():
    assert (
        only_reason(decide([SuitePassed("quality"), Own(ZeroDivisionError("no rows"))], [evidence()], CANDIDATE))
        == "Own: ZeroDivisionError: no rows (wanted an answer)"
    )


@pytest.mark.parametrize("answer", [None, True, "yes", 1])
def test_criterion_that_answers_with_no_finding_does_not_hold(answer):
    assert "AttributeError" in only_reason(decide([SuitePassed("quality"), Own(answer)], [evidence()], CANDIDATE))


@pytest.mark.parametrize("holds", [math.nan, "yes", None, [True], np.bool_(False), np.array([True, True])])
def test_answer_that_is_not_a_plain_yes_is_a_no(holds):
    own = Own(Finding(criterion="own", holds=holds, seen="it", wanted="that"))
    decision = decide([SuitePassed("quality"), own], [evidence()], CANDIDATE)

    assert only_reason(decision)
    assert json.loads(json.dumps(decision.to_dict(), allow_nan=False)) == decision.to_dict()


def test_numpys_yes_is_a_yes_and_the_decision_is_still_json():
    own = Own(Finding(criterion="own", holds=np.float64(0.9) > 0.8, seen=np.float64(0.9), wanted=0.8))
    decision = decide([own], [evidence()], CANDIDATE)

    assert decision.approved
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict(), allow_nan=False))) == decision


# Everything that must close the gate, beside criteria that would otherwise hold.

DATA = "sha256:" + "d" * 64
ABOUT_DATA = SUBJECT | {"data_digest": DATA}
CHAMPION = {"quality": {"data_digest": DATA, "metrics": {"auc": 0.85, "zero": 0.0, "loss": 0.3}}}
COMPARED = replace(CANDIDATE, champion_figures=CHAMPION, subject={"commit": "abc", "data_digest": DATA})
CRITERIA = (
    SuitePassed("unit"),
    SuitePassed("quality"),
    MetricHolds("quality", "auc", minimum=0.8),
    MetricAgainstChampion(suite="quality", metric="auc", max_drop=0.01),
)


def unit(**more):
    return evidence("unit", **{"kind": "code", "subject": {"commit": "abc"}, **more})


def quality(*outcomes, **more):
    return evidence("quality", *outcomes, **{"auc": 0.9, "subject": ABOUT_DATA, **more})


def champion(**figures):
    return {"champion_figures": {"quality": {**CHAMPION["quality"], **figures}}}


def test_version_is_approved_when_the_whole_table_below_is_left_out():
    decision = decide(CRITERIA, [unit(), quality()], COMPARED)

    assert decision.reasons == ()
    assert decision.approved
    assert decision.subject == {"commit": "abc", "data_digest": DATA}
    assert decision.findings[3] == Finding(
        criterion="quality: auc against the champion",
        holds=True,
        seen="0.9; version 2 has 0.85",
        wanted="at most 0.01 below the champion's, on the same data",
    )


@pytest.mark.parametrize(
    "pieces, said",
    [
        pytest.param([unit()], "suite quality: missing; there is unit", id="a suite is missing"),
        pytest.param([], "evidence: none", id="there is no evidence"),
        pytest.param([unit(), quality(), quality()], "2 suites have this name", id="a suite is there twice"),
        pytest.param([unit(), quality(incomplete="killed")], "incomplete: killed", id="a suite is incomplete"),
        pytest.param([unit(), quality(cases=())], "nothing ran", id="nothing ran"),
        pytest.param([unit(), quality(Outcome.SKIPPED)], "skipped (1 skipped)", id="all was skipped"),
        pytest.param([unit(), quality(Outcome.INCONCLUSIVE)], "inconclusive", id="the data cannot tell"),
        pytest.param([unit(), quality(Outcome.BROKEN)], "broken", id="it could not be judged"),
        pytest.param([unit(), quality(Outcome.PASSED, Outcome.FAILED)], "1 failed", id="one case failed"),
        pytest.param([unit(), quality(auc=None)], "not measured", id="the metric is missing"),
        pytest.param([unit(), quality(auc=math.nan)], "not measured", id="the metric is NaN"),
        pytest.param([unit(), quality(auc=np.float32("nan"))], "not measured", id="the metric is numpy's NaN"),
        pytest.param([unit(), quality(auc=math.inf)], "not measured", id="the metric is infinite"),
        pytest.param([unit(), quality(auc="0.9")], "TypeError", id="the metric is a text"),
        pytest.param([unit(), quality(auc=np.array([0.9, 0.9]))], "TypeError", id="the metric is several"),
        pytest.param([unit(), quality(auc=0.83)], "0.83; version 2 has 0.85", id="the champion is better"),
        pytest.param([unit(), quality(subject={})], "it tested model unknown", id="nobody knows of which model"),
        pytest.param([unit(), quality(subject=ABOUT_DATA | {"model": "x"})], "model x, not churn", id="another model"),
        pytest.param(
            [unit(), quality(subject=ABOUT_DATA | {"version": "2"})], "version 2, not 3", id="another version"
        ),
        pytest.param(
            [unit(), quality(subject=ABOUT_DATA | {"version": 3})], "version 3, not 3", id="no version's text"
        ),
        pytest.param([unit(), quality(subject=ABOUT_DATA | {"model_digest": "x"})], "digest x", id="other artifacts"),
        pytest.param([unit(subject={"commit": "def"}), quality()], "commit def, not abc", id="another commit"),
        pytest.param([unit(subject={}), quality()], "commit: unknown (wanted abc)", id="nobody knows the commit"),
        pytest.param(
            [unit(), quality(subject=ABOUT_DATA | {"commit": "def"})], "commit: abc, def (wanted abc)", id="two commits"
        ),
        pytest.param([unit(), quality(subject=ABOUT_DATA | {"data_digest": "x"})], "digest x, not", id="other data"),
        pytest.param([unit(), quality(subject=SUBJECT)], "data_digest: unknown", id="nobody knows the data"),
        pytest.param([unit(), quality(started_at=NOW - 2 * HOUR)], "stale", id="too old"),
        pytest.param([unit(started_at=NOW - 2 * HOUR), quality()], "stale", id="another is too old"),
        pytest.param([unit(), quality(started_at=NOW + HOUR)], "in the future", id="from the future"),
        pytest.param([unit(), quality(started_at=NOW.replace(tzinfo=None))], "no time zone", id="no time zone"),
        pytest.param([unit(), quality(duration_s=1e300)], "took 1e+300 s", id="an absurd duration"),
        pytest.param([unit(), quality(duration_s=math.nan)], "took nan s", id="a duration of NaN"),
        pytest.param([unit(), quality(duration_s=-1e300)], "took -1e+300 s", id="a duration below nothing"),
        pytest.param([unit(), quality(doubt="altered")], "suite quality: altered", id="an altered report"),
        pytest.param([unit(), quality(), evidence("x", doubt="altered")], "suite x: altered", id="another is altered"),
        pytest.param([unit(), quality(), evidence("x", Outcome.FAILED)], "suite x: failed", id="another failed"),
        pytest.param(
            [unit(), quality(), evidence("x", subject={})], "suite x: it tested", id="another is of a stranger"
        ),
        pytest.param([unit(), quality(kind="gate")], "suite quality: missing", id="only a gate says so"),
        pytest.param(
            [unit(), shards("quality", {"auc": 0.9, "subject": ABOUT_DATA}, {"subject": SUBJECT | {"version": "2"}})],
            "quality[1]: it tested version 2",
            id="a shard of another version",
        ),
        pytest.param(
            [shards("unit", *({"kind": "code", "subject": {"commit": commit}} for commit in ("abc", "d"))), quality()],
            "unit[1]: it tested commit d, not abc",
            id="a shard of another commit",
        ),
        pytest.param(
            [shards("unit", {"kind": "code"}, {"kind": "code", "started_at": NOW - 2 * HOUR}), quality()],
            "unit[1]: stale",
            id="a shard that is too old",
        ),
    ],
)
def test_gate_stays_closed_when(pieces, said):
    decision = decide(CRITERIA, pieces, COMPARED)

    assert not decision.approved
    assert any(said in reason for reason in decision.reasons), decision.reasons
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict(), allow_nan=False))) == decision


@pytest.mark.parametrize(
    "change, said",
    [
        ({"champion_figures": {}}, "no gate has left figures of quality on version 2"),
        ({"champion_figures": {"quality": 0.85}}, "no gate has left figures"),
        ({"champion_figures": {"quality": {"data_digest": DATA}}}, "no gate has left figures"),
        ({"champion_figures": {"quality": {"data_digest": DATA, "metrics": [0.85]}}}, "no gate has left figures"),
        (champion(data_digest="sha256:x"), "measured on other data: measure both here, as the check NotWorseThan"),
        (champion(data_digest=None), "measured on other data"),
        (champion(metrics={}), "version 2 has no auc"),
        (champion(metrics={"auc": math.nan}), "version 2 has no auc"),
        (champion(metrics={"auc": -math.inf}), "version 2 has no auc"),
        (champion(metrics={"auc": None}), "version 2 has no auc"),
        (champion(metrics={"auc": "0.1"}), "version 2 has no auc"),
        (champion(metrics={"auc": False}), "version 2 has no auc"),
        (champion(metrics={"auc": 10**400}), "OverflowError"),
    ],
)
def test_champion_of_whom_nothing_comparable_is_known_closes_the_gate(change, said):
    assert said in only_reason(decide(CRITERIA, [unit(), quality()], replace(COMPARED, **change)))


@pytest.mark.parametrize("figures", [{}, CHAMPION])
def test_first_release_has_no_champion_to_be_worse_than_and_must_be_measured_all_the_same(figures):
    first = replace(COMPARED, champion=None, champion_figures=figures)
    decision = decide(CRITERIA, [unit(), quality()], first)

    assert decision.approved
    assert decision.findings[3].seen == "0.9; no champion"
    assert not decide(CRITERIA[:2] + CRITERIA[3:], [unit(), quality(auc=math.nan)], first).approved


@pytest.mark.parametrize(
    "bound, mine, theirs, holds",
    [
        ({"max_drop": 0.1}, 0.3, 0.4, True),  # in binary, 0.4 - 0.1 is above 0.3
        ({"max_drop": 0.1}, math.nextafter(0.3, 0), 0.4, False),
        ({"max_rise": 0.1}, 0.3, 0.2, True),
        ({"max_rise": 0.05}, 0.15, 0.1, True),
        ({"max_rise": 0.1}, math.nextafter(0.3, 1), 0.2, False),
        ({"max_drop": 0}, 0.4, 0.4, True),
        ({"max_drop": 0}, math.nextafter(0.4, 0), 0.4, False),
        ({"max_rise": 0}, 0.4, 0.4, True),
        ({"max_drop": 0.1}, -0.05, 0.0, True),
        ({"max_drop": 0.1}, -0.15, 0.0, False),
        ({"max_rise": 0.1}, -3.0, -3.1, True),
        ({"max_rise": 0.1}, -2.9, -3.1, False),
        ({"max_drop": 0.1}, 5.0, 0.0, True),
        ({"max_rise": 0.1}, -5.0, 0.0, True),
    ],
)
def test_metric_may_fall_or_rise_by_its_bound_and_no_further(bound, mine, theirs, holds):
    criterion = MetricAgainstChampion(suite="quality", metric="auc", **bound)
    finding = criterion.judge([quality(auc=mine)], replace(COMPARED, **champion(metrics={"auc": theirs})))

    assert finding.holds is holds


@pytest.mark.parametrize(
    "bounds",
    [{}, {"max_drop": 0.1, "max_rise": 0.1}, {"max_drop": -0.1}, {"max_rise": math.nan}, {"max_rise": math.inf}],
)
def test_comparison_that_compares_nothing_is_refused_when_it_is_written(bounds):
    with pytest.raises(ConfigurationError, match="compares nothing: give either max_drop or max_rise"):
        MetricAgainstChampion(suite="quality", metric="auc", **bounds)


def test_suites_of_two_commits_never_pass_together_also_where_nobody_asked_for_one():
    two = [unit(), evidence("lint", kind="code", subject={"commit": "def"})]

    assert only_reason(decide([SuitePassed("unit")], two, CANDIDATE)) == "commit: abc, def (wanted one for all suites)"


def test_shards_of_two_commits_never_pass_together_either():
    parts = ({"kind": "code", "subject": {"commit": commit}} for commit in ("abc", "def"))
    decision = decide([SuitePassed("unit")], [shards("unit", *parts)], CANDIDATE)

    assert only_reason(decision) == "commit: abc, def (wanted one for all suites)"
    assert decision.subject == {}


def test_case_that_passed_only_when_asked_again_counts_and_is_shown():
    flaky = evidence("unit", kind="code", cases=(Case(name="case", outcome=Outcome.PASSED, flaky=True),))
    decision = decide([SuitePassed("unit")], [flaky], CANDIDATE)

    assert decision.approved
    assert decision.findings[0].seen == "passed (1 passed, 1 flaky)"


def test_each_shard_is_named_in_the_evidence_with_its_own_report():
    parts = ({"kind": "code", "subject": {}, "started_at": NOW - HOUR / 4 * number} for number in (1, 2))
    decision = decide([SuitePassed("unit")], [shards("unit", *parts)], CANDIDATE)

    assert decision.approved
    assert decision.evidence == {
        "unit[0]": {"address": "/reports/unit@0.json", "digest": "sha256:unit0"},
        "unit[1]": {"address": "/reports/unit@1.json", "digest": "sha256:unit1"},
    }
    assert decision.expires_at == (NOW + HOUR / 2).isoformat()


def test_decision_holds_until_the_first_of_its_evidence_becomes_too_old():
    pieces = [unit(started_at=NOW - HOUR / 2, duration_s=600), quality(started_at=NOW - HOUR / 4)]
    decision = decide(CRITERIA, pieces, COMPARED)

    assert decision.approved
    assert decision.target == "churn@champion"
    assert decision.expires_at == (NOW + timedelta(minutes=40)).isoformat()
    assert not decide(CRITERIA, pieces, replace(COMPARED, now=NOW + timedelta(minutes=41))).approved
    assert decide(CRITERIA, pieces, replace(COMPARED, max_age=None)).expires_at == ""
    assert decide(CRITERIA, pieces, replace(COMPARED, max_age=timedelta.max)).expires_at == ""


def test_texts_of_a_decision_are_short_and_fit_into_any_database():
    long = Own(Finding(criterion="x\0\ud800" * 9000, holds=True, seen="y" * 90_000, wanted="z" * 90_000))
    decision = decide([long], [evidence("s" * 9000)], CANDIDATE)

    assert decision.approved
    assert len(json.dumps(decision.to_dict()["findings"])) < 20_000
    assert json.dumps(decision.to_dict(), ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(decision.to_dict())


# Algorithms of the gate, as properties.

pieces = st.builds(
    lambda name, outcomes, auc, kind, subject, age, incomplete: evidence(
        name, *outcomes, auc=auc, kind=kind, subject=subject, started_at=NOW - age * HOUR, incomplete=incomplete
    ),
    st.sampled_from(["quality", "unit", "slices"]),
    st.lists(st.sampled_from(Outcome), max_size=3),
    st.none() | st.floats(0.7, 0.9) | st.just(math.nan),
    st.sampled_from(["code", "model", "deployment", "gate"]),
    st.sampled_from([SUBJECT, SUBJECT, {}, SUBJECT | {"version": "2"}]),
    st.sampled_from([0.5, 0.5, 2]),
    st.sampled_from(["", "", "killed"]),
)
criteria = st.lists(
    st.sampled_from(
        [
            SuitePassed("quality"),
            SuitePassed("unit", accept_inconclusive=True),
            MetricHolds("quality", "auc", minimum=0.8),
            MetricHolds("slices", "auc", maximum=0.8),
            YES,
        ]
    ),
    max_size=3,
)


@given(criteria, st.lists(pieces, max_size=4).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_order_of_the_evidence_changes_nothing(criteria, orders):
    told = []
    for order in orders:
        # In the order of their names only, two suites of one name could still change places.
        numbered = [replace(piece, digest=str(orders[0].index(piece))) for piece in order]
        told.append(decide(criteria, numbered, CANDIDATE))

    assert told[0] == told[1]
    assert told[0].id == told[1].id


against = st.sampled_from(
    [
        lambda piece: replace(piece, suite=replace(piece.suite, cases=(Case(name="case", outcome=Outcome.FAILED),))),
        lambda piece: replace(piece, suite=replace(piece.suite, cases=(Case(name="case", outcome=Outcome.BROKEN),))),
        lambda piece: replace(piece, suite=replace(piece.suite, cases=())),
        lambda piece: replace(piece, suite=replace(piece.suite, incomplete="killed")),
        lambda piece: replace(piece, suite=replace(piece.suite, subject={"model": "other", "version": "3"})),
        lambda piece: replace(piece, suite=replace(piece.suite, started_at=NOW - 2 * HOUR)),
        lambda piece: replace(piece, doubt="altered"),
    ]
)


@given(criteria, st.lists(pieces, max_size=3), pieces, against)
def test_evidence_against_a_version_never_opens_a_closed_gate(criteria, found, piece, worsen):
    worse = worsen(replace(piece, suite=replace(piece.suite, kind="model")))

    assert not decide(criteria, [*found, worse], CANDIDATE).approved


@given(criteria, st.lists(pieces, min_size=1, max_size=3), st.data())
def test_evidence_that_is_shown_twice_never_opens_a_closed_gate(criteria, found, data):
    again = data.draw(st.sampled_from(found))
    before, after = (decide(criteria, shown, CANDIDATE) for shown in (found, [*found, again]))

    assert before.approved or not after.approved
    assert not after.approved or again.suite.kind == "gate"


@given(criteria, st.lists(pieces, max_size=3), pieces)
def test_evidence_opens_a_closed_gate_only_where_a_criterion_missed_it(criteria, found, piece):
    before, after = (decide(criteria, shown, CANDIDATE) for shown in (found, [*found, piece]))

    if after.approved and not before.approved:
        assert all("missing; there is" in reason or reason.startswith("evidence: none") for reason in before.reasons)


@given(criteria, criteria, st.lists(pieces, max_size=3))
def test_criterion_that_is_added_never_opens_a_closed_gate_and_one_that_is_removed_never_closes_an_open_one(
    some, more, found
):
    fewer, all_of_them = (decide(asked, found, CANDIDATE) for asked in (some, [*some, *more]))

    assert fewer.approved or not some or not all_of_them.approved


@given(criteria.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))), st.lists(pieces, max_size=3))
def test_order_of_the_criteria_changes_nothing_but_the_order_of_the_findings(orders, found):
    one, other = (decide(criteria, found, CANDIDATE) for criteria in orders)

    assert one.approved == other.approved
    assert sorted(map(str, one.findings)) == sorted(map(str, other.findings))
    assert replace(one, findings=other.findings) == other


@given(criteria, st.lists(pieces, max_size=3), st.timedeltas(timedelta(0), 3 * HOUR))
def test_waiting_never_opens_a_closed_gate_and_closes_an_open_one_when_the_decision_says_so(criteria, found, wait):
    now, later = (decide(criteria, found, replace(CANDIDATE, now=NOW + passed)) for passed in (timedelta(0), wait))

    assert now.approved or not later.approved
    if now.approved:
        assert later.approved == ((NOW + wait).isoformat() <= now.expires_at)


@given(criteria, st.lists(pieces, max_size=3))
def test_approval_means_that_nothing_at_all_speaks_against_the_version(criteria, found):
    decision = decide(criteria, found, CANDIDATE)
    shown = [piece.suite for piece in found if piece.suite.kind != "gate"]

    assert decision.approved == (not decision.reasons)
    if decision.approved:
        assert criteria
        assert shown
        assert {suite.name for suite in shown} == decision.evidence.keys()
        assert len(shown) == len(decision.evidence)
        for suite in shown:
            assert suite.outcome not in {Outcome.FAILED, Outcome.BROKEN}
            assert NOW - suite.started_at <= HOUR
            assert suite.kind == "code" or suite.subject == SUBJECT


@given(criteria, st.lists(pieces, max_size=3))
def test_decision_survives_json(criteria, found):
    decision = decide(criteria, found, CANDIDATE)
    read = Decision.from_dict(json.loads(json.dumps(decision.to_dict(), allow_nan=False)))

    assert read == decision
    assert read.id == decision.id
