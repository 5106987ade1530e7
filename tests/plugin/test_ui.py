import subprocess
import sys

from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse, PluginResponse

from airflow_mltest.plugin.ui import MLTestPlugin


def test_airflow_shows_each_view_where_it_belongs():
    shown = [ExternalViewResponse.model_validate(view) for view in MLTestPlugin.external_views]

    assert {view.destination for view in shown} == {"nav", "dag_run", "task_instance"}
    # Of two with one route Airflow drops the second, and shows none without a route.
    assert len({view.url_route for view in shown} - {None, ""}) == len(shown)


def test_one_invalid_view_would_hide_the_plugin_and_there_is_none():
    from airflow.plugins_manager import get_plugin_info

    told = [plugin for plugin in get_plugin_info() if plugin["name"] == "mltest"]

    assert len(PluginResponse.model_validate(told[0]).external_views) == 3


def test_links_are_relative_since_airflow_may_live_under_a_path_of_its_host():
    assert [view["href"] for view in MLTestPlugin.external_views if not view["href"].startswith("mltest/")] == []


def test_task_process_that_loads_the_plugin_loads_no_page():
    script = (
        "import sys, airflow.sdk; before = set(sys.modules); import airflow_mltest.plugin.ui;"
        "new = sys.modules.keys() - before;"
        "print(sorted(m for m in new if m.split('.')[0] in {'fastapi', 'starlette', 'jinja2', 'sqlalchemy'}"
        " or m.startswith(('airflow_mltest.reports', 'airflow_mltest.plugin.w', 'airflow_mltest.plugin.a'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
