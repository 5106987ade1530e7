"""One process of pytest: what it is asked, what is known of it, and how it ended."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field

# pytest's exit codes.
OK, FAILED, INTERRUPTED, INTERNAL, USAGE, NOTHING, WARNINGS = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    What a process is asked.

    Args:
        only: Ids of the tests to run; None: all.
        skip: Ids of those that are not.
        files: All that has to be collected for that, where it is known; None: whatever is there.
        ignore: Files that must not be collected.
        failed: How many tests have not passed so far, for `--maxfail`; None: that must not end it.
    """

    only: frozenset[str] | None = None
    skip: frozenset[str] = frozenset()
    files: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    failed: int | None = 0


@dataclass(slots=True, kw_only=True)
class Launch:
    """
    What is known of a process while it runs.

    Args:
        asked: The tests that it is to ask again; None: all that have no answer.
        pid: Its own; 0 until pytest is there.
        spread: pytest-xdist spreads the tests over workers.
        status: The exit code that pytest itself announced.
        running: When each test that runs was started, monotonic seconds.
        overdue: Seconds of those that have to end now.
        collecting: The file that is being collected, and its path.
        answered: The tests that it has answered for.
        bad: Some of them, or a file, did not pass.
        worker_died: One of pytest-xdist's workers has died with its test.
        heard_s: When something was heard of it last, monotonic seconds.
    """

    asked: frozenset[str] | None = None
    pid: int = 0
    spread: bool = False
    status: int | None = None
    running: dict[str, float] = field(default_factory=dict)
    overdue: dict[str, float] = field(default_factory=dict)
    collecting: tuple[str, str] | None = None
    answered: set[str] = field(default_factory=set)
    bad: bool = False
    worker_died: bool = False
    heard_s: float = field(default_factory=time.monotonic)

    @property
    def ran(self) -> dict[str, float]:
        """Seconds that each running test has taken."""
        now_s = time.monotonic()
        return {test: now_s - since_s for test, since_s in self.running.items()}

    @property
    def ended_in_order(self) -> bool:
        """Whether pytest itself came to its end, though a worker of pytest-xdist may have been cut short."""
        if self.status not in {OK, FAILED, INTERRUPTED, NOTHING, WARNINGS} or self.collecting:
            return False
        return not self.running or (self.spread and self.status != INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    How a process ended.

    Args:
        code: Its exit code, negative for a signal.
        asked: It was told to end, so its exit code says nothing.
        tail: The last that it printed.
        stacks: Where its threads were, if that was asked.
        out_of_memory: That the kernel has killed for memory meanwhile, in words; empty: not that it is known.
        why: Why it was told to end, where that is no test's doing.
    """

    code: int
    asked: bool = False
    tail: str = ""
    stacks: str = ""
    out_of_memory: str = ""
    why: str = ""

    @property
    def killed(self) -> bool:
        """Whether somebody, perhaps the kernel, has killed it, and not we."""
        return self.code == -signal.SIGKILL and not self.asked

    @property
    def words(self) -> str:
        """The last that it printed, after the stacks of its threads."""
        return "\n".join(filter(None, (self.stacks, self.tail)))

    def cause(self, status: int | None = None) -> str:
        """Say in words how it ended; *status* is the exit code that pytest announced."""
        if self.why or status is not None:
            return self.why or _ANNOUNCED.get(status or 0, f"ended pytest with exit code {status} (pytest.exit)")
        if self.killed:
            why = self.out_of_memory or "killed from outside or out of memory"
            return f"killed by signal 9 (SIGKILL) while it ran: {why}"
        if self.code < 0:
            return f"killed by signal {-self.code} ({_name(-self.code)}) while it ran"
        return f"left the process with exit code {self.code} (os._exit, or an extension's exit)"


_ANNOUNCED = {
    INTERRUPTED: "interrupted pytest (KeyboardInterrupt or pytest.exit)",
    INTERNAL: "made pytest itself fail (INTERNALERROR)",
}


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
