from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.criteria import Candidate, Decision, Evidence, Finding, MetricHolds, SuitePassed, decide
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome, Suite

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CANDIDATE = Candidate(model="churn", version="3", digest="sha256:a", champion="2", now=NOW, max_age=timedelta(hours=1))
ABOUT = {"model": "churn", "version": "3", "model_digest": "sha256:a"}


def evidence(name="model", outcome=Outcome.PASSED, *, kind="model", auc=0.9, subject=ABOUT, **more):
    case = Case(name="c", outcome=outcome, measurements=(Measurement(name="auc", value=auc),))
    suite = Suite(
        name=name,
        kind=kind,
        cases=(case,),
        subject=subject,
        **{"started_at": NOW - timedelta(minutes=10), "duration_s": 5.0, **more},
    )
    return Evidence(suite=suite, address=f"/{name}", digest="sha256:e")


def approved(criteria, *pieces, candidate=CANDIDATE):
    return decide(criteria, pieces, candidate).approved


CRITERIA = [SuitePassed("model"), MetricHolds("model", "auc", minimum=0.8, maximum=0.95)]


def test_gate_opens_on_complete_fresh_passing_evidence():
    decision = decide(CRITERIA, [evidence()], CANDIDATE)

    assert decision.approved
    assert decision.reasons == ()
    assert [finding.seen for finding in decision.findings] == ["passed (1 passed)", "0.9"]
    assert decision.evidence == {"model": {"address": "/model", "digest": "sha256:e"}}


@pytest.mark.parametrize(
    "piece, reason",
    [
        (evidence(outcome=Outcome.FAILED), "failed"),
        (evidence(outcome=Outcome.BROKEN), "broken"),
        (evidence(outcome=Outcome.SKIPPED), "skipped"),
        (evidence(outcome=Outcome.INCONCLUSIVE), "inconclusive"),
        (evidence(incomplete="killed"), "incomplete: killed"),
        (evidence(auc=float("nan")), "not measured"),
        (evidence(auc=float("inf")), "not measured"),
        (evidence(auc=0.79), "0.79"),
        (evidence(auc=0.96), "0.96"),
        (evidence(subject={**ABOUT, "version": "2"}), "version 2, not 3"),
        (evidence(subject={**ABOUT, "model": "other"}), "model other"),
        (evidence(subject={**ABOUT, "model_digest": "sha256:b"}), "model_digest sha256:b"),
        (evidence(subject={}), "model unknown"),
        (evidence(started_at=NOW - timedelta(hours=2)), "stale"),
        (evidence(started_at=NOW + timedelta(hours=1)), "future"),
        (evidence(started_at=datetime(2026, 11, 23)), "no time zone"),  # noqa: DTZ001
        (evidence(name="other"), "missing"),
    ],
)
def test_gate_stays_closed_and_says_why(piece, reason):
    decision = decide(CRITERIA, [piece], CANDIDATE)

    assert not decision.approved
    assert reason in "; ".join(decision.reasons)


def test_gate_stays_closed_without_criteria_or_version_and_on_two_suites_of_one_name():
    assert not approved([], evidence())
    assert not approved(CRITERIA)
    assert not approved(CRITERIA, evidence(), evidence())
    assert not approved(CRITERIA, evidence(), candidate=replace(CANDIDATE, version=""))


def test_suite_that_no_criterion_names_may_not_speak_against_the_version():
    assert approved(CRITERIA, evidence(), evidence("unit", kind="code", subject={}))
    assert approved(CRITERIA, evidence(), evidence("unit", Outcome.INCONCLUSIVE, kind="code", subject={}))
    assert not approved(CRITERIA, evidence(), evidence("unit", Outcome.FAILED, kind="code", subject={}))
    assert not approved(CRITERIA, evidence(), evidence("latency", subject={**ABOUT, "version": "1"}))


def test_inconclusive_passes_where_the_criterion_accepts_it():
    assert approved([SuitePassed("model", accept_inconclusive=True)], evidence(outcome=Outcome.INCONCLUSIVE))


@dataclass(frozen=True)
class Own:
    answer: object

    def judge(self, evidence, candidate):
        if isinstance(self.answer, Exception):
            raise self.answer
        return Finding(criterion="own", holds=self.answer, seen="", wanted="")


@pytest.mark.parametrize("answer, opens", [(True, True), (False, False), (None, False), (OSError("gone"), False)])
def test_criterion_of_the_user_counts_and_one_that_raises_does_not_hold(answer, opens):
    decision = decide([*CRITERIA, Own(answer)], [evidence()], CANDIDATE)

    assert decision.approved is opens
    if isinstance(answer, OSError):
        assert "OSError: gone" in "; ".join(decision.reasons)


@pytest.mark.parametrize("bounds", [{}, {"minimum": float("nan")}, {"minimum": 0.1, "maximum": float("nan")}])
def test_metric_without_a_bound_that_is_a_number_is_refused(bounds):
    with pytest.raises(ConfigurationError, match="minimum or a maximum"):
        MetricHolds("model", "auc", **bounds)


outcomes = st.sampled_from([Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.INCONCLUSIVE, Outcome.SKIPPED])
pieces = st.builds(
    evidence,
    st.sampled_from(["model", "unit", "data"]),
    outcomes,
    kind=st.sampled_from(["model", "code", "data"]),
    auc=st.floats(),
    incomplete=st.sampled_from(["", "killed"]),
)


@given(st.lists(pieces, max_size=4), pieces)
def test_failing_evidence_never_opens_a_closed_gate(found, more):
    worse = replace(more, suite=replace(more.suite, cases=(Case(name="x", outcome=Outcome.FAILED),)))

    assert approved(CRITERIA, *found, worse) is False


@given(
    st.permutations(
        [evidence(), evidence("unit", kind="code", subject={}), evidence("data", Outcome.FAILED, kind="data")]
    )
)
def test_order_of_the_evidence_does_not_matter(found):
    decision = decide(CRITERIA, found, CANDIDATE)

    assert not decision.approved
    assert len(decision.reasons) == 1


def test_decision_comes_back_from_json_the_same_and_an_edited_approval_is_none():
    decision = decide(CRITERIA, [evidence()], CANDIDATE)
    refused = decide(CRITERIA, [], CANDIDATE)

    assert Decision.from_dict(decision.to_dict()) == decision
    assert Decision.from_dict(decision.to_dict()).id == decision.id != refused.id
    with pytest.raises(ConfigurationError, match="its findings do not"):
        Decision.from_dict({**refused.to_dict(), "approved": True})
    with pytest.raises(ConfigurationError, match="not a decision"):
        Decision.from_dict({"approved": True})
