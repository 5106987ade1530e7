"""The integration tests need the fixtures of airflow-mltest; the unit tests run where it is not installed, too."""

from importlib.util import find_spec

try:
    found = find_spec("airflow_mltest.testing")
except ModuleNotFoundError:
    found = None
pytest_plugins = ["airflow_mltest.testing"] if found else []
