"""Follow `airflow dags test` on the terminal, step by step, and keep its tasks' logs for Airflow's UI."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path

_STARTING = re.compile(r"\[DAG TEST\] starting task_id=(\S+) map_index=(-?\d+)")
_CASE = re.compile(r"\[\d+/(?:\d+|\?)\] ([A-Z]+) (.+) \(\d+\.\d+ s\)(?:: |\n|$)(.*)", re.DOTALL)
_MARKS = {"success": "ok", "failed": "FAILED", "upstream_failed": "not run"}
# A suite of more cases is told by its counts and by what has not passed.
_FEW = 20


@dataclass
class Followed:
    """
    What one run of the DAG showed.

    Args:
        run_id: Airflow's name for it.
        states: How each task ended, by task id.
    """

    run_id: str = ""
    states: dict[str, str] = field(default_factory=dict)


def follow(command: list[str], environment: dict[str, str], logs: Path) -> Followed:
    """Run *command*, print each task as it goes, and write each task's log where the UI looks for it."""
    screen = _Screen(logs)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            screen.read(line)
    screen.end_step()
    if not screen.followed.states:
        print("".join(screen.unread[-40:]), file=sys.stderr)
        sys.exit(f"Airflow ended with exit code {process.returncode} before the run began.")
    return screen.followed


class _Screen:
    """Airflow's JSON log lines on one side, a person on the other."""

    def __init__(self, logs: Path) -> None:
        self.followed = Followed()
        self.unread: list[str] = []
        self._logs = logs
        self._log: TextIO | None = None
        self._task = ""
        self._started_s = 0.0
        self._cases: list[str] = []
        self._counts: Counter[str] = Counter()

    def read(self, line: str) -> None:
        """Take one line of Airflow's output."""
        try:
            record = json.loads(line)
            event = str(record["event"])
        except (ValueError, KeyError, TypeError):
            self.unread.append(line)
            return
        if event == "creating dag run":
            self.followed.run_id = record["run_id"]
        elif starting := _STARTING.match(event):
            self._start_step(starting.group(1))
        elif record.get("new_state"):
            self.followed.states[self._task] = record["new_state"]
        elif case := _CASE.match(event):
            self._take_case(*case.groups())
        if self._log and str(record.get("logger", "")).startswith("airflow.task"):
            self._log.write(line)

    def end_step(self) -> None:
        """Print how the step ended, and its cases if they are few or have not passed."""
        if self._log is None:
            return
        self._log.close()
        self._log = None
        state = self.followed.states.setdefault(self._task, "failed")
        counts = ", ".join(f"{count} {outcome.lower()}" for outcome, count in self._counts.items())
        print(f"{_MARKS.get(state, state):8}{time.monotonic() - self._started_s:6.1f} s  {counts}", flush=True)
        loud = self._cases if len(self._cases) <= _FEW else [line for line in self._cases if "passed" not in line[:20]]
        for line in loud:
            print(line, flush=True)

    def _start_step(self, task: str) -> None:
        self.end_step()
        self._task, self._started_s, self._cases, self._counts = task, time.monotonic(), [], Counter()
        print(f"   {task:12} ", end="", flush=True)
        folder = self._logs / "dag_id=model_release" / f"run_id={self.followed.run_id}" / f"task_id={task}"
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "attempt=1.log").open("w", encoding="utf-8")

    def _take_case(self, outcome: str, name: str, detail: str) -> None:
        self._counts[outcome] += 1
        first = detail.strip().partition("\n")[0]
        text: Any = f"{name}: {first}" if first else name
        self._cases.append(f"        {outcome.lower():12} {text[:140]}")
