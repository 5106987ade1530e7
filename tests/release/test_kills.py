import multiprocessing
import os
import signal

import pytest

from airflow_mltest.core.rollback import retreat, roll_back

FORK = multiprocessing.get_context("fork")


WRITES = {"tag", "tag_model", "point", "copy"}


class Deadly:
    """
    A registry that kills who asks it to write once more than it may.

    To be killed before a write is as much as to be killed at any read since the one before.
    """

    def __init__(self, registry, writes):
        self._registry, self._left = registry, writes

    def __getattr__(self, name):
        def step(*args):
            if name in WRITES and not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= name in WRITES
            return getattr(self._registry, name)(*args)

        return step


def killed(registry, writes, act):
    """Do something in a process that is killed after some *writes*; tells whether it was."""
    child = FORK.Process(target=act, args=(Deadly(registry, writes),))
    child.start()
    child.join(60)
    assert child.exitcode in {0, -signal.SIGKILL}
    return child.exitcode != 0


def kills(registry, begin, at, count):
    """
    Kill at the first write, the second, ..., and let a retry complete each; *begin* gives what to do, and its end.

    Checks that the alias is where it was or where it goes, and that both have been seen.
    """
    seen = set()
    for writes in range(100):
        act, end = begin(writes)
        before = at()
        was_killed = killed(registry, writes, act)
        assert at() in {before, end}
        seen.add("old" if at() == before else "new")
        act(registry)
        assert at() == end
        if not was_killed:
            break
    assert writes == count
    assert seen == {"old", "new"}


def test_promotion_that_is_killed_at_any_write_is_completed_by_a_retry(registry, model, kit):
    kit.release(registry, "1", model=model)

    def begin(writes):
        version = str(writes % 2 + 2)
        decision = kit.decision_on(registry, version, model=model)
        return lambda registry: kit.promoted(registry, decision, pace=kit.real_pace()), version

    kills(registry, begin, lambda: kit.at(registry, model), count=10)
    assert kit.claims(registry, model) == []
    assert kit.told(registry, kit.at(registry, model), model).keys() >= set(kit.COMPLETE)


def test_copy_that_is_killed_at_any_write_is_completed_by_a_retry_and_made_once(registry, model, kit):
    prod, made = f"{model}-prod", iter(range(1, 100))

    def begin(_):
        decision = kit.decision_on(registry, "1", model=model, to=prod, champion=at())

        def act(registry):
            kit.promoted(registry, decision, copy_to=prod, pace=kit.real_pace())

        return act, str(next(made))

    def at():
        return kit.at(registry, prod) if registry.versions(prod) else None

    kills(registry, begin, at, count=13)
    assert kit.claims(registry, prod) == []
    assert len(registry.versions(prod)) == int(at())


def test_rollback_that_is_killed_at_any_write_is_completed_by_a_retry(registry, model, kit):
    kit.release(registry, "1", model=model)

    def begin(_):
        kit.release(registry, "2", model=model)
        meant = retreat(registry, model=model, alias=kit.ALIAS)
        return lambda registry: roll_back(registry, meant, who="one", pace=kit.real_pace()), "1"

    kills(registry, begin, lambda: kit.at(registry, model), count=7)
    assert kit.claims(registry, model) == []


def test_promoter_that_was_killed_holds_up_others_for_its_lease_and_no_longer(registry, model, kit):
    first, second = (kit.decision_on(registry, version, model=model) for version in "12")
    assert killed(registry, 2, lambda registry: kit.promoted(registry, first, pace=kit.real_pace()))
    assert len(kit.claims(registry, model)) == 1
    with pytest.raises(Exception, match="compared with 1"):
        kit.promoted(registry, kit.decision_on(registry, "3", model=model, champion="1"), pace=kit.real_pace(lease_s=1))

    kit.promoted(registry, second, pace=kit.real_pace(lease_s=1))
    assert kit.at(registry, model) == "2"
    assert kit.claims(registry, model) == []
