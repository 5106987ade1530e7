"""
Several processes at one registry, in every order of their steps, or in orders drawn at random.

A process is a function of a registry and a pace. To let it take one step more, it is run from its
beginning again: what it has been answered so far is answered again, and what it asks then is its
next step. So a process needs no thread, and a state can be gone on from in more than one way.
"""

import copy
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from airflow_mltest.core.claims import Pace
from airflow_mltest.core.errors import BrokenRunError, MltestError

POLL_S = 1.0
WRITES = {"tag", "tag_model", "point", "unpoint", "copy"}


class _AskedError(BaseException):
    """It asks something that has no answer yet."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """
    What one does, what it has been answered so far, and since when it waits for the next answer.

    Args:
        name: Its nonces begin so.
        act: Takes a registry and a pace.
        answers: To each thing that it asked, as (whether it is an error, what).
        since_s: When it asked for the next one.
    """

    name: str
    act: object
    answers: tuple = ()
    since_s: float = 0.0

    @cached_property
    def asks(self):
        """Give its next step as (name, arguments); `"ended"` and what it ended with where there is none."""
        asker = _Asker(self.answers)
        pace = Pace(clock=lambda: asker.ask("clock"), wait=lambda seconds: asker.ask("wait", seconds), poll_s=POLL_S)
        with _reproducible(self.name):
            try:
                return "ended", self.act(asker, pace)
            except _AskedError:
                return asker.next
            except MltestError as error:
                return "ended", error


class _Asker:
    def __init__(self, answers):
        self._answers, self._count, self.next = answers, 0, None

    def __getattr__(self, name):
        return lambda *args: self.ask(name, *args)

    def ask(self, name, *args):
        # What is asked while the stack unwinds is not asked.
        if self.next is None and self._count < len(self._answers):
            failed, answer = self._answers[self._count]
            self._count += 1
            if failed:
                raise answer
            return copy.deepcopy(answer)
        self.next = self.next or (name, args)
        raise _AskedError


@contextmanager
def _reproducible(name):
    """Let nonces be the same in each run."""
    token_hex, count = secrets.token_hex, iter(range(1000))
    secrets.token_hex = lambda _: f"{name}{next(count)}"
    try:
        yield
    finally:
        secrets.token_hex = token_hex


def stepped(process, registry, now_s=0.0):
    """Carry out its next step, on *registry*, and ask for the one after it."""
    name, args = process.asks
    if name == "clock":
        answer = (False, now_s)
    elif name == "wait":
        answer = (False, None)
    else:
        if name == "tag":
            # Times would make states differ that are the same.
            args = (*args[:2], {key: "now" if key.endswith("ed_at") else text for key, text in args[2].items()})
        try:
            answer = (False, copy.deepcopy(getattr(registry, name)(*args)))
        except MltestError as error:
            answer = (True, error)
    return replace(process, answers=(*process.answers, answer), since_s=now_s)


def every_order(processes, registry, look):
    """
    Take all orders of the steps of *processes*, while time stands still: nobody is taken for dead.

    Args:
        processes: Who takes steps.
        registry: Where they begin.
        look: Called with the registry and what each asks next, once for each state that can be.

    Returns:
        How many states there are.
    """
    start = (tuple(processes), registry)
    seen, open_ = {_key(*start)}, [start]
    while open_:
        now, shared = open_.pop()
        asked = [process.asks for process in now]
        look(shared, asked)
        ways = [index for index, asks in enumerate(asked) if _goes_on(asks, now[index], shared)]
        assert ways or all(name == "ended" for name, _ in asked), f"nobody goes on: {asked}"
        for index in ways:
            after = copy.deepcopy(shared)
            step = stepped(now[index], after)
            state = (*now[:index], step, *now[index + 1 :])
            if (key := _key(state, after)) not in seen:
                seen.add(key)
                open_.append((state, after))
    return len(seen)


def at_random(processes, registry, rng, look, *, lease_s=60.0):
    """
    Take the steps of *processes* in one order, with time that passes, kills, freezes, and retries of both.

    What they rely on holds: a write is carried out within a quarter of a lease. All else may last for leases.

    Args:
        processes: Who takes steps; who is killed, or not answered, begins again.
        registry: Where they begin.
        rng: Draws.
        look: As in `every_order`.

    Returns:
        What each ended with.
    """
    now, now_s, frozen = list(processes), 0.0, [0.0] * len(processes)
    while True:
        asked = [process.asks for process in now]
        look(registry, asked)
        going = [index for index, (name, _) in enumerate(asked) if name != "ended"]
        if not going:
            return [end for _, end in asked]
        late = [i for i in going if asked[i][0] in WRITES and now_s - now[i].since_s > lease_s / 5]
        ready = [i for i in going if now_s >= frozen[i] and now_s - now[i].since_s >= _sleeps_s(asked[i])]
        at_once = [i for i in going if asked[i][0] == "clock"]
        index = rng.choice(at_once or late or ready or [-1])
        if index < 0:
            now_s += rng.choice((0.1, 1.0, lease_s / 30))
            continue
        now[index] = stepped(now[index], registry, now_s)
        name, end = now[index].asks
        if rng.random() < 1 / 40 or (name == "ended" and isinstance(end, BrokenRunError)):
            now[index] = replace(now[index], name=f"{now[index].name}'", answers=(), since_s=now_s)
        if rng.random() < 1 / 20:
            frozen[index] = now_s + rng.choice((1, lease_s / 2, 2 * lease_s))
        now_s += rng.choice((0.0, 0.01, 0.1, 1.0))


def _sleeps_s(asks):
    return asks[1][0] if asks[0] == "wait" else 0.0


def _goes_on(asks, process, registry):
    """Tell whether a step leads anywhere: not who looks again before there is a change."""
    if asks == ("wait", (POLL_S,)):
        last = next(answer for _, answer in reversed(process.answers) if isinstance(answer, dict))
        return registry.model_tags("churn") != last
    return asks[0] != "ended"


def _key(processes, registry):
    return repr(([process.answers for process in processes], vars(registry)))
