"""A limit for what runs in the test's own process."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_AGAIN_S = 1.0
_RESTORED = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)


class _TimeIsUpError(BaseException):
    """Not an `Exception`: what is limited may catch those."""


@contextmanager
def deadline(timeout_s: float, describe: Callable[[], str]) -> Iterator[None]:
    """
    Interrupt the body when it takes too long, even if it sleeps; signal handlers are as before afterwards.

    The interruption comes again each second, since Airflow catches it and goes on with the next
    task. SIGALRM is left to the tasks' own limits and to pytest-timeout. In any other thread
    than the main one, which signals do not reach, there is no limit.

    Raises:
        TimeoutError: It took longer than *timeout_s*, with what *describe* said before it was interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watch = _Watch(timeout_s, describe)
    before = {number: signal.getsignal(number) for number in _RESTORED}
    signal.signal(signal.SIGUSR2, watch.interrupt)
    watch.start()
    try:
        yield
    except BaseException:
        # Whatever came of being interrupted, it is the limit's doing.
        if watch.said is None:
            raise
    finally:
        watch.end()
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    if watch.said is not None:
        raise TimeoutError(watch.said)


class _Watch(threading.Thread):
    """Looks at the clock, and wakes the main thread."""

    def __init__(self, timeout_s: float, describe: Callable[[], str]) -> None:
        super().__init__(name="mltest-deadline", daemon=True)
        self.said: str | None = None
        self._wait_s = timeout_s
        self._describe = describe
        self._main = threading.main_thread().ident or 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._wait_s):
            if self.said is None:
                self.said = f"it took longer than {self._wait_s:g} s"
                with suppress(Exception):  # what it asks may be what hangs
                    self.said = self._describe()
            signal.pthread_kill(self._main, signal.SIGUSR2)
            self._wait_s = _AGAIN_S

    def interrupt(self, *_: object) -> None:
        """Answer the signal, in the main thread."""
        if not self._ended.is_set():
            raise _TimeIsUpError

    def end(self) -> None:
        """Interrupt nobody any more."""
        self._ended.set()
        self.join()
