"""
Child processes that leave nothing behind.

Run as a script, this file is the keeper that stands between a task and its command: it adopts
every orphan below it, and ends them all when the command has ended, when it is told to (SIGTERM),
or when the task is gone, however hard it was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time

# The keeper starts for each command: what it does not need is imported where it is used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

_GRACE_S = 1.5
_END_S = 0.75
_LOOK_S = 0.5
_OOM_SCORE, _FIRST_TO_GO = "/proc/self/oom_score_adj", 1000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class KeptProcess:
    """
    A command, and all that it starts, kept by a keeper.

    Args:
        argv: The command.
        cwd: Folder it runs in.
        env: Its whole environment.
        output: File, or descriptor, that takes what it prints.
        pass_fds: File descriptors that it inherits.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        output: IO[bytes] | int,
        pass_fds: Sequence[int] = (),
    ) -> None:
        import subprocess

        # The keeper reads one end, and this process alone holds the other: its end is the task's.
        end, self._lifeline = os.pipe()
        try:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(end), *argv],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(end, *pass_fds),
                start_new_session=True,
            )
        finally:
            os.close(end)

    @property
    def pid(self) -> int:
        """The keeper's."""
        return self._keeper.pid

    def poll(self) -> int | None:
        """Give the command's exit code, negative for a signal; None while it runs."""
        return self._keeper.poll()

    def stop(self) -> None:
        """Ask the keeper to end everything, which takes 3 s at most; safe in a signal handler."""
        if self._keeper.returncode is None:
            try:
                os.kill(self._keeper.pid, signal.SIGTERM)
            except ProcessLookupError:
                return

    def close(self) -> int:
        """End whatever is left, and wait for it; give the exit code."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return self._keeper.wait()


def keep(lifeline: int, run: Callable[[int], None]) -> int:
    """
    Have *run* run in a process of its own, and return its exit code once nothing of it is left.

    Two processes keep it, the outer one with the inner one as its command: a test that kills its
    parent kills the inner one, and whatever that had adopted comes to the outer one. If the outer
    one is killed, the inner one is told.

    Args:
        lifeline: A pipe whose other end the task holds: when that is closed, all ends.
        run: Called with the pid of its keeper; it becomes the command, or ends the process itself.
    """
    outer = os.getpid()
    status = _watch(lifeline, lambda: _fork(lambda: _inner(run, outer)), signal.SIGTERM, _GRACE_S + 2 * _END_S)
    return os.waitstatus_to_exitcode(status) if status is not None else -signal.SIGKILL


def _inner(run: Callable[[int], None], outer: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == outer:  # else it was gone before it could be asked for a signal
        inner = os.getpid()
        status = _watch(-1, lambda: _fork(lambda: run(inner)), signal.SIGINT, _GRACE_S)
        end_as(os.waitstatus_to_exitcode(status) if status is not None else -signal.SIGKILL)


def _watch(lifeline: int, start: Callable[[], int], ask: int, grace_s: float) -> int | None:
    """Wait for what *start* has started, ask it to end when that is wanted, and end all that is left."""
    import select

    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    command, status = start(), None
    task = os.getppid()
    # The task is looked for as well: a fork of it may hold the lifeline when it is gone.
    while status is None and not told and os.getppid() == task:
        readable, _, _ = select.select([wake, *([lifeline] if lifeline >= 0 else [])], [], [], _LOOK_S)
        if wake in readable:
            os.read(wake, 512)
        if lifeline in readable:
            break
        status = _reap(command)
    if status is None:
        status = _ask(command, ask, grace_s)
    _end_all(command)
    return status


def _fork(child: Callable[[], None]) -> int:
    """Start a process that does what *child* says and never comes back; give its pid."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the child is ready to take it
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return pid
    try:
        child()
    finally:
        os._exit(127)


def begin(keeper: int) -> bool:
    """Begin as what *keeper* keeps, with the signals that a command finds; say whether it is still there."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever is started in the background ignores it, and is asked by it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _offer()
    return os.getppid() == keeper


def _offer() -> None:
    """Be the first to be killed where memory runs out: whoever waits for this process can then tell of it."""
    try:
        with open(_OOM_SCORE, encoding="ascii") as file:  # noqa: PTH123
            score = min(int(file.read()) + _FIRST_TO_GO, _FIRST_TO_GO)
        with open(_OOM_SCORE, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(str(score))
    except OSError:  # not Linux, or not permitted: then the largest goes, which this one mostly is
        return


def _become(argv: list[str], keeper: int) -> None:
    if not begin(keeper):
        return
    try:
        os.execvpe(argv[0], argv, os.environ)  # noqa: S606  it becomes the command
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error}\n")


def _prctl(option: int, value: int) -> None:
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _reap(command: int) -> int | None:
    """Collect whoever has ended; give the command's status if it is among them."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == command:
            status = ended


def _ask(command: int, number: int, grace_s: float) -> int | None:
    """Send it a signal, such as a person's interrupt, so that tests are torn down; wait a little."""
    _signal(command, number)
    deadline_s = time.monotonic() + grace_s
    while time.monotonic() < deadline_s:
        status = _reap(command)
        if status is not None:
            return status
        time.sleep(0.02)
    return None


def _end_all(command: int) -> None:
    """Kill all descendants, again until there are none: one may have forked meanwhile."""
    deadline_s = time.monotonic() + _END_S
    while time.monotonic() < deadline_s:
        # Whoever has no child has no descendant: orphans become this one's. Asking is cheap, and /proc is not.
        if not _has_children():
            return
        for pid in _descendants():
            _signal(pid, signal.SIGKILL)
        _reap(command)
        time.sleep(0.01)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _descendants() -> list[int]:
    """
    List every process below this one, from /proc; without it, nobody can be found.

    The dead are among them until they are collected: one whose other threads still end has its children yet.
    """
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208  no pathlib: starts in 10 ms
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = file.read().rpartition(b")")[2].split()[1]
            except OSError:
                continue
            children.setdefault(int(parent), []).append(int(name))
    found, new = [], children.get(os.getpid(), [])
    while new:
        found += new
        new = [child for pid in new for child in children.get(pid, [])]
    return found


def end_as(code: int) -> None:
    """End as the command did, so that whoever waits sees the same signal."""
    if code < 0:
        if -code not in {signal.SIGKILL, signal.SIGSTOP}:
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    lifeline = int(sys.argv[1])
    os.set_inheritable(lifeline, False)
    end_as(keep(lifeline, lambda keeper: _become(sys.argv[2:], keeper)))
