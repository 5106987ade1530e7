import json
import runpy
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.moving import Promotion
from airflow_mltest.core.rollback import Retreat, retreat, roll_back

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


def test_rollback_that_was_killed_at_any_step_is_completed_by_a_retry(new_registry, mortal):
    def registry():
        registry = new_registry()
        for number in range(1, 4):
            registry.register(MODEL, f"artifacts {number}".encode())
        kit.release(registry, "1", "2", "3")
        return registry

    def back(registry):
        return kit.rolled_back(registry, "2")

    killed = list(kit.deaths(mortal, registry, back))
    assert [at(shared) for shared in killed] == ["3"] * (len(killed) - 2) + ["2"] * 2
    assert len(killed) >= 15
    for shared in killed:
        assert back(shared).version == "2"
        assert at(shared) == "2"
        assert kit.rolled_back(shared).version == "1"


def test_rollback_goes_back_one_step_a_time_to_the_first_release(registry):
    kit.release(registry, "1", "2", "3")

    assert kit.rolled_back(registry) == Promotion(model=MODEL, alias=ALIAS, version="2", replaced="3")
    assert kit.rolled_back(registry) == Promotion(model=MODEL, alias=ALIAS, version="1", replaced="2")
    with pytest.raises(PromotionRefusedError, match="at version 1, and nothing before it is recorded"):
        before(registry, ALIAS)


def test_rollback_does_not_go_back_and_forth_between_versions_that_took_turns(registry):
    kit.release(registry, "1", "2", "1", "2", "1")

    assert [kit.rolled_back(registry).version for _ in range(4)] == ["2", "1", "2", "1"]
    with pytest.raises(PromotionRefusedError, match="nothing before it"):
        before(registry, ALIAS)


def test_rollback_says_when_and_by_which_decision_the_version_had_come(registry):
    kit.release(registry, "1")
    decision, before = kit.decision_on(registry, "2"), datetime.now(UTC)
    kit.promoted(registry, decision)
    kit.rolled_back(registry)
    tags = registry.tags(MODEL, "2")

    assert tags["mltest.champion.rolled_back"] == decision.id
    assert before <= datetime.fromisoformat(tags["mltest.champion.rolled_back_at"]) <= datetime.now(UTC)
    assert "mltest.champion.rolled_back" not in registry.tags(MODEL, "1")


def test_repeated_rollback_to_a_version_goes_no_further(registry):
    kit.release(registry, "1", "2", "3")
    for replaced in ("3", None):
        promotion = kit.rolled_back(registry, "2")
        assert promotion == Promotion(model=MODEL, alias=ALIAS, version="2", replaced=replaced)

    assert at(registry) == "2"


def test_rollback_to_a_version_further_back_forgets_those_between(registry):
    kit.release(registry, "1", "2", "3", "4")
    kit.rolled_back(registry, "2")

    assert kit.rolled_back(registry).version == "1"


def test_rollback_to_a_version_that_was_never_there_can_itself_be_followed_by_one(registry):
    kit.release(registry, "1", "2")
    kit.rolled_back(registry, "5")

    assert kit.rolled_back(registry).version == "1"


def test_rollback_to_a_version_that_does_not_exist_is_refused(registry):
    kit.release(registry, "1")
    with pytest.raises(PromotionRefusedError, match="churn has no version 99: churn@champion stays where it is"):
        kit.rolled_back(registry, "99")

    assert at(registry) == "1"


def test_rollback_where_the_alias_points_nowhere_needs_a_name(registry):
    with pytest.raises(PromotionRefusedError, match="points nowhere: there is nothing to go back to; name a version"):
        before(registry, ALIAS)

    assert kit.rolled_back(registry, "2").replaced is None
    assert at(registry) == "2"


def test_version_that_got_the_alias_by_hand_has_nothing_before_it(registry):
    kit.release(registry, "1")
    registry.point(MODEL, ALIAS, "4")

    with pytest.raises(PromotionRefusedError, match="at version 4, and nothing before it is recorded"):
        before(registry, ALIAS)


def test_rollback_from_a_version_that_got_the_alias_by_hand_can_be_named(registry):
    kit.release(registry, "1", "2")
    registry.point(MODEL, ALIAS, "4")
    kit.rolled_back(registry, "2")

    assert at(registry) == "2"


@given(data=st.data())
def test_rollbacks_retrace_the_promotions_in_any_order_of_both(new_registry, data):
    registry, expected = new_registry(), []
    versions = [registry.register(MODEL, f"artifacts {number}".encode()) for number in range(4)]
    for number in range(data.draw(st.integers(1, 12))):
        if len(expected) > 1 and data.draw(st.booleans()):
            kit.rolled_back(registry)
            expected.pop()
        else:
            version = data.draw(st.sampled_from([version for version in versions if version != at(registry)]))
            kit.promoted(registry, kit.decision_on(registry, version, decided_at=str(number)), alias=ALIAS)
            expected.append(version)
        assert at(registry) == expected[-1]

    for version in reversed(expected[:-1]):
        assert kit.rolled_back(registry).version == version


def test_rollback_of_several_steps_forgets_and_spends_all_that_it_passes(registry):
    kit.release(registry, "1", "2")
    passed = [kit.decision_on(registry, "3")]
    kit.promoted(registry, passed[0])
    passed.append(kit.decision_on(registry, "4"))
    kit.promoted(registry, passed[1])

    assert kit.rolled_back(registry, "-2") == Promotion(model=MODEL, alias=ALIAS, version="2", replaced="4")
    for decision in passed:
        with pytest.raises(PromotionRefusedError, match="was rolled back from version"):
            kit.promoted(registry, decision)
    assert kit.told(registry, "3")["rolled_back"] == passed[0].id
    assert "rolled_back" not in kit.told(registry, "2")
    assert kit.rolled_back(registry).version == "1"


def test_steps_are_counted_also_where_a_version_was_there_more_than_once(registry):
    kit.release(registry, "1", "2", "1", "2", "3")

    assert kit.rolled_back(registry, "-3").version == "2"
    assert kit.rolled_back(registry).version == "1"
    with pytest.raises(PromotionRefusedError, match="nothing before it"):
        before(registry)


@pytest.mark.parametrize("to", ["-3", "-0", "-99"])
def test_more_steps_than_are_recorded_are_refused(registry, to):
    kit.release(registry, "1", "2", "3")
    with pytest.raises(PromotionRefusedError, match="at version 3, and 2 before it are recorded"):
        kit.rolled_back(registry, to)

    assert at(registry) == "3"


def test_rollback_that_was_meant_once_goes_no_further_however_often_it_is_tried(registry):
    kit.release(registry, "1", "2", "3")
    meant = retreat(registry, model=MODEL, alias=ALIAS)
    tries = [roll_back(registry, meant, who="one", pace=kit.FakeTime().pace()) for _ in range(3)]

    assert tries == [Promotion(model=MODEL, alias=ALIAS, version="2", replaced="3")] * 3
    assert before(registry) == "1"


def test_rollback_does_not_take_back_what_came_after_it_was_meant(registry):
    kit.release(registry, "1", "2")
    meant = retreat(registry, model=MODEL, alias=ALIAS)
    kit.release(registry, "3")
    with pytest.raises(
        PromotionRefusedError, match=r"points at 3, and no longer at 2, from where it was to go back to 1"
    ):
        roll_back(registry, meant, who="one", pace=kit.FakeTime().pace())

    assert (at(registry), kit.claims(registry)) == ("3", [])


def test_rollback_travels_as_json(registry):
    kit.release(registry, "1", "2")
    meant = retreat(registry, model=MODEL, alias=ALIAS)

    assert Retreat(**json.loads(json.dumps(asdict(meant)))) == meant


def test_rollback_goes_before_a_promotion_that_comes_at_the_same_time(registry):
    kit.release(registry, "1", "2")
    decision, time = kit.decision_on(registry, "3"), kit.FakeTime()
    registry.tag_model(MODEL, "mltest.champion.claim.promote.x", "waits")
    time.doing = [lambda: registry.tag_model(MODEL, "mltest.champion.claim.promote.x", None)]
    assert kit.rolled_back(registry, pace=time.pace()).version == "1"

    registry.tag_model(MODEL, "mltest.champion.claim.back.x", "is ahead")
    stood = []
    time.doing = [
        lambda: stood.append(kit.claims(registry)),
        lambda: registry.tag_model(MODEL, "mltest.champion.claim.back.x", None),
    ]
    with pytest.raises(PromotionRefusedError, match="points at 1, but version 3 was compared with 2"):
        kit.promoted(registry, decision, pace=time.pace())
    assert stood == [["mltest.champion.claim.back.x"]]


@pytest.mark.parametrize("carried_out", [False, True])
def test_fault_at_any_call_of_a_rollback_leaves_one_state_or_the_other_and_says_which(
    new_registry, faulty, carried_out
):
    for number in range(100):
        shared = new_registry()
        for version in range(1, 4):
            shared.register(MODEL, f"artifacts {version}".encode())
        kit.release(shared, "1", "2", "3")
        meant = retreat(shared, model=MODEL, alias=ALIAS, to="-2")
        disturbed = faulty(shared, number, carried_out=carried_out)
        said = kit.fault_of(roll_back, disturbed, meant, who="one", pace=kit.FakeTime().pace())
        assert not said or kit.told_as_it_is(said, "1", moved=at(shared) == "1")
        assert at(shared) in {"1", "3"}
        assert roll_back(shared, meant, who="one", pace=kit.FakeTime().pace()).version == at(shared) == "1"
        assert kit.claims(shared) == []
        if number >= len(disturbed.calls):
            break
    assert number >= 19
