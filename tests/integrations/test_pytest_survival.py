"""What tests do to their process, and what it may cost: one case."""

import functools
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_mltest.core.errors import StoppedError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

_LIVING = runpy.run_path(str(Path(__file__).parents[1] / "living.py"))
alive, wait_until = _LIVING["alive"], functools.partial(_LIVING["wait_until"], seconds=30.0)
P, F, B = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN

# In the order in which they run; what is expected of each stands behind it.
ZOO = """
import ctypes, gc, json, os, resource, signal, subprocess, sys, threading, time
import pytest

@pytest.fixture
def leaves(): os._exit(0)

def test_segfault(): ctypes.string_at(0)                                           # SIGSEGV
def test_exit(): os._exit(0)                                                       # exit code 0
def test_exit_in_fixture(leaves): pass                                             # exit code 0
def test_abort(): os.abort()                                                       # SIGABRT
def test_kills_itself(): os.kill(os.getpid(), signal.SIGKILL)                      # SIGKILL
def test_memory():                                                                 # MemoryError
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, hard))
    try: bytearray(8 << 30)
    finally: resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
def test_hangs_with_the_gil():                                                     # timed out after
    while True: ctypes.PyDLL(None).sleep(60)
def test_closes_output(): os.close(1); os.close(2)                                 #
def test_closes_everything(): os.closerange(0, 4096)                               # INTERNALERROR|exit code 1
def test_changes_folder(): os.chdir("/")                                           #
def test_forks():                                                                  #
    if os.fork() == 0:
        os.setsid()  # and holds every pipe of its parent's
        os.execvp("sleep", ["sleep", "1000101"]) if os.fork() else time.sleep(60)
        os._exit(0)
def test_starts_a_daemon():                                                        #
    subprocess.Popen(["sleep", "1000101"], start_new_session=True)
def test_deletes_folder(tmp_path):                                                 #
    (tmp_path / "gone").mkdir(); os.chdir(tmp_path / "gone"); (tmp_path / "gone").rmdir()
def test_after_that(): pass                                                        #
def test_prints_megabytes(): print("x" * 5_000_000); assert 0                      # assert 0
def test_leaves_a_thread(): threading.Thread(target=time.sleep, args=(60,)).start()  #
def test_kills_its_parent():                                                       # SIGKILL
    subprocess.Popen(["sleep", "1000101"], start_new_session=True)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(10)
def test_kills_its_group(): os.killpg(os.getpgrp(), signal.SIGTERM); time.sleep(10)  # SIGTERM
def test_prints_bytes(): os.write(1, b"\\xff\\xfe\\x80"); print("\\udcff"); assert 0  # assert 0
def test_empties_environment(): os.environ.clear()                                 #
def test_leaves(): sys.exit(3)                                                     # SystemExit: 3
def test_raises(): raise BaseException("base")                                     # BaseException: base
def test_takes_stdout_away(): sys.stdout = sys.stderr = None                       #
def test_replaces_what_we_use():                                                   #
    os.write = os.getpid = os.pwrite = json.dumps = json.JSONEncoder.encode = time.time = None
def test_freezes(): gc.freeze(); gc.disable()                                      #
def test_recurses():                                                               # RecursionError
    def deeper(): deeper()
    deeper()
def test_opens_nothing():                                                          #
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
def test_opens_again():                                                            #
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
def test_is_deaf():                                                                # timed out after
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1): signal.signal(number, signal.SIG_IGN)
    time.sleep(60)
def test_last(): pass                                                              #
"""


def expected():
    for line in ZOO.splitlines():
        if line.startswith("def test_"):
            yield line[4:].partition("(")[0], line.rpartition("#")[2].strip()


def test_whatever_a_test_does_it_costs_one_case_and_leaves_no_process(project, run):
    found = run(project(ZOO), case_timeout_s=3)
    cases = {case.name.partition("::")[2]: case for case in found.cases}

    assert len(found.cases) == len(cases) == found.total
    assert set(cases) == {name for name, _ in expected()}
    wrong = {name: cases[name].detail for name, said in expected() if not re.search(said, cases[name].detail)}
    assert wrong == {}
    failed = {"memory", "prints_megabytes", "prints_bytes", "leaves", "raises", "recurses"}
    assert {name: cases[name].outcome for name, _ in expected()} == {
        name: P if not said else F if name.removeprefix("test_") in failed else B for name, said in expected()
    }
    assert alive("1000101") == []
    assert "test_hangs_with_the_gil" in cases["test_hangs_with_the_gil"].output  # its stack
    assert "Segmentation fault" in cases["test_segfault"].output
    for case in found.cases:
        f"{case.detail}{case.output}".encode()


def test_file_that_takes_pytest_down_when_it_is_collected_is_a_case_and_the_others_run(project, run):
    files = {f"test_{n}": "def test_x(): pass" for n in range(3)}
    folder = project(
        "def test_x(): pass",
        **files,
        test_exits="import os; os._exit(0)",
        test_interrupts="raise KeyboardInterrupt",
        test_killed="import os; os.kill(os.getpid(), 9)",
        test_leaves="import sys; sys.exit(0)",
    )
    found = run(folder)

    broken = {case.name: case for case in found.cases if case.outcome is B}
    assert set(broken) == {"test_exits.py", "test_interrupts.py", "test_killed.py", "test_leaves.py"}
    assert len(found.cases) == 8
    assert "died while it collected it" in broken["test_exits.py"].detail
    assert "SIGKILL" in broken["test_killed.py"].detail


def test_gigabyte_that_is_printed_fills_neither_disk_nor_memory(project, run, monkeypatch, tmp_path):
    tests = (
        "import os\n"
        "def test_prints():\n    for _ in range(256): os.write(1, b'x' * (1 << 20))\n    os.write(1, b'the end')\n"
        "def test_dies(): os._exit(7)\n"
    )
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest = []

    def look(*_):
        files = [path for path in tmp_path.glob("mltest-pytest-*/**/*") if path.is_file()]
        largest.append(max((path.stat().st_size for path in files), default=0))

    recording = Recording("unit", "code", on_case=look)
    run(project(tests), recording, args=("-s",))

    assert [case.outcome for case in recording.cases] == [P, B]
    assert recording.cases[1].output.endswith("the end.")
    assert 0 < max(largest) < 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 << 10


def test_killed_test_is_asked_once_more_alone_and_is_flaky_when_it_lives(project, run):
    tests = (
        "import os, signal\n"
        "def test_before(): pass\n"
        "def test_x():\n"
        "    if not os.path.exists('seen'):\n"
        "        open('seen', 'w').close()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "def test_after(): pass\n"
    )
    found = run(project(tests))

    assert {case.name.partition("::")[2]: case.outcome for case in found.cases} == {
        "test_before": P, "test_x": P, "test_after": P
    }  # fmt: skip
    flaky = next(case for case in found.cases if case.flaky)
    assert [(one["outcome"], one["alone"]) for one in flaky.facts["attempts"]] == [("broken", False), ("passed", True)]
    assert "killed from outside or out of memory" in flaky.facts["attempts"][0]["detail"]


def test_case_is_known_at_once_though_the_next_test_hangs_or_its_setup_does(project):
    tests = (
        "import time, pytest\n"
        "@pytest.fixture\ndef slow(): time.sleep(1.5)\n"
        "def note():\n    with open('ended', 'a') as file: file.write(f'{time.monotonic()}\\n')\n"
        "def test_a(): note()\n"
        "def test_b(slow): note()\n"
        "def test_c(): time.sleep(1.5); note()\n"
    )
    folder, heard_s = project(tests), []
    recording = Recording("unit", "code", on_case=lambda *_: heard_s.append(time.monotonic()))
    PytestRunner(PytestCommand(project=str(folder))).run(recording)

    ended_s = map(float, (folder / "ended").read_text().split())
    assert max(heard - ended for heard, ended in zip(heard_s, ended_s, strict=True)) < 0.3


DEAF = """
import os, signal, subprocess, time
def test_quick(): pass
def test_deaf():
    for number in (2, 15): signal.signal(number, signal.SIG_IGN)
    subprocess.Popen(["sleep", "{word}"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: os.execvp("sleep", ["sleep", "{word}"])
        os._exit(0)
    time.sleep(60)
"""


def test_stop_ends_children_in_their_own_sessions_and_keeps_what_finished(project):
    runner, recording = (
        PytestRunner(PytestCommand(project=str(project(DEAF.format(word="1000102"))))),
        Recording("u", "code"),
    )
    stopped_s = []

    def stop():
        wait_until(lambda: len(alive("1000102")) == 2)
        stopped_s.append(time.monotonic())
        runner.stop()

    threading.Thread(target=stop).start()
    with pytest.raises(StoppedError, match="stopped after 1 of 2 tests"):
        runner.run(recording)

    assert time.monotonic() - stopped_s[0] < 4
    assert [case.name for case in recording.cases] == ["test_it.py::test_quick"]
    assert alive("1000102") == []


def test_kill_of_the_task_itself_leaves_no_process(project):
    folder = project(DEAF.format(word="1000103"))
    script = (
        "from airflow_mltest.core.recording import Recording\n"
        "from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner\n"
        f"PytestRunner(PytestCommand(project={str(folder)!r})).run(Recording('unit', 'code'))\n"
    )
    task = subprocess.Popen([sys.executable, "-c", script])
    wait_until(lambda: len(alive("1000103")) == 2)
    os.kill(task.pid, signal.SIGKILL)
    task.wait()

    wait_until(lambda: alive("1000103") == [], seconds=4)
