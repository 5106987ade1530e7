"""The README's examples are executed, or they are not there."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from airflow_mltest.checks.ask import ask
from airflow_mltest.core.recording import Recording

ROOT = Path(__file__).parents[2]


def blocks(file):
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    "file, number, tasks",
    [
        ("README.md", 0, ["unit", "data", "model", "report", "gate", "promote"]),
        ("README.md", 1, ["unit.plan", "unit.tests", "unit.merge"]),
        ("docs/code_tests.md", 0, ["unit.plan", "unit.tests", "unit.merge"]),
        ("docs/ci.md", 0, ["begin", "unit.plan", "unit.tests", "unit.merge", "report"]),
        ("docs/ci.md", 1, ["unit.plan", "unit.tests", "unit.merge"]),
        (
            "docs/release.md",
            0,
            [
                "quality",
                "release.gate",
                "release.approve",
                "release.canary",
                "release.canary_check.smoke",
                "release.hold",
                "release.canary_check_again.smoke",
                "release.promote",
                "release.check.smoke",
                "release.roll_back",
                "release.released",
                "release.end_canary",
            ],
        ),
    ],
)
def test_dag_parses_and_serializes_the_same_each_time(file, number, tasks):
    from airflow.serialization.serialized_objects import DagSerialization

    serialized = []
    for _ in range(2):  # each parse anew, as Airflow does
        names = {}
        exec(compile(blocks(file)[number], file, "exec"), names)  # noqa: S102  our own text
        serialized.append(str(DagSerialization.serialize_dag(names["dag"])["tasks"]))

    assert [task.task_id for task in names["dag"].topological_sort()] == tasks
    assert serialized[0] == serialized[1]
    assert " at 0x" not in serialized[0]


def test_own_check_can_be_asked():
    names = {}
    exec(compile(blocks("README.md")[2], "README.md", "exec"), names)  # noqa: S102
    recording = Recording("s", "model")
    ask([names["NeverAlarmsAll"]()], SimpleNamespace(predictions=np.array([1, 1, 0, 0])), recording)

    assert recording.suite().passed
    assert recording.cases[0].detail == "50.0% of rows are alarms"


def test_check_of_the_contributing_page_can_be_asked():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = "\n".join(line[7:] for line in text.splitlines() if line.startswith("       "))
    names = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)  # noqa: S102

    assert names["Finite"]().run(SimpleNamespace(predictions=np.array([1.0, np.nan]))).outcome == "failed"
