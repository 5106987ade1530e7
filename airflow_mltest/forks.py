"""A function in a process of its own, that tells what it finds and leaves nothing behind."""

from __future__ import annotations

import faulthandler
import logging
import os
import pickle
import select
import signal
import sys
import threading
import traceback
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.cgroups import oom_kills, out_of_memory
from airflow_mltest.core.launches import Ended
from airflow_mltest.processes import begin, end_as, keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TAIL, _KEPT = 6_000, 1 << 16
_CHUNK = 1 << 20
_LENGTH_BYTES = 8
_FAILED = 70  # EX_SOFTWARE
# The streams of the process that this is a copy of: Airflow's close their descriptors with their last name.
_before: list[object] = []


class ForkedProcess:
    """
    A function that runs in a copy of this process, so that nothing has to be handed over to it.

    It has nothing open but the standard streams, whose output is passed on to this process's own;
    Airflow cannot be asked there. It ends with this process, however hard that is killed.

    Args:
        function: Called with `send`, which takes anything that can be pickled.
    """

    def __init__(self, function: Callable[[Callable[[object], None]], None]) -> None:
        self._lost = oom_kills()
        self._received, self._printed = b"", b""
        end, self._lifeline = os.pipe()
        self._messages, messages = os.pipe()
        self._output, output = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if not self._pid:
            _keep(function, lifeline=end, messages=messages, output=output)
        self._code: int | None = None
        self._asked = False
        for pipe in (end, messages, output):
            os.close(pipe)
        for pipe in (self._messages, self._output):
            os.set_blocking(pipe, False)

    def messages(self, timeout_s: float) -> Iterator[Any]:
        """
        Give what it has sent, waiting *timeout_s* at most for the first of it.

        A message is given again until its taker has come back for the next: one who is interrupted loses none.
        """
        pipes = [pipe for pipe in (self._messages, self._output) if pipe >= 0]
        select.select(pipes, [], [], timeout_s if pipes else min(timeout_s, 0.02))
        self._output = self._drain(self._output, self._pass_on)
        with _undisturbed():  # what is read must not be lost on its way
            self._messages = self._drain(self._messages, self._receive)
        while len(self._received) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._received[:_LENGTH_BYTES], "little")
            if len(self._received) < end:
                return
            yield pickle.loads(self._received[_LENGTH_BYTES:end])  # noqa: S301  our own process wrote it
            self._received = self._received[end:]

    def poll(self) -> int | None:
        """Give its exit code, negative for a signal; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def stop(self) -> None:
        """Ask its keeper to end everything, which takes 3 s at most; safe in a signal handler."""
        self._asked = True
        if self._code is None:
            os.kill(self._pid, signal.SIGTERM)

    def end(self, *, why: str = "") -> tuple[Ended, list[Any]]:
        """End what is left of it; say how it ended, *why* it had to, and what it had sent that nobody has read."""
        asked = self.poll() is None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        unread: list[Any] = []
        while self.poll() is None:  # it may have much to say, and must not have to wait for us
            unread += self.messages(0.02)
        unread += self.messages(0.0)
        for pipe in (self._messages, self._output):
            if pipe >= 0:
                os.close(pipe)
        self._messages = self._output = -1
        memory = out_of_memory(self._lost)
        code = self._code if self._code is not None else 0
        return Ended(code=code, asked=asked, tail=self.tail, out_of_memory=memory, why=why), unread

    @property
    def tail(self) -> str:
        """What it printed last; of a fatal error's stack, what lies above this file."""
        text = self._printed.decode(errors="replace")
        if "Fatal Python error" in text:
            text = text.partition(f'  File "{__file__}"')[0]
        return text.strip()[-_TAIL:]

    def _drain(self, pipe: int, take: Callable[[bytes], None]) -> int:
        """Read what is there; give the pipe, or -1 once nobody can write to it."""
        while pipe >= 0:
            try:
                chunk = os.read(pipe, _CHUNK)
            except BlockingIOError:
                break
            if not chunk:
                os.close(pipe)
                return -1
            take(chunk)
        return pipe

    def _receive(self, chunk: bytes) -> None:
        self._received += chunk

    def _pass_on(self, chunk: bytes) -> None:
        self._printed = (self._printed + chunk)[-_KEPT:]
        sys.stdout.write(chunk.decode(errors="replace"))
        sys.stdout.flush()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals wait in the body: a handler may raise between any two steps."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _keep(function: Callable[[Callable[[object], None]], None], *, lifeline: int, messages: int, output: int) -> None:
    """Be the keeper, and never come back."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for wanted, stream in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(wanted, stream)
        _let_go_of_all_but({0, 1, 2, lifeline, messages}, nothing)
        end_as(keep(lifeline, lambda keeper: _run(function, keeper, messages)))
    except BaseException:  # noqa: BLE001  nothing may come back to where the fork was
        traceback.print_exc()
    finally:
        os._exit(_FAILED)


def _let_go_of_all_but(kept: set[int], nothing: int) -> None:
    """
    Point all other descriptors at *nothing*, which can be read and written.

    Were they closed, a log that goes to one would raise, and one that is opened next would be
    closed by whoever still holds its number.
    """
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        if descriptor not in kept:
            with suppress(OSError):  # the folder's own
                os.dup2(nothing, descriptor, inheritable=False)


def _run(function: Callable[[Callable[[object], None]], None], keeper: int, messages: int) -> None:
    """Be the process of *function*, and never come back."""
    code = _FAILED
    try:
        if begin(keeper):
            _settle()
            function(partial(_send, messages, threading.Lock()))
            code = 0
    except BaseException:  # noqa: BLE001  there is nobody above
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _settle() -> None:
    """Take over what belongs to the process that this is a copy of: its signals, the standard streams, the logs."""
    for number in signal.valid_signals():
        # Airflow handles SIGSEGV in Python when it reads DAGs: with that, a fault in C would be met for ever.
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _before[:] = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    logging.root.handlers[:] = [logging.StreamHandler(sys.stderr)]
    # Airflow sends warnings to its own log, by a socket that is the other process's.
    warnings.showwarning = warnings._showwarning_orig  # type: ignore[attr-defined]  # noqa: SLF001  it has no public name
    _print_structlog()
    faulthandler.disable()  # it may be on, and then would stay as it is
    faulthandler.enable(sys.stderr)  # the stack is then among the last words


def _print_structlog() -> None:
    """Have the loggers that a worker gives its tasks print: the channel that they write to is closed here."""
    structlog = sys.modules.get("structlog")
    channel: Any = structlog and getattr(structlog.get_config()["logger_factory"], "io", None)
    # Each keeps the file that it began with, so it is the descriptor that leads elsewhere.
    with suppress(AttributeError, OSError):  # there is none, or it is no file
        if channel.fileno() > 2:  # noqa: PLR2004
            os.dup2(2, channel.fileno(), inheritable=False)


def _send(pipe: int, lock: threading.Lock, message: object) -> None:
    content = pickle.dumps(message)
    view = memoryview(len(content).to_bytes(_LENGTH_BYTES, "little") + content)
    with lock:
        while view:
            view = view[os.write(pipe, view) :]
