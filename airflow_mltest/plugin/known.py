"""What Airflow's database knows of a run: which suites still run, what gates have returned, what people answered."""

from __future__ import annotations

import json
from typing import Any

from airflow_mltest.core.decision import Decision
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.reports.airflows import Airflows, Answer, Progress

_RUNNING = ("running", "restarting")
_MOST_RUNNING = 200


def airflows(dag_id: str, run_id: str) -> Airflows:
    """Read what is known of a run."""
    from airflow.utils.session import create_session

    with create_session() as session:
        return Airflows(
            running=_running(session, dag_id, run_id),
            decisions=_decisions(session, dag_id, run_id),
            answers=_answers(session, dag_id, run_id),
        )


def _running(session: Any, dag_id: str, run_id: str) -> tuple[Progress, ...]:
    """Read the state that testing tasks tell of themselves, of those that Airflow says are running."""
    from airflow.models.task_state_store import TaskStateStoreModel as State
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import and_, select

    same = [
        getattr(State, name) == getattr(TaskInstance, name) for name in ("dag_id", "run_id", "task_id", "map_index")
    ]
    told = (
        select(State.task_id, State.map_index, State.value)
        .join(TaskInstance, and_(*same))
        .where(State.dag_id == dag_id, State.run_id == run_id, State.key == "mltest/progress")
        .where(TaskInstance.state.in_(_RUNNING))
        .order_by(State.task_id, State.map_index)
        .limit(_MOST_RUNNING)
    )
    return tuple(_progress(task_id, map_index, value) for task_id, map_index, value in session.execute(told))


def _progress(task_id: str, map_index: int, value: str) -> Progress:
    try:
        said = json.loads(value)
        total = said["total"]
        return Progress(
            task_id=task_id,
            map_index=map_index,
            done=int(said["done"]),
            total=None if total is None else int(total),
            failed=int(said["failed"]),
            doing=str(said.get("doing", "")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        # A backend of the deployment's own may keep it elsewhere; that it runs is still known.
        return Progress(task_id=task_id, map_index=map_index)


def _decisions(session: Any, dag_id: str, run_id: str) -> dict[str, Decision]:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from sqlalchemy import and_, select

    same = [
        getattr(XComModel, name) == getattr(TaskInstance, name) for name in ("dag_id", "run_id", "task_id", "map_index")
    ]
    returned = (
        select(XComModel)
        .join(TaskInstance, and_(*same))
        .where(XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value")
        .where(TaskInstance.operator == "GateOperator")
        .order_by(XComModel.task_id)
    )
    found: dict[str, Decision] = {}
    for row in session.scalars(returned):
        try:
            value = XComModel.deserialize_value(row)
            found[row.task_id] = Decision.from_dict(json.loads(value) if isinstance(value, str) else value)
        except (ConfigurationError, ValueError):
            # A gate that broke has returned none; its suite says why.
            continue
    return found


def _answers(session: Any, dag_id: str, run_id: str) -> tuple[Answer, ...]:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    answered = (
        select(HITLDetail, TaskInstance.task_id)
        .join(TaskInstance, HITLDetail.ti_id == TaskInstance.id)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, HITLDetail.responded_at.is_not(None))
        .order_by(HITLDetail.responded_at)
    )
    return tuple(
        Answer(
            task_id=task_id,
            question=asked.subject,
            chosen=", ".join(asked.chosen_options or []),
            by=asked.responded_by["name"] if asked.responded_by else "",
            at=asked.responded_at,
        )
        for asked, task_id in session.execute(answered)
    )
