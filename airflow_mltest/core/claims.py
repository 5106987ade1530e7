"""The right to move an alias, in a registry that can only read and write."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, PromotionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_mltest.core.ports import Registry

_PATIENCE = 5  # leases: by then each claim that was there has ended, or been taken for dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How time passes while an alias is moved.

    Args:
        clock: Tells seconds that only ever grow.
        wait: Lets seconds pass.
        lease_s: A claim that has not changed for so long is nobody's. Far above the time that one
            request may take, since what its owner asked last may still be carried out.
        poll_s: How long to wait for others before looking again.
        settle_s: How long a write of somebody who asks nobody may cross ours, before we read back.
    """

    clock: Callable[[], float]
    wait: Callable[[float], None]
    lease_s: float = 60.0
    poll_s: float = 1.0
    settle_s: float = 0.5


class Claim:
    """
    One's own tag among those of all who want to move the alias.

    First write, then read: of two who overlap one at least sees the other, so that never two find
    themselves alone. Of those who see each other the smallest stays, and the others withdraw until it
    is gone. A claim that does not change for a lease is dead, and is removed by one who has a claim
    of its own standing: its owner, who may have come back meanwhile, is then not alone either.

    This holds as long as nobody is frozen for most of a lease between looking at its clock and the
    registry's carrying out what it then writes.

    Args:
        registry: Where the tags are.
        model: The registered model.
        alias: The alias to move.
        who: The same for all tries of one thing to do: a try takes over what the one before left.
        pace: How time passes.
    """

    def __init__(self, registry: Registry, model: str, alias: str, *, who: str, pace: Pace) -> None:
        self._registry = registry
        self._model = model
        self._target = f"{model}@{alias}"
        self._pace = pace
        self._prefix = f"mltest.{alias}.claim."
        self._key = f"{self._prefix}{who}"
        self._nonce = ""
        self._renewed_s = self._began_s = pace.clock()
        self._others: dict[str, tuple[str, float]] = {}
        self._dead: set[str] = set()
        self.contested = False

    def enter(self) -> None:
        """
        Be the only one, after those who are ahead.

        Raises:
            BrokenRunError: Another try of the same is at it; or others were, for five leases.
        """
        self._began_s = self._pace.clock()
        while not self._alone():
            self.contested = True
            if self._others:
                self._queue()

    def hold(self) -> None:
        """
        Be sure that nobody takes this claim for dead before the next write; renew it in time.

        Raises:
            BrokenRunError: It is too late: others may be at it.
        """
        renewed_s = self._renewed_s
        if self._is_new():
            return
        self.confirm()
        self._write()
        self.confirm()
        # The new one stood before the old one could be taken for dead: nobody has been in between.
        if self._pace.clock() - renewed_s >= self._pace.lease_s:
            raise BrokenRunError(self._lost())

    def confirm(self) -> None:
        """
        See that the claim is still there.

        Raises:
            BrokenRunError: It is not.
        """
        if not self._look():
            raise BrokenRunError(self._lost())

    def release(self) -> None:
        """Take the claim away; one that cannot be is taken for dead after its lease."""
        with suppress(BrokenRunError, ConfigurationError):
            self._withdraw()

    def _alone(self) -> bool:
        """Claim, and look; a claim that is dead is removed, for the next look."""
        self._write()
        mine = self._look()
        for key in self._dead if mine else ():
            if self._is_new():
                self._registry.tag_model(self._model, key, None)
        return mine and not self._others

    def _queue(self) -> None:
        """Let all pass who are ahead; where nobody is, look again after a while."""
        while True:
            if self._nonce and self._ahead():
                self._withdraw()
            if self._pace.clock() - self._began_s > _PATIENCE * self._pace.lease_s:
                self._withdraw()
                who = ", ".join(key.removeprefix(self._prefix) for key in sorted(self._others))
                msg = f"others are moving {self._target} all the time ({who}): retry when they have ended."
                raise BrokenRunError(msg)
            self._pace.wait(self._pace.poll_s)
            self._look()
            if not self._ahead():
                return

    def _write(self) -> None:
        self._nonce, self._renewed_s = secrets.token_hex(8), self._pace.clock()
        self._registry.tag_model(self._model, self._key, self._nonce)

    def _withdraw(self) -> None:
        self._nonce = ""
        self._registry.tag_model(self._model, self._key, None)

    def _look(self) -> bool:
        """Read all claims, remember since when each is as it is, and say whether one's own is there."""
        before_s = self._pace.clock()
        tags = self._registry.model_tags(self._model)
        after_s = self._pace.clock()
        claims = {key: nonce for key, nonce in tags.items() if key.startswith(self._prefix)}
        mine = claims.pop(self._key, "")
        if mine not in {"", self._nonce}:
            msg = f"another try of the same is moving {self._target}: see how that one ends."
            raise BrokenRunError(msg)
        known = self._others
        self._others = {
            key: known[key] if key in known and known[key][0] == nonce else (nonce, after_s)
            for key, nonce in claims.items()
        }
        self._dead = {key for key, (_, since_s) in self._others.items() if before_s - since_s >= self._pace.lease_s}
        return bool(mine)

    def _ahead(self) -> bool:
        return any(key < self._key for key in self._others.keys() - self._dead)

    def _is_new(self) -> bool:
        return self._pace.clock() - self._renewed_s < self._pace.lease_s / 3

    def _lost(self) -> str:
        return f"the registry is slow, and others may have begun to move {self._target} meanwhile: retry."


@contextmanager
def claimed(registry: Registry, model: str, alias: str, *, who: str, pace: Pace) -> Iterator[Claim]:
    """
    Let nobody else move *alias* in the body.

    Where the body fails and what it asked last may still be carried out, the claim is left for its
    lease; a retry takes it over at once.

    Args:
        registry: The registry.
        model: The registered model.
        alias: Its alias.
        who: As in `Claim`.
        pace: How time passes.

    Raises:
        BrokenRunError: As in `Claim.enter`.
    """
    claim = Claim(registry, model, alias, who=who, pace=pace)
    claim.enter()
    try:
        yield claim
    except (ConfigurationError, PromotionRefusedError):
        claim.release()
        raise
    claim.release()
