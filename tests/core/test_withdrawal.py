import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.errors import PromotionRefusedError
from airflow_mltest.core.moving import Promotion
from airflow_mltest.core.withdrawal import withdraw

kit = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "releases.py")))
MODEL, ALIAS, at = kit.MODEL, kit.ALIAS, kit.at
FIRST = Promotion(model=MODEL, alias=ALIAS, version="1", replaced=None)


@pytest.fixture
def released(new_registry):
    """Make registries whose first version has been promoted."""

    def released():
        registry = new_registry()
        for number in range(1, 3):
            registry.register(MODEL, f"artifacts {number}".encode())
        kit.release(registry, "1")
        return registry

    return released


def withdrawn(registry, *, time=None, **more):
    withdraw(registry, FIRST, who="one", pace=(time or kit.FakeTime()).pace(), **more)


def test_alias_that_is_taken_away_points_nowhere_and_its_claim_is_gone(released):
    registry = released()
    withdrawn(registry)
    withdrawn(registry)  # there is nothing left to do

    assert at(registry) is None
    assert kit.claims(registry) == []
    assert "rolled_back" not in kit.told(registry, "1")


def test_withdrawal_that_was_killed_at_any_step_is_completed_by_a_retry(released, mortal):
    killed = list(kit.deaths(mortal, released, lambda registry: withdrawn(registry, spent=True)))

    assert [at(shared) for shared in killed] == ["1"] * (len(killed) - 2) + [None] * 2
    assert len(killed) >= 10
    for shared in killed:
        withdrawn(shared, spent=True)
        assert at(shared) is None
        assert kit.told(shared, "1")["rolled_back"] == kit.told(shared, "1")["decision"]


def test_decision_that_is_spent_does_not_bring_the_version_back(new_registry):
    registry = new_registry()
    registry.register(MODEL, b"artifacts")
    decision = kit.decision_on(registry, "1")
    kit.promoted(registry, decision)
    withdrawn(registry, spent=True)

    with pytest.raises(PromotionRefusedError, match="was rolled back from version 1 since"):
        kit.promoted(registry, decision)


def test_alias_that_points_elsewhere_stays_there(released):
    registry = released()
    registry.point(MODEL, ALIAS, "2")

    with pytest.raises(PromotionRefusedError, match="churn@champion points at 2, and no longer at 1: it stays"):
        withdrawn(registry)
    assert at(registry) == "2"
    assert kit.claims(registry) == []


def test_somebody_who_asks_nobody_and_moves_the_alias_meanwhile_is_told_of(released):
    registry = released()
    time = kit.FakeTime(doing=[lambda: registry.point(MODEL, ALIAS, "2")])

    with pytest.raises(PromotionRefusedError, match="was taken away, and somebody else has moved it to 2"):
        withdrawn(registry, time=time)
