from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.criteria import Decision, Finding
from airflow_mltest.core.errors import ConfigurationError, PromotionRefusedError
from airflow_mltest.core.promotion import Promotion, promote, roll_back, version_before

MODEL, ALIAS = "churn", "champion"


@pytest.fixture
def registry(new_registry):
    """Five versions of a model, and an alias that points nowhere."""
    registry = new_registry()
    for number in range(1, 6):
        registry.register(MODEL, f"artifacts {number}".encode())
    return registry


def decision_on(registry, version, *, approved=True, **change):
    """Approve a version as a gate does, with the alias as it is now."""
    finding = Finding(
        criterion="suite quality", holds=approved, seen="passed" if approved else "failed", wanted="passed"
    )
    fields = {
        "model": MODEL,
        "version": version,
        "digest": registry.digest(MODEL, version),
        "champion": registry.version_of(MODEL, ALIAS),
        "approved": approved,
        "findings": (finding,),
        "decided_at": datetime.now(UTC).isoformat(),
    }
    return Decision(**{**fields, **change})


def release(registry, *versions):
    for version in versions:
        promote(registry, decision_on(registry, version), alias=ALIAS)


def step_back(registry):
    return roll_back(registry, model=MODEL, alias=ALIAS, to=version_before(registry, model=MODEL, alias=ALIAS))


def at(registry):
    return registry.version_of(MODEL, ALIAS)


def test_first_release_replaces_nothing(registry):
    promotion = promote(registry, decision_on(registry, "1"), alias=ALIAS)

    assert promotion == Promotion(model=MODEL, alias=ALIAS, version="1", replaced=None)
    assert at(registry) == "1"


def test_promotion_says_and_writes_what_it_replaced_why_and_when(registry):
    release(registry, "1")
    before, decision = datetime.now(UTC), decision_on(registry, "2")
    promotion = promote(registry, decision, alias=ALIAS)
    tags = registry.tags(MODEL, "2")

    assert promotion == Promotion(model=MODEL, alias=ALIAS, version="2", replaced="1")
    assert at(registry) == "2"
    assert tags["mltest.champion.replaced"] == "1"
    assert tags["mltest.champion.decision"] == decision.id
    assert before <= datetime.fromisoformat(tags["mltest.champion.promoted_at"]) <= datetime.now(UTC)
    assert all(isinstance(value, str) for value in tags.values())


def test_aliases_have_histories_of_their_own(registry):
    release(registry, "1", "2")
    for version, champion in (("3", None), ("4", "3")):
        promote(registry, decision_on(registry, version, champion=champion), alias="shadow")
    promote(registry, decision_on(registry, "4"), alias=ALIAS)

    assert version_before(registry, model=MODEL, alias="shadow") == "3"
    assert version_before(registry, model=MODEL, alias=ALIAS) == "2"


def test_repeated_promotion_changes_nothing_and_says_the_same(registry):
    release(registry, "1")
    decision = decision_on(registry, "2")
    once = promote(registry, decision, alias=ALIAS)
    tags = registry.tags(MODEL, "2")

    assert promote(registry, decision, alias=ALIAS) == once
    assert registry.tags(MODEL, "2") == tags


def test_version_that_somebody_has_promoted_by_hand_is_left_where_it_is(registry):
    release(registry, "1")
    decision = decision_on(registry, "2")
    registry.point(MODEL, ALIAS, "2")

    assert promote(registry, decision, alias=ALIAS).replaced is None
    assert at(registry) == "2"


def refusal(registry, decision, alias=ALIAS):
    """Have a promotion refused, and be sure that it has left no trace."""
    before = at(registry), [registry.tags(MODEL, version) for version in registry.versions(MODEL)]
    with pytest.raises(PromotionRefusedError) as caught:
        promote(registry, decision, alias=alias)
    assert before == (at(registry), [registry.tags(MODEL, version) for version in registry.versions(MODEL)])
    return str(caught.value)


def test_version_that_was_not_approved_is_refused_with_the_reasons(registry):
    said = refusal(registry, decision_on(registry, "1", approved=False))

    assert said == "churn version 1 was not approved: suite quality: failed (wanted passed)"


def test_version_whose_artifacts_were_overwritten_since_is_refused(registry):
    decision = decision_on(registry, "1")
    registry.overwrite(MODEL, "1", b"something else")

    assert "has other artifacts than those that were tested" in refusal(registry, decision)


def test_version_whose_artifacts_were_overwritten_is_not_called_promoted_either(registry):
    decision = decision_on(registry, "1")
    promote(registry, decision, alias=ALIAS)
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

    assert said in refusal(registry, decision_on(registry, "3", champion=seen))


def test_version_that_does_not_exist_is_refused(registry):
    decision = replace(decision_on(registry, "1"), version="99")

    with pytest.raises(ConfigurationError, match="99"):
        promote(registry, decision, alias=ALIAS)


def test_decision_that_was_rolled_back_is_spent_and_a_new_one_is_not(registry):
    release(registry, "1")
    decision = decision_on(registry, "2")
    promote(registry, decision, alias=ALIAS)
    step_back(registry)

    assert "was rolled back from version 2 since" in refusal(registry, decision)
    later = decision_on(registry, "2", decided_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    assert promote(registry, later, alias=ALIAS).replaced == "1"


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
    release(registry, "1")
    with pytest.raises(PromotionRefusedError, match="moved to 2, and somebody else has moved it to 5"):
        promote(Contested(registry, "5"), decision_on(registry, "2"), alias=ALIAS)


def deaths(mortal, registry, act):
    """Let *act* die at its first step, its second, ..., on a new registry each, and give each registry."""
    for steps in range(100):
        shared = registry()
        try:
            act(mortal(shared, steps))
        except mortal.death:
            yield shared
        else:
            return


def test_promotion_that_was_killed_at_any_step_is_completed_by_a_retry(new_registry, mortal):
    def registry():
        registry = new_registry()
        for number in range(1, 4):
            registry.register(MODEL, f"artifacts {number}".encode())
        release(registry, "1", "2")
        return registry

    decision = decision_on(registry(), "3")
    killed = list(deaths(mortal, registry, lambda registry: promote(registry, decision, alias=ALIAS)))
    assert [at(shared) for shared in killed] == ["2"] * (len(killed) - 1) + ["3"]
    assert len(killed) >= 7
    for shared in killed:
        # Nothing half-done is visible: whoever sees the alias moved sees what it replaced.
        if at(shared) == "3":
            assert version_before(shared, model=MODEL, alias=ALIAS) == "2"
        else:
            assert (at(shared), version_before(shared, model=MODEL, alias=ALIAS)) == ("2", "1")
        assert promote(shared, decision, alias=ALIAS).replaced == "2"
        assert [step_back(shared).version, step_back(shared).version] == ["2", "1"]


def test_rollback_that_was_killed_at_any_step_is_completed_by_a_retry(new_registry, mortal):
    def registry():
        registry = new_registry()
        for number in range(1, 4):
            registry.register(MODEL, f"artifacts {number}".encode())
        release(registry, "1", "2", "3")
        return registry

    def back(registry):
        return roll_back(registry, model=MODEL, alias=ALIAS, to="2")

    killed = list(deaths(mortal, registry, back))
    assert [at(shared) for shared in killed] == ["3"] * (len(killed) - 1) + ["2"]
    assert len(killed) >= 7
    for shared in killed:
        assert back(shared).version == "2"
        assert at(shared) == "2"
        assert step_back(shared).version == "1"


def test_rollback_goes_back_one_step_a_time_to_the_first_release(registry):
    release(registry, "1", "2", "3")

    assert step_back(registry) == Promotion(model=MODEL, alias=ALIAS, version="2", replaced="3")
    assert step_back(registry) == Promotion(model=MODEL, alias=ALIAS, version="1", replaced="2")
    with pytest.raises(PromotionRefusedError, match="at version 1, and nothing before it is recorded"):
        version_before(registry, model=MODEL, alias=ALIAS)


def test_rollback_does_not_go_back_and_forth_between_versions_that_took_turns(registry):
    release(registry, "1", "2", "1", "2", "1")

    assert [step_back(registry).version for _ in range(4)] == ["2", "1", "2", "1"]
    with pytest.raises(PromotionRefusedError, match="nothing before it"):
        version_before(registry, model=MODEL, alias=ALIAS)


def test_rollback_says_when_and_by_which_decision_the_version_had_come(registry):
    release(registry, "1")
    decision, before = decision_on(registry, "2"), datetime.now(UTC)
    promote(registry, decision, alias=ALIAS)
    step_back(registry)
    tags = registry.tags(MODEL, "2")

    assert tags["mltest.champion.rolled_back"] == decision.id
    assert before <= datetime.fromisoformat(tags["mltest.champion.rolled_back_at"]) <= datetime.now(UTC)
    assert "mltest.champion.rolled_back" not in registry.tags(MODEL, "1")


def test_repeated_rollback_to_a_version_goes_no_further(registry):
    release(registry, "1", "2", "3")
    for replaced in ("3", None):
        promotion = roll_back(registry, model=MODEL, alias=ALIAS, to="2")
        assert promotion == Promotion(model=MODEL, alias=ALIAS, version="2", replaced=replaced)

    assert at(registry) == "2"


def test_rollback_to_a_version_further_back_forgets_those_between(registry):
    release(registry, "1", "2", "3", "4")
    roll_back(registry, model=MODEL, alias=ALIAS, to="2")

    assert step_back(registry).version == "1"


def test_rollback_to_a_version_that_was_never_there_can_itself_be_followed_by_one(registry):
    release(registry, "1", "2")
    roll_back(registry, model=MODEL, alias=ALIAS, to="5")

    assert step_back(registry).version == "1"


def test_rollback_to_a_version_that_does_not_exist_is_refused(registry):
    release(registry, "1")
    with pytest.raises(PromotionRefusedError, match="churn has no version 99: churn@champion stays where it is"):
        roll_back(registry, model=MODEL, alias=ALIAS, to="99")

    assert at(registry) == "1"


def test_rollback_where_the_alias_points_nowhere_needs_a_name(registry):
    with pytest.raises(PromotionRefusedError, match="points nowhere: there is nothing to go back to; name a version"):
        version_before(registry, model=MODEL, alias=ALIAS)

    assert roll_back(registry, model=MODEL, alias=ALIAS, to="2").replaced is None
    assert at(registry) == "2"


def test_version_that_got_the_alias_by_hand_has_nothing_before_it(registry):
    release(registry, "1")
    registry.point(MODEL, ALIAS, "4")

    with pytest.raises(PromotionRefusedError, match="at version 4, and nothing before it is recorded"):
        version_before(registry, model=MODEL, alias=ALIAS)


def test_rollback_from_a_version_that_got_the_alias_by_hand_can_be_named(registry):
    release(registry, "1", "2")
    registry.point(MODEL, ALIAS, "4")
    roll_back(registry, model=MODEL, alias=ALIAS, to="2")

    assert at(registry) == "2"


@given(data=st.data())
def test_rollbacks_retrace_the_promotions_in_any_order_of_both(new_registry, data):
    registry, expected = new_registry(), []
    versions = [registry.register(MODEL, f"artifacts {number}".encode()) for number in range(4)]
    for number in range(data.draw(st.integers(1, 12))):
        if len(expected) > 1 and data.draw(st.booleans()):
            step_back(registry)
            expected.pop()
        else:
            version = data.draw(st.sampled_from([version for version in versions if version != at(registry)]))
            promote(registry, decision_on(registry, version, decided_at=str(number)), alias=ALIAS)
            expected.append(version)
        assert at(registry) == expected[-1]

    for version in reversed(expected[:-1]):
        assert step_back(registry).version == version
