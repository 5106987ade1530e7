"""A home for Airflow that no other run sees; nothing here imports Airflow, for the pure tests' sake."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="mltest-airflow-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# Before anything imports Airflow, which reads them once.
os.environ.update(
    AIRFLOW_HOME=str(_HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).parents[1] / "dags"),
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__MLTEST__REPORT_ROOT=str(_HOME / "reports"),
    AIRFLOW_CONN_MLFLOW_DEFAULT=f'{{"conn_type": "mlflow", "host": "sqlite:///{_HOME}/mlflow.db"}}',
    MLFLOW_DISABLE_TELEMETRY="true",
)
