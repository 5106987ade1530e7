"""Questions to ask, one a file."""

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.checks.data.drift import Drift
from airflow_mltest.checks.data.freshness import Freshness
from airflow_mltest.checks.data.label_shift import LabelShift
from airflow_mltest.checks.data.leakage import Leakage
from airflow_mltest.checks.data.privacy import Privacy
from airflow_mltest.checks.data.row_count import RowCount
from airflow_mltest.checks.data.schema import Schema
from airflow_mltest.checks.data.skew import Skew
from airflow_mltest.checks.model.adversarial import Adversarial
from airflow_mltest.checks.model.baseline import NotWorseThan
from airflow_mltest.checks.model.calibration import Calibration
from airflow_mltest.checks.model.corruption import Corruption
from airflow_mltest.checks.model.deterministic import Deterministic
from airflow_mltest.checks.model.directional import Directional
from airflow_mltest.checks.model.fairness import Fairness
from airflow_mltest.checks.model.finite_outputs import FiniteOutputs
from airflow_mltest.checks.model.invariance import Invariance
from airflow_mltest.checks.model.latency import Latency
from airflow_mltest.checks.model.latency_ratio import LatencyRatio
from airflow_mltest.checks.model.metric import Metric
from airflow_mltest.checks.model.missing_values import MissingValues
from airflow_mltest.checks.model.noise import Noise
from airflow_mltest.checks.model.overfit import Overfit
from airflow_mltest.checks.model.peak_memory import PeakMemory
from airflow_mltest.checks.model.round_trip import RoundTrip
from airflow_mltest.checks.model.signature import Signature
from airflow_mltest.checks.model.simpler_model import SimplerModel
from airflow_mltest.checks.model.slices import Slices
from airflow_mltest.checks.model.staleness import Staleness
from airflow_mltest.checks.model.throughput import Throughput
from airflow_mltest.checks.model.training import TrainingReproducible

__all__ = [
    "Adversarial",
    "Calibration",
    "Constraints",
    "Corruption",
    "Deterministic",
    "Directional",
    "Drift",
    "Fairness",
    "FiniteOutputs",
    "Freshness",
    "Invariance",
    "LabelShift",
    "Latency",
    "LatencyRatio",
    "Leakage",
    "Metric",
    "MissingValues",
    "Noise",
    "NotWorseThan",
    "Overfit",
    "PeakMemory",
    "Privacy",
    "RoundTrip",
    "RowCount",
    "Schema",
    "Signature",
    "SimplerModel",
    "Skew",
    "Slices",
    "Staleness",
    "Throughput",
    "TrainingReproducible",
]
