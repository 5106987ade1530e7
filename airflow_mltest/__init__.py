"""Run tests of code, data and models as tasks of an Airflow DAG."""

__version__ = "0.1.0"
