"""A person who is asked for approval."""

import threading
from contextlib import contextmanager


@contextmanager
def a_person(dag_id, does):
    """Let somebody look at a DAG's requests for approval as long as the body runs, and do something about the first."""
    from airflow.models import TaskInstance
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ended, seen = threading.Event(), []
    waiting = select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.state == "awaiting_input")

    def look():
        while not ended.wait(0.2) and not seen:
            with create_session() as session:
                task = session.scalar(waiting)
                if task:
                    request = session.get(HITLDetail, task.id)
                    seen.append((request.subject, request.body, request.assignees))
                    does(task, session)

    person = threading.Thread(target=look)
    person.start()
    try:
        yield seen
    finally:
        ended.set()
        person.join()


def answer(option):
    """Answer as the button in Airflow's UI does."""

    def does(task, session):
        from airflow.api_fastapi.app import create_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

        create_auth_manager()
        update_hitl_detail(
            dag_id=task.dag_id,
            dag_run_id=task.run_id,
            task_id=task.task_id,
            update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[option]),
            user=SimpleAuthManagerUser(username="ada", role="admin"),
            session=session,
        )

    return does
