"""Questions to ask, one a file."""

from airflow_mltest.checks.data.row_count import RowCount
from airflow_mltest.checks.model.baseline import NotWorseThan
from airflow_mltest.checks.model.deterministic import Deterministic
from airflow_mltest.checks.model.latency import Latency
from airflow_mltest.checks.model.metric import Metric
from airflow_mltest.checks.model.noise import Noise
from airflow_mltest.checks.model.signature import Signature
from airflow_mltest.checks.model.slices import Slices

__all__ = ["Deterministic", "Latency", "Metric", "Noise", "NotWorseThan", "RowCount", "Signature", "Slices"]
