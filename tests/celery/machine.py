"""A machine of the deployment: what is to run on it is started again whenever it ends, as by `restart: always`."""

import contextlib
import os
import signal
import time

import psutil

from airflow_mltest.processes import KeptProcess

# $0 exists while it is to stay down. An orphan of the command stays alive here, as it would on a real machine.
_ALWAYS = """
trap 'kill -INT $!; wait; exit' INT
while :; do
  while [ -e "$0" ]; do sleep 0.1; done
  "$@" & wait $!
done
"""
_LIMIT_S = 180.0


def wait_for(holds, what, seconds=_LIMIT_S):
    """Wait until *holds* answers something, and give that; *what* does not hold if it never does."""
    deadline_s = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline_s, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.2)
    return answer


class Machine:
    """
    One command; all that is left of it ends with the process that has made this, however hard that is killed.

    Args:
        name: What it is called.
        argv: The command.
        env: Its whole environment.
        folder: It runs there, and its log is there.
    """

    def __init__(self, name, argv, *, env, folder):
        self.name, self._down, self._log = name, folder / f"{name}.down", folder / f"{name}.log"
        self._since = 0
        with self._log.open("wb") as output:
            argv = ["sh", "-c", _ALWAYS, str(self._down), *argv]
            self._kept = KeptProcess(argv, cwd=str(folder), env=env, output=output)

    @property
    def log(self):
        """What it has printed since it was last `up`."""
        return self._log.read_bytes()[self._since :].decode(errors="replace")

    def stop(self):
        """Ask for the end of all that runs on it; `close` waits for that."""
        self._kept.stop()

    def close(self):
        self._kept.close()

    def command(self):
        """Give the command's process, if it runs."""
        loop = self._loop()
        return next(iter(loop.children()), None) if loop and not self._down.exists() else None

    def processes(self):
        """List all that is alive on it: the command, its children, and the orphans that they left."""
        loop = self._loop()
        return [one for one in loop.parent().children(recursive=True) if _is_alive(one)] if loop else []

    def down(self, number=signal.SIGTERM):
        """Send the command a signal, and do not start it again until it is `up`."""
        command = self.command()
        self._down.touch()
        command.send_signal(number)
        return command

    def crash(self):
        """Kill the command with all of its session, and leave it down; give what has a session of its own."""
        command, processes, others = self.command(), self.processes(), []
        self._down.touch()
        session = os.getsid(command.pid)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(process.pid) == session:
                    os.kill(process.pid, signal.SIGKILL)
                else:
                    others.append(process)
        return others

    def up(self):
        """Let it be started again, where it is down."""
        if self._down.exists():
            self._since = self._log.stat().st_size
            self._down.unlink()

    def _loop(self):
        try:
            return psutil.Process(self._kept.pid).children()[0].children()[0]
        except (psutil.NoSuchProcess, IndexError):
            return None


def _is_alive(process):
    """Tell whether it is more than a name that nobody has collected, and none of those that keep the machine."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.name() not in {"sh", "sleep"}
    except psutil.NoSuchProcess:
        return False
