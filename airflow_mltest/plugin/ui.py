"""What Airflow's components load at start: names only, since every task process does."""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

_RUN_TAB = {
    "name": "ML tests",
    # Relative: an absolute one is a 404 where Airflow lives under a path of its host.
    "href": "mltest/run?dag_id={DAG_ID}&run_id={RUN_ID}",
    "destination": "dag_run",
    "url_route": "mltest-run",
}


class MLTestPlugin(AirflowPlugin):
    """A tab on each DAG run with the report of its suites, and a webhook for new versions."""

    name = "mltest"
    external_views = [_RUN_TAB]  # noqa: RUF012  the name and type that Airflow reads

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # lazy: read where it is served
        """The application behind the tab, and the webhook; FastAPI is imported where they are served."""
        from airflow_mltest.plugin import web, webhook

        return [
            {"app": web.create_app(), "url_prefix": "/mltest", "name": "ML tests"},
            # On its own: all of the other needs a login.
            {"app": webhook.create_app(), "url_prefix": "/mltest-webhook", "name": "ML test webhook"},
        ]
