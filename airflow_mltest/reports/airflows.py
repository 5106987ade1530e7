"""What Airflow knows of a run, in our words: which suites still run, what gates decided, what people answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_mltest.core.decision import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    How far a suite is that still runs.

    Args:
        task_id: Its task.
        map_index: Of a mapped task.
        done: How many cases have ended.
        total: How many there are; None where that is not known.
        failed: How many of them have not passed.
        doing: What a case that takes long is doing.
    """

    task_id: str
    map_index: int = -1
    done: int = 0
    total: int | None = None
    failed: int = 0
    doing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What a person has answered.

    Args:
        task_id: The task that asked.
        question: What it asked.
        chosen: What was chosen.
        by: Who has chosen; empty: nobody did in time, and it is the default.
        at: When, aware.
    """

    task_id: str
    question: str
    chosen: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Airflows:
    """
    What Airflow knows of a run.

    Args:
        running: The suites that have not ended.
        decisions: What gates have decided, by task id.
        answers: What people were asked, and have answered.
    """

    running: tuple[Progress, ...] = ()
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
