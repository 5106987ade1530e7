"""What Airflow's components load at start: names only, since every task process does."""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

# All are relative: an absolute one is a 404 where Airflow lives under a path of its host.
_VIEWS = [
    {
        "name": "ML tests",
        "href": "mltest/overview",
        "destination": "nav",
        "category": "browse",
        "url_route": "mltest",
    },
    {
        "name": "ML tests",
        "href": "mltest/run?dag_id={DAG_ID}&run_id={RUN_ID}",
        "destination": "dag_run",
        "url_route": "mltest-run",
    },
    {
        "name": "ML tests",
        "href": "mltest/task?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}",
        "destination": "task_instance",
        "url_route": "mltest-task",
    },
]


class MLTestPlugin(AirflowPlugin):
    """A page of all suites, a tab on each DAG run and each task instance, and a webhook for new versions."""

    name = "mltest"
    external_views = _VIEWS

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # lazy: read where it is served
        """The application behind the pages, and the webhook; FastAPI is imported where they are served."""
        from airflow_mltest.plugin import web, webhook

        return [
            {"app": web.create_app(), "url_prefix": "/mltest", "name": "ML tests"},
            # On its own: all of the other needs a login.
            {"app": webhook.create_app(), "url_prefix": "/mltest-webhook", "name": "ML test webhook"},
        ]
