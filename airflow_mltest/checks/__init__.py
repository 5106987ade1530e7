"""Questions to ask, one a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mltest.attacks.constraints import Constraints
    from airflow_mltest.checks.data.drift import Drift
    from airflow_mltest.checks.data.freshness import Freshness
    from airflow_mltest.checks.data.label_shift import LabelShift
    from airflow_mltest.checks.data.leakage import Leakage
    from airflow_mltest.checks.data.privacy import Privacy
    from airflow_mltest.checks.data.row_count import RowCount
    from airflow_mltest.checks.data.schema import Schema
    from airflow_mltest.checks.data.skew import Skew
    from airflow_mltest.checks.deployment.bad_requests import BadRequests
    from airflow_mltest.checks.deployment.clean_stop import CleanStop
    from airflow_mltest.checks.deployment.http_latency import HttpLatency
    from airflow_mltest.checks.deployment.parity import Parity
    from airflow_mltest.checks.deployment.server_memory import ServerMemory
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
    "BadRequests",
    "Calibration",
    "CleanStop",
    "Constraints",
    "Corruption",
    "Deterministic",
    "Directional",
    "Drift",
    "Fairness",
    "FiniteOutputs",
    "Freshness",
    "HttpLatency",
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
    "Parity",
    "PeakMemory",
    "Privacy",
    "RoundTrip",
    "RowCount",
    "Schema",
    "ServerMemory",
    "Signature",
    "SimplerModel",
    "Skew",
    "Slices",
    "Staleness",
    "Throughput",
    "TrainingReproducible",
]

# A DAG that names three of them is parsed again and again, and must not load thirty.
_MODULES = {
    "Adversarial": "checks.model.adversarial",
    "BadRequests": "checks.deployment.bad_requests",
    "Calibration": "checks.model.calibration",
    "CleanStop": "checks.deployment.clean_stop",
    "Constraints": "attacks.constraints",
    "Corruption": "checks.model.corruption",
    "Deterministic": "checks.model.deterministic",
    "Directional": "checks.model.directional",
    "Drift": "checks.data.drift",
    "Fairness": "checks.model.fairness",
    "FiniteOutputs": "checks.model.finite_outputs",
    "Freshness": "checks.data.freshness",
    "HttpLatency": "checks.deployment.http_latency",
    "Invariance": "checks.model.invariance",
    "LabelShift": "checks.data.label_shift",
    "Latency": "checks.model.latency",
    "LatencyRatio": "checks.model.latency_ratio",
    "Leakage": "checks.data.leakage",
    "Metric": "checks.model.metric",
    "MissingValues": "checks.model.missing_values",
    "Noise": "checks.model.noise",
    "NotWorseThan": "checks.model.baseline",
    "Overfit": "checks.model.overfit",
    "Parity": "checks.deployment.parity",
    "PeakMemory": "checks.model.peak_memory",
    "Privacy": "checks.data.privacy",
    "RoundTrip": "checks.model.round_trip",
    "RowCount": "checks.data.row_count",
    "Schema": "checks.data.schema",
    "ServerMemory": "checks.deployment.server_memory",
    "Signature": "checks.model.signature",
    "SimplerModel": "checks.model.simpler_model",
    "Skew": "checks.data.skew",
    "Slices": "checks.model.slices",
    "Staleness": "checks.model.staleness",
    "Throughput": "checks.model.throughput",
    "TrainingReproducible": "checks.model.training",
}


def __getattr__(name: str) -> Any:
    """Load a check when it is named."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"airflow_mltest.{_MODULES[name]}"), name)
