import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.criteria import Candidate, Decision, Evidence, Finding, MetricHolds, SuitePassed, decide
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome, Suite

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIGEST = "sha256:" + "a" * 64
SUBJECT = {"model": "churn", "version": "3", "model_digest": DIGEST}
CANDIDATE = Candidate(model="churn", version="3", digest=DIGEST, champion="2", now=NOW, max_age=HOUR)


def evidence(name="quality", *outcomes, auc=None, kind="model", **more):
    """One suite: passed, about the candidate, half an hour old, unless told otherwise."""
    measurements = () if auc is None else (Measurement(name="auc", value=auc),)
    cases = tuple(
        Case(name=f"case {number}", outcome=outcome, measurements=measurements)
        for number, outcome in enumerate(outcomes or (Outcome.PASSED,))
    )
    more = {"subject": SUBJECT, "started_at": NOW - HOUR / 2, "cases": cases, **more}
    suite = Suite(name=name, kind=kind, **more)
    return Evidence(suite=suite, address=f"/reports/{name}.json", digest=f"sha256:{name}")


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


@given(criteria, st.lists(pieces, max_size=3), pieces, st.sampled_from([Outcome.FAILED, Outcome.BROKEN]))
def test_evidence_against_a_version_never_opens_a_closed_gate(criteria, found, piece, outcome):
    against = replace(piece, suite=replace(piece.suite, kind="model", cases=(Case(name="case", outcome=outcome),)))

    assert not decide(criteria, [*found, against], CANDIDATE).approved


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


# Decisions that were not made by a gate.


@pytest.fixture
def document():
    return decide([SuitePassed("quality")], [evidence()], CANDIDATE).to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"findings": None},
        {"findings": [{"criterion": "suite quality"}]},
        {"findings": ["passed"]},
        {"model": 7},
        {"version": 3},
        {"version": None},
        {"digest": None},
        {"decided_at": None},
        {"note": "more than it should hold"},
    ],
)
def test_document_of_another_shape_is_no_decision(document, change):
    with pytest.raises(ConfigurationError, match="not a decision of GateOperator, pass its output"):
        Decision.from_dict({**document, **change})


@pytest.mark.parametrize(
    "key", ["model", "version", "digest", "champion", "approved", "findings", "evidence", "decided_at"]
)
def test_document_that_lacks_a_field_is_no_decision(document, key):
    del document[key]

    with pytest.raises(ConfigurationError, match="not a decision"):
        Decision.from_dict(document)


@pytest.mark.parametrize("document", [None, "approved", [], {}, {"approved": True}, 1])
def test_anything_else_is_no_decision(document):
    with pytest.raises(ConfigurationError, match="not a decision"):
        Decision.from_dict(document)


@pytest.mark.parametrize("holds", [False, "yes", 1, None])
def test_approval_that_its_findings_do_not_bear_out_is_refused(document, holds):
    document["findings"][0]["holds"] = holds

    with pytest.raises(ConfigurationError, match="says approved, its findings do not"):
        Decision.from_dict(document)


def test_approval_without_findings_is_refused(document):
    with pytest.raises(ConfigurationError, match="its findings do not"):
        Decision.from_dict(document | {"findings": []})


def test_decisions_that_differ_in_anything_have_another_id(document):
    changes = [{}, {"version": "4"}, {"champion": None}, {"decided_at": "2026-03-01T12:00:01+00:00"}]

    assert len({Decision.from_dict(document | change).id for change in changes}) == len(changes)
