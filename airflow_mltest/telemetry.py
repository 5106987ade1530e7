"""Metrics and traces through Airflow's own; StatsD or OTel is the deployment's choice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.observability.stats import Stats

from airflow_mltest.core.metrics import metrics_of

if TYPE_CHECKING:
    from airflow_mltest.core.outcome import Suite


def emit(suite: Suite) -> None:
    """
    Send the numbers of a finished *suite* to Airflow's metrics, and its spans to its traces.

    `mltest.cases{suite,kind,outcome}` counts cases, `mltest.duration{suite,kind}` is a timing in
    milliseconds, and `mltest.metric{suite,kind,metric}` a gauge for each number it measured.
    Nothing is sent where the deployment has switched them off.
    """
    tags = {"suite": suite.name, "kind": suite.kind}
    for outcome, count in suite.counts.items():
        if count:
            Stats.incr("mltest.cases", count, tags={**tags, "outcome": outcome})
    Stats.timing("mltest.duration", suite.duration_s * 1000, tags=tags)
    for metric, value in metrics_of(suite).items():
        Stats.gauge("mltest.metric", value, tags={**tags, "metric": metric})
    _trace(suite)


def _trace(suite: Suite) -> None:
    """Draw the suite as one span, and its cases as spans one after the other, in the past."""
    from opentelemetry import trace

    if not trace.get_current_span().is_recording():
        return
    tracer = trace.get_tracer("airflow_mltest")
    start_ns = int(suite.started_at.timestamp() * 1e9)
    end_ns = start_ns + int(suite.duration_s * 1e9)
    attributes = {"mltest.kind": suite.kind, "mltest.outcome": suite.outcome.value}
    span = tracer.start_span(f"mltest.suite {suite.name}", start_time=start_ns, attributes=attributes)
    with trace.use_span(span, end_on_exit=False):
        begin_ns = start_ns
        for case in suite.cases:
            stop_ns = begin_ns + int(timedelta(seconds=case.duration_s).total_seconds() * 1e9)
            tracer.start_span(
                f"mltest.case {case.name}", start_time=begin_ns, attributes={"mltest.outcome": case.outcome.value}
            ).end(stop_ns)
            begin_ns = stop_ns
    span.end(end_ns)
