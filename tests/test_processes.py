import functools
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mltest.processes import KeptProcess, _offer

_LIVING = runpy.run_path(str(Path(__file__).parents[0] / "living.py"))
alive, wait_until = _LIVING["alive"], functools.partial(_LIVING["wait_until"], seconds=10.0)


@pytest.fixture
def start(tmp_path):
    """Start Python code as a kept process; whatever is left of it ends with the test."""
    started = []

    def start(code, *arguments):
        with (tmp_path / "output").open("wb") as output:
            argv = [sys.executable, "-c", code, *arguments]
            started.append(KeptProcess(argv, cwd=str(tmp_path), env=dict(os.environ), output=output))
        return started[-1]

    yield start
    for process in started:
        process.stop()
        process.close()


# A child in the same group, one in a session of its own, and a daemon that has forked twice.
FAMILY = """
import os, subprocess, sys, time
word = sys.argv[1]
subprocess.Popen(["sleep", word])
subprocess.Popen(["sleep", word], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", word])
    os._exit(0)
"""


@pytest.mark.parametrize(
    "code, status", [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 11)", -11), ("", 0)]
)
def test_exit_code_is_the_commands(start, code, status):
    process = start(code)
    wait_until(lambda: process.poll() is not None)

    assert process.close() == status


def test_command_that_cannot_be_started_says_so(tmp_path):
    with (tmp_path / "output").open("w+b") as output:
        process = KeptProcess(["/no/such/command"], cwd="/", env={}, output=output)
        wait_until(lambda: process.poll() is not None)
        output.seek(0)

        assert process.close() == 127
        assert b"/no/such/command" in output.read()


def test_what_the_command_leaves_behind_ends_with_it(start):
    process = start(FAMILY, "1000001")
    wait_until(lambda: process.poll() is not None)

    assert process.close() == 0
    assert alive("1000001") == []


def test_stop_ends_the_whole_family_though_the_command_ignores_signals(start):
    deaf = "import signal; signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)\n"
    process = start(deaf + FAMILY + "\ntime.sleep(100)", "1000002")
    wait_until(lambda: len(alive("1000002")) >= 4)
    start_s = time.monotonic()
    process.stop()
    process.close()

    assert time.monotonic() - start_s < 4
    assert alive("1000002") == []


def test_command_may_clean_up_when_it_is_stopped(start, tmp_path):
    process = start(
        "import time, pathlib\npathlib.Path('up').touch()\n"
        "try: time.sleep(100)\nexcept KeyboardInterrupt: pathlib.Path('cleaned').touch()"
    )
    wait_until((tmp_path / "up").exists)
    process.stop()
    process.close()

    assert (tmp_path / "cleaned").exists()


def test_nothing_outlives_a_task_that_is_killed_hard(tmp_path):
    task = tmp_path / "task.py"
    task.write_text(
        "import os, sys, time\nfrom airflow_mltest.processes import KeptProcess\n"
        f"argv = [sys.executable, '-c', {FAMILY + 'time.sleep(100)'!r}, '1000003']\n"
        "process = KeptProcess(argv, cwd='/', env=dict(os.environ), output=open(os.devnull, 'wb'))\n"
        "time.sleep(100)\n"
    )
    killed = subprocess.Popen([sys.executable, str(task)])
    wait_until(lambda: len(alive("1000003")) >= 4)
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    wait_until(lambda: alive("1000003") == [], seconds=4)


def test_command_does_not_outlive_its_keeper(start):
    process = start("import time; time.sleep(100)", "1000004")
    wait_until(lambda: len(alive("1000004")) >= 2)
    os.kill(process.pid, signal.SIGKILL)

    wait_until(lambda: alive("1000004") == [], seconds=4)


def test_fork_of_the_task_does_not_keep_its_command_alive(tmp_path):
    task = tmp_path / "task.py"
    task.write_text(
        "import os, sys, time\nfrom airflow_mltest.processes import KeptProcess\n"
        "argv = [sys.executable, '-c', 'import time; time.sleep(100)', '1000005']\n"
        "process = KeptProcess(argv, cwd='/', env=dict(os.environ), output=open(os.devnull, 'wb'))\n"
        "if os.fork() == 0: time.sleep(8); os._exit(0)\n"
        "time.sleep(100)\n"
    )
    killed = subprocess.Popen([sys.executable, str(task)])
    wait_until(lambda: len(alive("1000005")) >= 2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()

    wait_until(lambda: alive("1000005") == [], seconds=4)


def test_stop_after_the_end_is_harmless(start):
    process = start("")
    wait_until(lambda: process.poll() is not None)
    process.stop()

    assert process.close() == process.close() == 0


KILLER = (
    FAMILY
    + """
import signal
inner = os.getppid()
outer = int(open(f"/proc/{inner}/stat").read().rpartition(")")[2].split()[1])
os.kill(outer if sys.argv[2] == "outer" else inner, signal.SIGKILL)
time.sleep(100)
"""
)


@pytest.mark.parametrize("whom", ["inner", "outer"])
def test_keeper_that_its_command_kills_leaves_nobody_behind(start, whom):
    process = start(KILLER, "1000006", whom)
    wait_until(lambda: process.poll() is not None)

    assert process.close() == -signal.SIGKILL
    wait_until(lambda: alive("1000006") == [], seconds=4)


def test_command_that_kills_its_own_group_is_the_only_one_that_dies(start):
    process = start("import os; os.killpg(0, 9)")
    wait_until(lambda: process.poll() is not None)

    assert process.close() == -signal.SIGKILL


@pytest.mark.parametrize("before, after", [(0, 1000), (-997, 3), (300, 1000)])
def test_command_is_the_first_to_be_killed_where_memory_runs_out(start, tmp_path, monkeypatch, before, after):
    score = tmp_path / "oom_score_adj"
    score.write_text(f"{before}\n")
    monkeypatch.setattr("airflow_mltest.processes._OOM_SCORE", str(score))

    _offer()

    assert int(score.read_text()) == after


def test_children_of_one_that_dies_thread_by_thread_end_too(start):
    dies = (
        "import os, signal, subprocess, sys, threading, time\n"
        "for _ in range(100): threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "subprocess.Popen(['sleep', sys.argv[1]], start_new_session=True)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(10)"
    )
    for number in range(1000010, 1000016):
        process = start(dies, str(number))
        wait_until(lambda process=process: process.poll() is not None)

        assert process.close() == -signal.SIGKILL
        assert alive(str(number)) == []
