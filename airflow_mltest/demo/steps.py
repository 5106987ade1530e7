"""Follow `airflow dags test` on the terminal, step by step, and keep its tasks' logs for Airflow's UI."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path

_STARTING = re.compile(r"\[DAG TEST\] starting task_id=(\S+) map_index=(-?\d+)")
_CASE = re.compile(r"\[(\d+)/(\d+|\?)\] (PASSED|FAILED|INCONCLUSIVE|BROKEN|SKIPPED) ")
_MARKS = {"success": "ok", "failed": "FAILED", "upstream_failed": "not run", "skipped": "skipped"}
_FEW = 12


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
        assert process.stdout is not None  # noqa: S101  it was asked for
        for line in process.stdout:
            screen.read(line)
    screen.end_step()
    if not screen.followed.run_id:
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
        self._counts: dict[str, int] = {}

    def read(self, line: str) -> None:
        try:
            record = json.loads(line)
        except ValueError:
            self.unread.append(line)
            return
        event = str(record.get("event", ""))
        if event == "creating dag run":
            self.followed.run_id = record["run_id"]
        elif starting := _STARTING.match(event):
            self._start_step(starting.group(1))
        elif event == "Task instance state updated" and record.get("new_state"):
            self.followed.states[self._task] = record["new_state"]
        self._tell(record, event)
        if self._log and record.get("logger", "").startswith(("airflow.task", "task")):
            self._log.write(line)

    def _start_step(self, task: str) -> None:
        self.end_step()
        self._task, self._started_s, self._counts = task, time.monotonic(), {}
        print(f"   {task:12}", end="", flush=True)
        folder = self._logs / "dag_id=model_release" / f"run_id={self.followed.run_id}" / f"task_id={task}"
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "attempt=1.log").open("w", encoding="utf-8")
        self._quiet = True

    def end_step(self) -> None:
        if self._log is None:
            return
        self._log.close()
        self._log = None
        state = self.followed.states.get(self._task, "failed")
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._counts.items())
        print(f" {_MARKS.get(state, state):8} {time.monotonic() - self._started_s:5.1f} s   {counts}", flush=True)

    def _tell(self, record: dict[str, Any], event: str) -> None:  # noqa: ARG002
        case = _CASE.match(event)
        if case:
            outcome = case.group(3).lower()
            self._counts[outcome] = self._counts.get(outcome, 0) + 1
