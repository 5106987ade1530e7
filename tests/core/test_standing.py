import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.decision import Decision, Finding
from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.standing import Approval, must_be_fresh, must_be_unaltered, must_stand

kit = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "releases.py")))
NOW = datetime.now(UTC)
YES = {
    "chosen_options": ["Approve"],
    "params_input": {},
    "responded_at": NOW,
    "responded_by_user": {"id": "ada", "name": "Ada Lovelace"},
}


def decision(**change):
    finding = Finding(criterion="suite quality", holds=True, seen="passed", wanted="passed")
    fields = {"model": "churn", "version": "3", "digest": "sha256:a", "champion": "2", "approved": True}
    fields |= {"findings": (finding,), "target": kit.TARGET, "decided_at": NOW.isoformat()}
    return Decision(**{**fields, **change})


def test_yes_of_a_person_is_read_with_its_name_and_its_time():
    assert Approval.of(YES) == Approval(by="Ada Lovelace (ada)", at=NOW)
    assert Approval.of({**YES, "responded_at": NOW.isoformat()}).at == NOW
    assert Approval.of({**YES, "responded_by_user": {"id": "7"}}).by == "somebody (7)"


@pytest.mark.parametrize(
    "answer, said",
    [
        (None, "nobody has approved it"),
        ("", "nobody has approved it"),
        ("None", "nobody has approved it"),
        ([], "nobody has approved it"),
        ({}, "the answer was None"),
        ({**YES, "chosen_options": ["Reject"]}, r"the answer was \['Reject'\]"),
        ({**YES, "chosen_options": ["Approve", "Reject"]}, "nobody has approved it"),
        ({**YES, "chosen_options": "Approve"}, "nobody has approved it"),
        ({**YES, "chosen_options": []}, "nobody has approved it"),
        ({**YES, "responded_by_user": None}, "the request's default was taken when its time was up"),
        ({**YES, "responded_by_user": {}}, "default was taken"),
        ({**YES, "responded_by_user": {"id": "", "name": "x"}}, "default was taken"),
        ({**YES, "responded_by_user": "ada"}, "default was taken"),
        ({**YES, "responded_at": None}, "not known when Ada Lovelace"),
        ({**YES, "responded_at": "2026-01-01T00:00:00"}, "no time with a time zone"),
        ({**YES, "responded_at": "yesterday"}, "no time with a time zone"),
    ],
)
def test_anything_but_the_yes_of_a_person_is_refused(answer, said):
    with pytest.raises(PromotionRefusedError, match=said):
        Approval.of(answer)


def test_decision_stands_for_its_target_and_with_an_approval_that_came_after_it():
    must_stand(decision(), kit.TARGET, None)
    must_stand(decision(), kit.TARGET, Approval(by="Ada", at=NOW))
    must_be_fresh(decision())
    must_be_fresh(decision(expires_at=(NOW + timedelta(hours=1)).isoformat()))


@pytest.mark.parametrize(
    "change, target, approved_at, said",
    [
        ({"approved": False}, kit.TARGET, None, "was not approved"),
        ({}, "churn@shadow", None, "judged for churn@champion, not for churn@shadow"),
        ({}, "other@champion", None, "judged for churn@champion, not for other@champion"),
        ({"target": ""}, kit.TARGET, None, "judged for no alias"),
        ({}, kit.TARGET, NOW - timedelta(seconds=1), "before churn version 3 was judged"),
        ({"decided_at": ""}, kit.TARGET, NOW, "judged at an unknown time"),
        ({"decided_at": "2026-01-01T00:00:00"}, kit.TARGET, NOW, "have this decision approved"),
    ],
)
def test_decision_that_does_not_stand_is_refused(change, target, approved_at, said):
    approval = approved_at and Approval(by="Ada", at=approved_at)
    with pytest.raises(PromotionRefusedError, match=said):
        must_stand(decision(**change), target, approval)


@pytest.mark.parametrize(
    "expires_at", [NOW.isoformat(), "2999-01-01T00:00:00", "never"], ids=["just over", "without a zone", "no time"]
)
def test_evidence_that_is_too_old_or_has_no_known_age_is_refused(expires_at):
    with pytest.raises(PromotionRefusedError, match="counted until"):
        must_be_fresh(decision(expires_at=expires_at))


@pytest.mark.parametrize(
    "evidence, said",
    [
        ({}, "names no evidence"),
        ({"unit": {"address": "/a", "digest": "sha256:other"}}, "report of unit at /a was altered since it was judged"),
        ({"unit": {"address": "/gone", "digest": "sha256:a"}}, "report of unit at /gone is gone"),
        ({"unit": {"address": "", "digest": "sha256:a"}}, "report of unit at no address is gone"),
        ({"unit": {"address": "/a", "digest": ""}}, "was altered"),
        ({"unit": {"address": "/gone", "digest": ""}}, "is gone"),
        ({"unit": {"address": "/a"}}, "was altered"),
        ({"unit": {}}, "is gone"),
        ({"data": {"address": "/a", "digest": "sha256:a"}, "unit": {"address": "/gone"}}, "report of unit"),
    ],
)
def test_evidence_that_is_not_what_was_judged_is_refused(evidence, said):
    with pytest.raises(PromotionRefusedError, match=said):
        must_be_unaltered(evidence, {"/a": "sha256:a"}.get)


def test_evidence_that_is_what_was_judged_is_taken():
    must_be_unaltered({"unit": {"address": "/a", "digest": "sha256:a"}}, {"/a": "sha256:a"}.get)
