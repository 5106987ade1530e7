import importlib
import json
import subprocess
import sys
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_mltest.provider import get_provider_info


def test_airflow_accepts_what_it_is_told():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


def test_every_name_that_airflow_is_told_exists():
    info = get_provider_info()
    rooms = ("operators", "hooks", "sensors", "triggers")
    modules = [module for room in rooms for group in info[room] for module in group["python-modules"]]
    for module in modules:
        importlib.import_module(module)
    classes = [
        *info["extra-links"],
        *info["notifications"],
        *(kind["hook-class-name"] for kind in info["connection-types"]),
    ]
    for name in classes:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)


def test_airflow_finds_provider_connection_link_and_plugin():
    from airflow.plugins_manager import get_fastapi_plugins
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()

    assert "airflow-mltest" in manager.providers
    assert "mlflow" in manager.hooks
    assert "airflow_mltest.operators.suite.ReportLink" in manager.extra_links_class_names
    assert {"/mltest", "/mltest-webhook"} <= {app["url_prefix"] for app in get_fastapi_plugins()[0]}


@pytest.mark.parametrize(
    "module", ["pytest", "data", "model", "deployment", "environment", "report", "gate", "promote"]
)
def test_operator_is_imported_without_what_it_tests_with(module):
    script = (
        f"import sys, airflow_mltest.operators.{module}, airflow_mltest.checks, airflow_mltest.plugin.ui;"
        "heavy = {'pandas', 'mlflow', 'great_expectations', 'sklearn', 'scipy', 'kubernetes'};"
        "heavy |= {'airflow_mltest.plugin.web', 'airflow_mltest.plugin.webhook'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
