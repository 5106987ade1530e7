import ctypes
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mltest.forks import ForkedProcess

_LIVING = runpy.run_path(str(Path(__file__).with_name("living.py")))
alive, wait_until = _LIVING["alive"], _LIVING["wait_until"]


def followed(process):
    messages = []
    while process.poll() is None:
        messages += process.messages(0.1)
    messages += process.messages(0.0)
    return messages


def test_what_it_sends_arrives_whole_and_in_order(capfd):
    def work(send):
        sys.stdout.write("a model's own words\n")
        for number in range(1000):
            send(number)
        send({"large": b"x" * 3_000_000})

    process = ForkedProcess(work)
    *numbers, large = followed(process)

    assert numbers == list(range(1000))
    assert len(large["large"]) == 3_000_000
    assert process.end()[0].code == 0
    assert process.tail == "a model's own words"
    assert "a model's own words" in capfd.readouterr().out


def test_message_whose_taker_is_interrupted_is_not_lost():
    def work(send):
        for number in range(3):
            send(number)

    def take():
        while True:
            for message in process.messages(1):
                taken.append(message)
                if message == 1:
                    raise KeyboardInterrupt

    process, taken = ForkedProcess(work), []
    with pytest.raises(KeyboardInterrupt):
        take()
    assert taken == [0, 1]
    assert process.end()[1] in ([1], [1, 2])


@pytest.mark.parametrize(
    "death, words",
    [
        (lambda: os._exit(3), "left the process with exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "killed by signal 11 (SIGSEGV)"),
        (os.abort, "killed by signal 6 (SIGABRT)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by signal 9 (SIGKILL)"),
    ],
)
def test_its_death_is_told_with_what_it_said_before(death, words):
    def work(send):
        send("before")
        sys.stdout.write("last words\n")
        death()

    process = ForkedProcess(work)

    assert followed(process) == ["before"]
    ended, _ = process.end()
    assert words in ended.cause()
    assert ended.tail.startswith("last words")


def test_fault_in_c_ends_it_with_its_stack_though_this_process_handles_the_signal():
    before = signal.signal(signal.SIGSEGV, lambda *_: None)  # as Airflow does when it reads DAGs
    try:
        process = ForkedProcess(lambda _: ctypes.string_at(0))
        followed(process)
        ended, _ = process.end()
    finally:
        signal.signal(signal.SIGSEGV, before)

    assert "killed by signal 11 (SIGSEGV)" in ended.cause()
    assert "in string_at" in ended.tail


def test_what_it_raises_is_printed_and_is_its_end(capfd):
    process = ForkedProcess(lambda _: 1 / 0)
    followed(process)

    assert process.end()[0].code == 70
    assert "ZeroDivisionError" in process.tail


def test_it_can_be_stopped_in_c_with_all_that_it_has_started():
    def work(send):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        subprocess.Popen(["sleep", "1000101"], start_new_session=True)
        send("started")
        time.sleep(1000)

    process = ForkedProcess(work)
    while not list(process.messages(0.2)):
        pass
    start_s = time.monotonic()
    process.stop()
    ended, _ = process.end()

    assert time.monotonic() - start_s < 4
    assert ended.asked
    assert alive("1000101") == []


def test_it_ends_with_the_process_that_started_it(tmp_path):
    script = tmp_path / "task.py"
    script.write_text(
        "import subprocess, time\n"
        "from airflow_mltest.forks import ForkedProcess\n"
        "def work(send):\n"
        "    subprocess.Popen(['sleep', '1000102'], start_new_session=True)\n"
        "    send('started')\n"
        "    time.sleep(1000)\n"
        "process = ForkedProcess(work)\n"
        "while not list(process.messages(0.2)): pass\n"
        "print('started', flush=True)\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as task:
        assert task.stdout.readline() == b"started\n"
        assert alive("1000102")
        task.kill()
    wait_until(lambda: not alive("1000102"))


def test_it_has_no_file_of_this_process(tmp_path):
    with (tmp_path / "open").open("w+") as file:

        def work(send):
            os.write(file.fileno(), b"mine")
            send(os.read(file.fileno(), 1))

        file.write("ours")
        file.seek(0)
        process = ForkedProcess(work)
        assert followed(process) == [b""]
        process.end()
        assert file.read() == "ours"


def test_logs_that_go_elsewhere_raise_nothing_and_warnings_are_printed(tmp_path):
    script = tmp_path / "task.py"
    script.write_text(
        "import os, socket, warnings\n"
        "from airflow_mltest.forks import ForkedProcess\n"
        "here, there = socket.socketpair()\n"
        "log = there.makefile('w', buffering=1)\n"
        "warnings.showwarning = lambda message, *_: log.write(str(message))\n"  # as Airflow has it in a task
        "def work(send):\n"
        "    log.write('nobody hears it')\n"
        "    warnings.warn('old model', UserWarning)\n"
        "process = ForkedProcess(work)\n"
        "while process.poll() is None: list(process.messages(0.2))\n"
        "assert process.end()[0].code == 0\n"
        "here.setblocking(False)\n"
        "try:\n    here.recv(1)\nexcept BlockingIOError:\n    print('silent')\n"
    )
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout

    assert "UserWarning: old model" in said
    assert "silent" in said


# As Airflow makes a task's process: streams that own their descriptors, and loggers that write to a channel.
TASK = """
import io, json, os, sys
import structlog
from airflow_mltest.forks import ForkedProcess

class Factory:
    def __init__(self, io):
        self.io = io
    def __call__(self, *args):
        return structlog.BytesLogger(self.io)

read, write = os.pipe()
structlog.configure(processors=[structlog.processors.JSONRenderer(lambda value, **_: repr(value).encode())],
                    logger_factory=Factory(os.fdopen(write, "wb", buffering=0)), cache_logger_on_first_use=True)
log = structlog.get_logger()
log.info("before")
real = os.dup(1)
for name, stream in (("stdout", 1), ("stderr", 2)):
    setattr(sys, name, io.TextIOWrapper(os.fdopen(stream, "wb"), line_buffering=True))

def work(send):
    with open("notes", "w") as notes:
        log.info("a warning")
        print("words")
        os.write(1, b"of C\\n")
        notes.write("own")
    send("done")

process = ForkedProcess(work)
messages = []
while process.poll() is None:
    messages += process.messages(0.1)
messages += process.messages(0.0)
os.write(real, json.dumps([messages, process.tail, open("notes").read()]).encode())
os._exit(0)
"""


def test_streams_and_loggers_of_a_task_are_its_copys_too(tmp_path):
    done = subprocess.run([sys.executable, "-c", TASK], cwd=tmp_path, capture_output=True, text=True, check=False)
    messages, tail, notes = json.loads(done.stdout.splitlines()[-1])

    assert messages == ["done"], done.stderr
    assert [word in tail for word in ("a warning", "words", "of C")] == [True] * 3
    assert notes == "own"
