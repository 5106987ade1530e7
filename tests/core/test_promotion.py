import runpy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.errors import ConfigurationError, PromotionRefusedError
from airflow_mltest.core.moving import Promotion
from airflow_mltest.core.rollback import retreat
from airflow_mltest.core.standing import Approval

kit = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "releases.py")))
MODEL, ALIAS, at = kit.MODEL, kit.ALIAS, kit.at


@pytest.fixture
def registry(new_registry):
    """Five versions of a model, and an alias that points nowhere."""
    registry = new_registry()
    for number in range(1, 6):
        registry.register(MODEL, f"artifacts {number}".encode())
    return registry


def before(registry, alias=ALIAS):
    return retreat(registry, model=MODEL, alias=alias).to


def test_first_release_replaces_nothing(registry):
    promotion = kit.promoted(registry, kit.decision_on(registry, "1"))

    assert promotion == Promotion(model=MODEL, alias=ALIAS, version="1", replaced=None)
    assert at(registry) == "1"


def test_promotion_says_and_writes_what_it_replaced_why_and_when(registry):
    kit.release(registry, "1")
    before, decision = datetime.now(UTC), kit.decision_on(registry, "2")
    promotion = kit.promoted(registry, decision)
    tags = registry.tags(MODEL, "2")

    assert promotion == Promotion(model=MODEL, alias=ALIAS, version="2", replaced="1")
    assert at(registry) == "2"
    assert tags["mltest.champion.replaced"] == "1"
    assert tags["mltest.champion.decision"] == decision.id
    assert before <= datetime.fromisoformat(tags["mltest.champion.promoted_at"]) <= datetime.now(UTC)
    assert all(isinstance(value, str) for value in tags.values())


def test_aliases_have_histories_of_their_own(registry):
    kit.release(registry, "1", "2")
    for version, champion in (("3", None), ("4", "3")):
        decision = kit.decision_on(registry, version, champion=champion, target="churn@shadow")
        kit.promoted(registry, decision, alias="shadow")
    kit.release(registry, "4")

    assert before(registry, "shadow") == "3"
    assert before(registry, ALIAS) == "2"


def test_repeated_promotion_changes_nothing_and_says_the_same(registry):
    kit.release(registry, "1")
    decision = kit.decision_on(registry, "2")
    once = kit.promoted(registry, decision)
    tags = registry.tags(MODEL, "2")

    assert kit.promoted(registry, decision) == once
    assert registry.tags(MODEL, "2") == tags


def test_version_that_somebody_has_promoted_by_hand_is_left_where_it_is(registry):
    kit.release(registry, "1")
    decision = kit.decision_on(registry, "2")
    registry.point(MODEL, ALIAS, "2")

    assert kit.promoted(registry, decision).replaced is None
    assert at(registry) == "2"


def refusal(registry, decision, **more):
    """Have a promotion refused, and be sure that it has left no trace."""

    def state():
        return at(registry), kit.claims(registry), [registry.tags(MODEL, v) for v in registry.versions(MODEL)]

    before = state()
    with pytest.raises(PromotionRefusedError) as caught:
        kit.promoted(registry, decision, **more)
    assert before == state()
    return str(caught.value)


def test_version_that_was_not_approved_is_refused_with_the_reasons(registry):
    said = refusal(registry, kit.decision_on(registry, "1", approved=False))

    assert said == "churn version 1 was not approved: suite quality: failed (wanted passed)"


def test_version_whose_artifacts_were_overwritten_since_is_refused(registry):
    decision = kit.decision_on(registry, "1")
    registry.overwrite(MODEL, "1", b"something else")

    assert "has other artifacts than those that were tested" in refusal(registry, decision)


def test_version_whose_artifacts_were_overwritten_is_not_called_promoted_either(registry):
    decision = kit.decision_on(registry, "1")
    kit.promoted(registry, decision)
    registry.overwrite(MODEL, "1", b"something else")

    assert "other artifacts" in refusal(registry, decision)


@pytest.mark.parametrize(
    "seen, now, said",
    [
        ("1", "2", "churn@champion points at 2, but version 3 was compared with 1"),
        (None, "2", "churn@champion points at 2, but version 3 was compared with nothing"),
        ("1", None, "churn@champion points at nothing, but version 3 was compared with 1"),
    ],
)
def test_version_that_was_compared_with_another_champion_is_refused(registry, seen, now, said):
    if now:
        registry.point(MODEL, ALIAS, now)

    assert said in refusal(registry, kit.decision_on(registry, "3", champion=seen))


def test_version_that_does_not_exist_is_refused(registry):
    decision = replace(kit.decision_on(registry, "1"), version="99")

    with pytest.raises(ConfigurationError, match="99"):
        kit.promoted(registry, decision)


def test_decision_that_was_rolled_back_is_spent_and_a_new_one_is_not(registry):
    kit.release(registry, "1")
    decision = kit.decision_on(registry, "2")
    kit.promoted(registry, decision)
    kit.rolled_back(registry)

    assert "was rolled back from version 2 since" in refusal(registry, decision)
    later = kit.decision_on(registry, "2", decided_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    assert kit.promoted(registry, later).replaced == "1"


class Contested:
    """A registry in which somebody else moves the alias right after us."""

    def __init__(self, registry, winner):
        self._registry, self._winner = registry, winner

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def point(self, model, alias, version):
        self._registry.point(model, alias, version)
        self._registry.point(model, alias, self._winner)


def test_promotion_that_lost_a_race_says_who_is_there(registry):
    kit.release(registry, "1")
    with pytest.raises(PromotionRefusedError, match="moved to 2, and somebody else has moved it to 5"):
        kit.promoted(Contested(registry, "5"), kit.decision_on(registry, "2"))


def test_loser_of_a_race_is_refused_once_the_winner_has_moved_the_alias(registry):
    kit.release(registry, "1")
    winner, loser = (kit.decision_on(registry, version) for version in ("2", "3"))
    registry.tag_model(MODEL, "mltest.champion.claim.a", "the winner's")

    def win():
        registry.tag_model(MODEL, "mltest.champion.claim.a", None)
        kit.promoted(registry, winner)

    time = kit.FakeTime(doing=[win])
    with pytest.raises(PromotionRefusedError, match="points at 2, but version 3 was compared with 1"):
        kit.promoted(registry, loser, pace=time.pace())
    assert (at(registry), kit.claims(registry)) == ("2", [])
    assert time.now_s == 1.0


def test_artifacts_that_were_overwritten_while_a_promotion_waited_are_noticed(registry):
    decision = kit.decision_on(registry, "1")
    registry.tag_model(MODEL, "mltest.champion.claim.a", "somebody else's")

    def change():
        registry.tag_model(MODEL, "mltest.champion.claim.a", None)
        registry.overwrite(MODEL, "1", b"something else")

    with pytest.raises(PromotionRefusedError, match="other artifacts"):
        kit.promoted(registry, decision, pace=kit.FakeTime(doing=[change]).pace())
    assert (at(registry), kit.claims(registry)) == (None, [])


def test_decision_for_another_alias_is_refused(registry):
    decision = kit.decision_on(registry, "1", target="churn@shadow")

    assert "was judged for churn@shadow, not for churn@champion" in refusal(registry, decision)


@pytest.mark.parametrize("expires_at", ["2026-01-01T00:00:00+00:00", "2999-01-01T00:00:00", "tomorrow"])
def test_decision_whose_evidence_is_too_old_by_now_is_refused(registry, expires_at):
    decision = kit.decision_on(registry, "1", expires_at=expires_at)

    assert f"counted until {expires_at}" in refusal(registry, decision)


def test_promotion_that_was_done_in_time_is_not_refused_when_it_is_repeated_late(registry):
    soon = (datetime.now(UTC) + timedelta(seconds=0.2)).isoformat()
    decision = kit.decision_on(registry, "1", expires_at=soon)
    once = kit.promoted(registry, decision)
    while datetime.now(UTC).isoformat() < soon:
        pass

    assert kit.promoted(registry, decision) == once


def test_decision_that_went_stale_while_it_waited_is_refused(registry):
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    decision = kit.decision_on(registry, "1", expires_at=soon.isoformat())
    registry.tag_model(MODEL, "mltest.champion.claim.a", "somebody else's")

    def pass_time():
        while datetime.now(UTC) < soon:
            pass
        registry.tag_model(MODEL, "mltest.champion.claim.a", None)

    with pytest.raises(PromotionRefusedError, match="counted until"):
        kit.promoted(registry, decision, pace=kit.FakeTime(doing=[pass_time]).pace())
    assert at(registry) is None


def test_approver_is_written_and_forgotten_by_the_next_promotion_without_one(registry):
    decision = kit.decision_on(registry, "1")
    approval = Approval(by="Ada (ada)", at=datetime.now(UTC))
    kit.promoted(registry, decision, approval=approval)
    assert kit.told(registry, "1")["approved_by"] == "Ada (ada)"
    assert kit.told(registry, "1")["approved_at"] == approval.at.isoformat()

    kit.release(registry, "2", "1")
    assert kit.told(registry, "1")["approved_by"] == kit.told(registry, "1")["approved_at"] == "none"


def test_huge_evidence_fits_into_a_tag(registry):
    report = {"address": f"/reports/{'x' * 400}.json", "digest": f"sha256:{'a' * 64}"}
    decision = kit.decision_on(registry, "1", evidence={f"suite {number}": report for number in range(1000)})
    kit.promoted(registry, decision)

    assert len(kit.told(registry, "1")["evidence"]) < 100_000
    assert kit.told(registry, "1")["decision"] == decision.id


def test_dead_promoters_decision_that_was_rolled_back_stays_spent_after_later_ones(registry):
    kit.release(registry, "1")
    first = kit.decision_on(registry, "2")
    kit.promoted(registry, first)
    kit.rolled_back(registry)
    kit.release(registry, "2")
    kit.rolled_back(registry)

    assert "was rolled back" in refusal(registry, first)
