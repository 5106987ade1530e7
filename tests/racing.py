"""Several processes that promote, each its own version, at the same time, again and again."""

import multiprocessing
import time
from dataclasses import dataclass

from airflow_mltest.core.errors import BrokenRunError, PromotionRefusedError

_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True, kw_only=True)
class Round:
    """
    How one round ended.

    Args:
        at: Where the alias points.
        before: Where it pointed.
        decision: The decision that is written on that version.
        complete: Whether all is written on it that has to be.
        left: The claims that are left.
        ends: What became of each process, by its version: `("moved", replaced)`, `("refused", why)`, `("broken", why)`.
        decisions: Each process's decision, by its version.
        seconds: How long the round took.
    """

    at: str
    before: str
    decision: str
    complete: bool
    left: tuple
    ends: dict
    decisions: dict
    seconds: float

    @property
    def winners(self):
        return [version for version, (end, _) in self.ends.items() if end == "moved"]

    def wrong(self):
        """Say what is not as it has to be; empty when all is."""
        problems = {
            "not one winner": len(self.winners) != 1,
            "the alias is not at the winner": self.winners != [self.at],
            "another decision is written than the winner's": self.decision != self.decisions[self.at],
            "something is not written": not self.complete,
            "the winner replaced another version": self.ends[self.at] != ("moved", self.before),
            "a claim is left": bool(self.left),
            "a loser does not say who has won": not all(
                end == "refused" and f"points at {self.at}" in why
                for version, (end, why) in self.ends.items()
                if version not in self.winners
            ),
        }
        return [problem for problem, there in problems.items() if there]


def race(registry, kit, model, *, rounds, seconds):
    """
    Let as many processes as *model* has versions, but for the champion, promote at once.

    Args:
        registry: The registry; each process has a copy of it.
        kit: `releases.py`.
        model: The registered model; its alias points at a version.
        rounds: How many rounds at most.
        seconds: After so many no round begins.

    Yields:
        Each round.
    """
    end_s = time.monotonic() + seconds
    digests = {version: registry.digest(model, version) for version in registry.versions(model)}
    pipes, children = [], []
    for _ in range(len(digests) - 1):
        ours, theirs = _FORK.Pipe()
        children.append(_FORK.Process(target=_promote, args=(theirs, registry, kit), daemon=True))
        pipes.append(ours)
    for child in children:
        child.start()
    try:
        for _ in range(rounds):
            if time.monotonic() >= end_s:
                break
            yield _round(registry, kit, model, digests, pipes)
    finally:
        for pipe in pipes:
            pipe.send(None)
        for child in children:
            child.join(60)


def _round(registry, kit, model, digests, pipes):
    before, start_s = kit.at(registry, model), time.monotonic()
    others = [version for version in digests if version != before]
    decisions = {version: kit.decision_on(registry, version, model=model, champion=before) for version in others}
    for pipe, decision in zip(pipes, decisions.values(), strict=True):
        pipe.send((decision, time.monotonic() + 0.05))
    ends = {version: pipe.recv() for version, pipe in zip(decisions, pipes, strict=True)}
    at = kit.at(registry, model)
    told = kit.told(registry, at, model)
    return Round(
        at=at,
        before=before,
        decision=told["decision"],
        complete=told.keys() >= set(kit.COMPLETE),
        left=tuple(kit.claims(registry, model)),
        ends=ends,
        decisions={version: decision.id for version, decision in decisions.items()},
        seconds=time.monotonic() - start_s,
    )


def _promote(pipe, registry, kit):
    while (order := pipe.recv()) is not None:
        decision, start_s = order
        time.sleep(max(0.0, start_s - time.monotonic()))
        try:
            promotion = kit.promoted(registry, decision, pace=kit.real_pace())
            pipe.send(("moved", promotion.replaced))
        except PromotionRefusedError as error:
            pipe.send(("refused", str(error)))
        except BrokenRunError as error:
            pipe.send(("broken", str(error)))
