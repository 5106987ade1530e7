import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.moving import Promotion
from airflow_mltest.core.rollback import retreat, roll_back

kit = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "releases.py")))
DEV, PROD = kit.MODEL, "churn-prod"


@pytest.fixture
def new_pair(new_registry):
    """Make registries in which `churn` has three versions, and the model to copy to has none yet."""

    def make():
        registry = new_registry()
        for number in range(1, 4):
            registry.register(DEV, f"artifacts {number}".encode())
        return registry

    return make


@pytest.fixture
def released(new_pair):
    """Make registries in which version 1 is the champion of the other model."""

    def make():
        registry = new_pair()
        copied(registry, decision_on(registry, "1", champion=None))
        return registry

    return make


def decision_on(registry, version, **change):
    champion = change.pop("champion", "1")
    return kit.decision_on(registry, version, target=f"{PROD}@champion", champion=champion, **change)


def copied(registry, decision):
    return kit.promoted(registry, decision, copy_to=PROD)


def test_first_copy_makes_the_model_and_says_where_it_came_from(new_pair):
    registry = new_pair()
    decision = decision_on(registry, "2", champion=None)

    assert copied(registry, decision) == Promotion(model=PROD, alias="champion", version="1", replaced=None)
    assert kit.at(registry, PROD) == "1"
    assert registry.digest(PROD, "1") == registry.digest(DEV, "2")
    assert registry.tags(PROD, "1")["mltest.copy.of"] == "models:/churn/2"
    assert kit.told(registry, "1", PROD).keys() >= set(kit.COMPLETE)
    assert kit.told(registry, "2")["copied_to"] == "models:/churn-prod/1"
    assert kit.at(registry, DEV) is None


def test_next_copy_replaces_the_one_before_and_is_rolled_back_to_it(released):
    registry = released()

    assert copied(registry, decision_on(registry, "3")).replaced == "1"
    meant = retreat(registry, model=PROD, alias="champion")
    assert roll_back(registry, meant, who="one", pace=kit.FakeTime().pace()).version == "1"


def test_decision_for_the_model_itself_is_no_decision_for_a_copy(new_pair):
    registry = new_pair()
    with pytest.raises(PromotionRefusedError, match="judged for churn@champion, not for churn-prod@champion"):
        copied(registry, kit.decision_on(registry, "1"))

    assert registry.versions(PROD) == []


@pytest.mark.parametrize(
    "change, said",
    [
        ({"champion": None}, "points at 1, but version 3 was compared with nothing"),
        ({"expires_at": "2026-01-01T00:00:00+00:00"}, "counted until"),
        ({"digest": "sha256:0"}, "other artifacts"),
    ],
)
def test_decision_that_does_not_stand_leaves_no_copy(released, change, said):
    registry = released()
    with pytest.raises(PromotionRefusedError, match=said):
        copied(registry, decision_on(registry, "3", **change))

    assert registry.versions(PROD) == ["1"]


def test_copy_that_is_not_what_was_judged_is_refused(released):
    registry = released()
    decision = decision_on(registry, "3")
    version = registry.copy(DEV, "3", PROD, {
        "mltest.copy.of": "models:/churn/3",
        "mltest.copy.digest": decision.digest,
        "mltest.copy.decision": decision.id,
    })  # fmt: skip
    registry.overwrite(PROD, version, b"something else")

    with pytest.raises(PromotionRefusedError, match=f"{PROD} version 2 has other artifacts"):
        copied(registry, decision)
    assert kit.at(registry, PROD) == "1"


def test_decision_that_was_rolled_back_copies_nothing_again(released):
    registry = released()
    decision = decision_on(registry, "3")
    copied(registry, decision)
    meant = retreat(registry, model=PROD, alias="champion")
    roll_back(registry, meant, who="one", pace=kit.FakeTime().pace())

    with pytest.raises(PromotionRefusedError, match="was rolled back from version 2 since"):
        copied(registry, decision)
    assert registry.versions(PROD) == ["2", "1"]


def test_copy_that_was_killed_at_any_step_is_completed_by_a_retry_and_made_once(released, mortal):
    decision = decision_on(released(), "3")
    killed = list(kit.deaths(mortal, released, lambda registry: copied(registry, decision)))

    assert [kit.at(shared, PROD) for shared in killed] == ["1"] * (len(killed) - 2) + ["2"] * 2
    assert len(killed) >= 20
    for shared in killed:
        assert copied(shared, decision) == Promotion(model=PROD, alias="champion", version="2", replaced="1")
        assert shared.versions(PROD) == ["2", "1"]
        assert kit.claims(shared, PROD) == []
        assert kit.told(shared, "2", PROD).keys() >= set(kit.COMPLETE)


@pytest.mark.parametrize("carried_out", [False, True])
def test_fault_at_any_call_of_a_copy_leaves_one_state_or_the_other_and_says_which(released, faulty, carried_out):
    decision = decision_on(released(), "3")
    for number in range(100):
        shared = released()
        disturbed = faulty(shared, number, carried_out=carried_out)
        said = kit.fault_of(copied, disturbed, decision)
        assert not said or kit.told_as_it_is(said, "2", moved=kit.at(shared, PROD) == "2")
        assert copied(shared, decision).version == "2"
        assert shared.versions(PROD) == ["2", "1"]
        if number >= len(disturbed.calls):
            break
    assert number >= 20


def test_copy_has_what_was_measured_so_that_the_next_candidate_can_be_compared_with_it(new_pair):
    registry = new_pair()
    registry.tag(DEV, "2", {"mltest.gate.metrics": '{"model": {}}', "mltest.gate": "approved"})
    copied(registry, decision_on(registry, "2", champion=None))

    tags = registry.tags(PROD, "1")
    assert tags["mltest.gate.metrics"] == '{"model": {}}'
    assert "mltest.gate" not in tags
