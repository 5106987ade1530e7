"""Tests that take their process with them, and tasks that are killed: what is lost, and what stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import StoppedError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.core.outcome import Case
    from benchmarks.table import Table

_CULPRITS = {
    17: "import ctypes; ctypes.string_at(0)",
    36: "import os; os._exit(0)",
    61: "import time; time.sleep(600)",
    88: "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
}
_TIMEOUT_S = 3.0
_KILL_S = 4.0
_WAIT_S = 30.0
_FAMILY = """
import subprocess, sys, time

def test_family():
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)", "{mark}"]
    subprocess.Popen(sleeper)
    subprocess.Popen(sleeper, start_new_session=True)
    daemon = f"import subprocess; subprocess.Popen({{sleeper!r}}, start_new_session=True)"
    subprocess.run([sys.executable, "-c", daemon], check=True)
    open("born", "w").close()
    time.sleep(300)
"""
_TASK = """
import sys
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

PytestRunner(PytestCommand(project=sys.argv[1], python=sys.executable)).run(Recording("tests", "code"))
"""


def crashes(table: Table, scratch: Path) -> None:
    """Print how many cases of a suite are reported whose tests die, and how many processes stay after a kill."""
    table.section("Crashes and kills")
    _suite(table, scratch / "crashing")
    _stopped(table, scratch / "stopped")
    _killed(table, scratch / "killed")


def _suite(table: Table, project: Path) -> None:
    project.mkdir()
    for file in range(4):
        tests = range(file * 25, file * 25 + 25)
        text = "".join(f"def test_{test:02}():\n    {_CULPRITS.get(test, 'pass')}\n\n\n" for test in tests)
        (project / f"test_{file}.py").write_text(text)
    recording = Recording("tests", "code")
    PytestRunner(PytestCommand(project=str(project), case_timeout_s=_TIMEOUT_S)).run(recording)
    found = {case.name.partition("::")[2]: case for case in recording.cases}
    named = {name for name, case in found.items() if case.outcome is Outcome.BROKEN and case.detail}
    right = len(found) == len(recording.cases) == 100 and named == {f"test_{test:02}" for test in _CULPRITS}  # noqa: PLR2004
    junit = _junit_cases(project)
    table.row(
        "100 tests of which 4 segfault, exit, hang, are killed: reported",
        f"{len(found)}", f"{junit}", goal="100, and the 4 named; theirs: pytest --junit-xml", kept=right,
    )  # fmt: skip


def _junit_cases(project: Path) -> int:
    """Count what bare pytest leaves of the same suite, with a limit on its time."""
    report = project / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}"]
    try:
        subprocess.run(command, cwd=project, capture_output=True, timeout=_WAIT_S, check=False)
    except subprocess.TimeoutExpired:
        return 0
    return report.read_text().count("<testcase") if report.exists() else 0


def _stopped(table: Table, project: Path) -> None:
    """Stop the runner from another thread, as `on_kill` does."""
    import threading

    mark = _family(project)
    runner = PytestRunner(PytestCommand(project=str(project)))
    told: list[Case] = []

    def run() -> None:
        try:
            runner.run(Recording("tests", "code", on_case=lambda _, case: told.append(case)))
        except StoppedError:
            return

    thread = threading.Thread(target=run)
    thread.start()
    _until((project / "born").exists)
    start_s = time.monotonic()
    runner.stop()
    thread.join(_WAIT_S)
    took_s = time.monotonic() - start_s
    table.row("on_kill, until the run has ended", f"{took_s:.2f} s", goal=f"<= {_KILL_S:.0f} s", kept=took_s <= _KILL_S)
    _tell(table, "processes left after on_kill, of 4", mark)


def _killed(table: Table, project: Path) -> None:
    """Kill the task's process itself, so that nothing of ours can clean up but the keeper."""
    mark = _family(project)
    root = Path(__file__).parents[2]
    task = subprocess.Popen([sys.executable, "-c", _TASK, str(project)], env={**os.environ, "PYTHONPATH": str(root)})
    _until((project / "born").exists)
    task.send_signal(signal.SIGKILL)
    task.wait()
    _tell(table, "processes left after SIGKILL of the task, of 4", mark)


def _family(project: Path) -> str:
    project.mkdir()
    mark = f"bench-{os.getpid()}-{project.name}"
    (project / "test_family.py").write_text(_FAMILY.format(mark=mark))
    return mark


def _tell(table: Table, what: str, mark: str) -> None:
    end_s = time.monotonic() + _KILL_S
    while (left := _alive(mark)) and time.monotonic() < end_s:
        time.sleep(0.1)
    table.row(what, f"{len(left)}", goal="0", kept=not left)
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def _alive(mark: str) -> list[int]:
    """Find processes by an argument that no other process has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in arguments:
            found.append(int(path.parent.name))
    return found


def _until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _WAIT_S
    while not holds():
        if time.monotonic() > end_s:
            msg = "the tests did not start"
            raise AssertionError(msg)
        time.sleep(0.05)
