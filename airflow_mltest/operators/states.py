"""How the tasks of a DAG run stand, as Airflow has it."""

from __future__ import annotations

from typing import Any


def states_of(ti: Any, task_id: str) -> dict[int, str | None]:
    """
    Give the state of a task in the DAG run of another, by map index; -1 where it is not mapped.

    Args:
        ti: The other's task instance.
        task_id: The task; empty is given for one that the run does not have.
    """
    # One task at a time: in Airflow's answer, `a_1` and the second of a mapped `a` have one name.
    answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id])
    return {
        -1 if name == task_id else int(name.rpartition("_")[2]): None if state is None else str(state)
        for name, state in (answer.get(ti.run_id) or {}).items()
    }
