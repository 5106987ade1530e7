import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.claims import Pace
from airflow_mltest.core.rollback import retreat

kit = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "releases.py")))
MODEL, ALIAS, at = kit.MODEL, kit.ALIAS, kit.at


def before(registry, alias=ALIAS):
    return retreat(registry, model=MODEL, alias=alias).to


def three_versions(new_registry):
    registry = new_registry()
    for number in range(1, 4):
        registry.register(MODEL, f"artifacts {number}".encode())
    kit.release(registry, "1", "2")
    return registry


def test_promotion_that_was_killed_at_any_step_is_completed_by_a_retry(new_registry, mortal):
    decision = kit.decision_on(three_versions(new_registry), "3")
    killed = list(
        kit.deaths(mortal, lambda: three_versions(new_registry), lambda registry: kit.promoted(registry, decision))
    )
    assert [at(shared) for shared in killed] == ["2"] * (len(killed) - 2) + ["3"] * 2
    assert len(killed) >= 15
    for shared in killed:
        # Nothing half-done is visible: whoever sees the alias moved sees what it replaced, and why.
        if at(shared) == "3":
            assert before(shared) == "2"
            assert kit.told(shared, "3").keys() >= set(kit.COMPLETE)
        else:
            assert (at(shared), before(shared)) == ("2", "1")
        # A clock that stands still: its own claim keeps a retry from nothing.
        assert kit.promoted(shared, decision, pace=Pace(clock=lambda: 0.0, wait=lambda _: None)).replaced == "2"
        assert kit.claims(shared) == []
        assert [kit.rolled_back(shared).version, kit.rolled_back(shared).version] == ["2", "1"]


def test_claim_of_a_promotion_that_was_killed_delays_the_next_one_by_a_lease_at_most(new_registry, mortal):
    decision = kit.decision_on(three_versions(new_registry), "3")
    killed = kit.deaths(mortal, lambda: three_versions(new_registry), lambda registry: kit.promoted(registry, decision))
    for shared in killed:
        time = kit.FakeTime()
        assert kit.promoted(shared, kit.decision_on(shared, "1"), pace=time.pace()).version == "1"
        assert kit.claims(shared) == []
        assert time.now_s <= 63


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("carried_out", [False, True])
def test_fault_at_any_call_leaves_the_alias_where_it_was_or_where_it_goes_and_says_which(
    new_registry, faulty, carried_out, down
):
    decision, ended = kit.decision_on(three_versions(new_registry), "3"), []
    for number in range(100):
        shared = three_versions(new_registry)
        disturbed = faulty(shared, number, carried_out=carried_out, down=down)
        said = kit.fault_of(kit.promoted, disturbed, decision)
        assert not said or kit.told_as_it_is(said, "3", moved=at(shared) == "3")
        ended.append("done" if not said else "not moved" if "was not moved" in said else "in doubt")
        assert at(shared) in {"2", "3"}
        if at(shared) == "3":
            assert kit.told(shared, "3").keys() >= set(kit.COMPLETE)
        assert kit.promoted(shared, decision).replaced == "2"
        assert kit.claims(shared) == []
        if number >= len(disturbed.calls):
            break
    assert ended.count("not moved") >= 14
    # The answer to the move is lost; the look after it fails; the claim stays where it was.
    assert (
        ended[-4:]
        == {
            (False, False): ["not moved", "in doubt", "done", "done"],
            (False, True): ["in doubt", "in doubt", "done", "done"],
            (True, False): ["done", "in doubt", "done", "done"],
            (True, True): ["in doubt", "in doubt", "done", "done"],
        }[carried_out, down]
    )


class Slow:
    """A registry that takes its time for each tag of a version."""

    def __init__(self, registry, time, seconds):
        self._registry, self._time, self._seconds = registry, time, seconds

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def tag(self, *args):
        self._time.now_s += self._seconds
        self._registry.tag(*args)


def test_promotion_at_a_slow_registry_renews_its_claim(new_registry):
    shared, time = three_versions(new_registry), kit.FakeTime()
    slow = Slow(shared, time, 25)

    assert kit.promoted(slow, kit.decision_on(shared, "3"), pace=time.pace()).version == "3"
    assert time.now_s > 120


def test_promotion_that_took_longer_than_its_lease_writes_nothing_more(new_registry):
    shared, time = three_versions(new_registry), kit.FakeTime()
    said = kit.fault_of(kit.promoted, Slow(shared, time, 61), kit.decision_on(shared, "3"), pace=time.pace())

    assert "others may have begun to move churn@champion" in said
    assert kit.told_as_it_is(said, "3", moved=at(shared) == "3")
    assert kit.told(shared, "3").keys() == {"evidence"}
