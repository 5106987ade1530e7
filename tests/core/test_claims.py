import random
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.claims import Claim, claimed
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, PromotionRefusedError
from airflow_mltest.core.moving import Promotion
from airflow_mltest.core.promotion import promote
from airflow_mltest.core.rollback import retreat, roll_back

TESTS = Path(__file__).parents[1]
kit = SimpleNamespace(**runpy.run_path(str(TESTS / "releases.py")))
orders = SimpleNamespace(**runpy.run_path(str(TESTS / "interleaving.py")))
MODEL, ALIAS, at = kit.MODEL, kit.ALIAS, kit.at
CLAIM = f"mltest.{ALIAS}.claim."
# What only the one who may move the alias asks for.
INSIDE = {"tag", "point"}


@pytest.fixture
def registry(new_registry):
    """Three versions, of which the first is the champion."""
    registry = new_registry()
    for number in range(1, 5):
        registry.register(MODEL, f"artifacts {number}".encode())
    kit.release(registry, "1")
    return registry


def promoter(registry, version, name=None):
    decision = kit.decision_on(registry, version, decided_at="2026-01-01T00:00:00+00:00")
    return orders.Process(
        name=name or version, act=lambda registry, pace: promote(registry, decision, alias=ALIAS, pace=pace)
    )


def goes_back(registry, name="back"):
    meant = retreat(registry, model=MODEL, alias=ALIAS)
    return orders.Process(name=name, act=lambda registry, pace: roll_back(registry, meant, who=name, pace=pace))


class Watch:
    """Look at each state: never two inside, no move lost, and the version at the alias told of completely."""

    def __init__(self, registry, most_inside=1):
        self.ends, self.moves, self._last, self._most = set(), 0, at(registry), most_inside

    def __call__(self, shared, asked):
        assert len([name for name, _ in asked if name in INSIDE]) <= self._most, asked
        written = kit.told(shared, at(shared))
        assert written.keys() >= set(kit.COMPLETE)
        if all(name == "ended" for name, _ in asked):
            assert kit.claims(shared) == []
            self.ends.add((at(shared), *(type(end).__name__ for _, end in asked)))


class Chain(Watch):
    """The same of one order, in which each move starts from where the one before has led."""

    def __call__(self, shared, asked):
        super().__call__(shared, asked)
        if at(shared) != self._last:
            assert kit.told(shared, at(shared))["replaced"] == self._last
            self.moves, self._last = self.moves + 1, at(shared)


def test_two_promoters_in_every_order_of_their_steps(registry):
    watch = Watch(registry)
    orders.every_order([promoter(registry, "2"), promoter(registry, "3")], registry, watch)

    assert watch.ends == {("2", "Promotion", "PromotionRefusedError"), ("3", "PromotionRefusedError", "Promotion")}


def test_promotion_and_rollback_in_every_order_of_their_steps(registry):
    kit.release(registry, "2")
    watch = Watch(registry)
    orders.every_order([promoter(registry, "3"), goes_back(registry)], registry, watch)

    assert watch.ends == {("3", "Promotion", "PromotionRefusedError"), ("1", "PromotionRefusedError", "Promotion")}


def test_two_tries_of_one_decision_in_every_order_of_their_steps(registry):
    # A try does not wait for the one before, which is dead as a rule; both write and do the same.
    watch = Watch(registry, most_inside=2)
    orders.every_order([promoter(registry, "2", "a"), promoter(registry, "2", "b")], registry, watch)

    ends = {("Promotion", "Promotion"), ("Promotion", "BrokenRunError"), ("BrokenRunError", "Promotion")}
    assert watch.ends == {("2", *end) for end in ends}


@pytest.mark.parametrize("seed", range(25))
def test_three_promoters_that_are_frozen_and_killed_and_tried_again(registry, seed):
    chain = Chain(registry)
    ends = orders.at_random([promoter(registry, v) for v in "234"], registry, random.Random(seed), chain)  # noqa: S311  it draws orders

    assert chain.moves == 1
    assert [end.version for end in ends if isinstance(end, Promotion)] == [at(registry)]
    assert all(isinstance(end, Promotion | PromotionRefusedError) for end in ends)


def claim(registry, who, time, **change):
    return Claim(registry, MODEL, ALIAS, who=who, pace=time.pace(**change))


def test_claim_that_nobody_contests_is_taken_and_given_back_without_waiting(registry):
    time = kit.FakeTime()
    with claimed(registry, MODEL, ALIAS, who="a", pace=time.pace()) as held:
        assert kit.claims(registry) == [f"{CLAIM}a"]
        assert not held.contested
    assert kit.claims(registry) == []
    assert time.now_s == 0


def test_claims_on_other_aliases_are_nobodys_business(registry):
    registry.tag_model(MODEL, "mltest.shadow.claim.a", "x")
    held = claim(registry, "b", kit.FakeTime())
    held.enter()

    assert not held.contested


@pytest.mark.parametrize("who", ["a", "z"])
def test_dead_claim_is_removed_after_a_lease_and_not_before(registry, who):
    registry.tag_model(MODEL, f"{CLAIM}m", "dead")
    time = kit.FakeTime()
    held = claim(registry, who, time)
    held.enter()

    assert held.contested
    assert kit.claims(registry) == [f"{CLAIM}{who}"]
    assert 60 <= time.now_s <= 62


@pytest.mark.parametrize("who, patience_s", [("a", 40), ("z", 40)])
def test_claim_that_is_renewed_is_waited_for(registry, who, patience_s):
    time = kit.FakeTime()
    beat = iter(range(1000))

    def renew():
        number = next(beat)
        registry.tag_model(MODEL, f"{CLAIM}m", None if number > 150 else f"alive {number // patience_s}")
        time.doing.append(renew)

    renew()
    claim(registry, who, time).enter()
    assert 150 <= time.now_s <= 155


def test_who_is_behind_withdraws_while_it_waits_and_who_is_ahead_stays(registry):
    registry.tag_model(MODEL, f"{CLAIM}m", "other")
    stood = {}
    for who in ("a", "z"):
        time = kit.FakeTime(doing=[lambda who=who: stood.setdefault(who, kit.claims(registry))])
        claim(registry, who, time).enter()
        registry.tag_model(MODEL, f"{CLAIM}{who}", None)
        registry.tag_model(MODEL, f"{CLAIM}m", "other")

    assert stood == {"a": [f"{CLAIM}m", f"{CLAIM}a"], "z": [f"{CLAIM}m"]}


def test_claim_gives_up_when_others_never_end_and_names_them(registry):
    time, beat = kit.FakeTime(), iter(range(1000))

    def renew():
        registry.tag_model(MODEL, f"{CLAIM}m", str(next(beat)))
        time.doing.append(renew)

    renew()
    with pytest.raises(BrokenRunError, match=r"others are moving churn@champion all the time \(m\)"):
        claim(registry, "z", time).enter()
    assert kit.claims(registry) == [f"{CLAIM}m"]
    assert 300 <= time.now_s <= 303


def test_own_claim_of_a_try_before_is_taken_over_at_once(registry):
    registry.tag_model(MODEL, f"{CLAIM}a", "of the try before")
    time = kit.FakeTime()
    held = claim(registry, "a", time)
    held.enter()

    assert not held.contested
    assert time.now_s == 0


def test_try_that_another_one_of_the_same_took_over_from_gives_up(registry):
    before, after = claim(registry, "a", kit.FakeTime()), claim(registry, "a", kit.FakeTime())
    before.enter()
    after.enter()
    with pytest.raises(BrokenRunError, match="another try of the same is moving churn@champion"):
        before.confirm()

    after.confirm()


@pytest.mark.parametrize("slept_s, renewed", [(0, False), (19, False), (21, True), (59, True)])
def test_holder_renews_in_time(registry, slept_s, renewed):
    time = kit.FakeTime()
    held = claim(registry, "a", time)
    held.enter()
    nonce = registry.model_tags(MODEL)[f"{CLAIM}a"]
    time.now_s += slept_s
    held.hold()

    assert (registry.model_tags(MODEL)[f"{CLAIM}a"] != nonce) is renewed


def test_holder_that_took_longer_than_its_lease_gives_up(registry):
    time = kit.FakeTime()
    held = claim(registry, "a", time)
    held.enter()
    time.now_s += 60
    with pytest.raises(BrokenRunError, match="others may have begun to move churn@champion"):
        held.hold()


def test_holder_whose_claim_was_taken_for_dead_does_not_come_back(registry):
    time = kit.FakeTime()
    held = claim(registry, "a", time)
    held.enter()
    time.now_s += 30
    registry.tag_model(MODEL, f"{CLAIM}a", None)
    with pytest.raises(BrokenRunError, match="others may have begun"):
        held.hold()

    assert kit.claims(registry) == []


@pytest.mark.parametrize(
    "error, left",
    [(PromotionRefusedError, False), (ConfigurationError, False), (BrokenRunError, True), (OSError, True)],
)
def test_claim_is_left_for_its_lease_only_where_a_write_may_still_be_on_its_way(registry, error, left):
    with pytest.raises(error), claimed(registry, MODEL, ALIAS, who="a", pace=kit.FakeTime().pace()):
        raise error

    assert bool(kit.claims(registry)) is left


def test_claim_that_cannot_be_given_back_is_no_failure_of_what_was_done(registry, faulty):
    with claimed(faulty(registry, 2), MODEL, ALIAS, who="a", pace=kit.FakeTime().pace()):
        pass

    assert kit.claims(registry) == [f"{CLAIM}a"]


class Interfered:
    """A registry in which something happens right before the first call of a name."""

    def __init__(self, registry, name, do):
        self._registry, self._name, self._do = registry, name, do

    def __getattr__(self, name):
        if name == self._name and self._do:
            self._do, do = None, self._do
            do()
        return getattr(self._registry, name)


def test_claim_that_somebody_removes_as_it_is_made_is_made_again(registry):
    mistaken = Interfered(registry, "model_tags", lambda: registry.tag_model(MODEL, f"{CLAIM}a", None))
    claim(mistaken, "a", kit.FakeTime()).enter()

    assert kit.claims(registry) == [f"{CLAIM}a"]
