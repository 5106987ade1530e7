"""Metrics and traces through Airflow's own; StatsD or OTel is the deployment's choice."""

from __future__ import annotations

import logging
from itertools import accumulate, islice, pairwise
from typing import TYPE_CHECKING

from airflow.sdk.observability.stats import Stats

from airflow_mltest.core.metrics import samples_of
from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span, Tracer

    from airflow_mltest.core.outcome import Case, Suite

# The exporter's queue holds 2048, and drops what comes after.
_MOST_SPANS = 1000
_SHORT = 500
_AGAINST = {Outcome.FAILED, Outcome.BROKEN}
_log = logging.getLogger(__name__)


def emit(suite: Suite) -> None:
    """
    Send the numbers of a finished *suite* to Airflow's metrics, and its spans to its traces.

    `mltest.cases{suite,kind,outcome}` counts cases, `mltest.duration{suite,kind}` is a timing in
    milliseconds, and `mltest.metric{suite,kind,metric}` a gauge for each number it measured;
    `docs/metrics.md` has them all. Nothing is sent where the deployment has switched them off, and
    no verdict hangs on whoever watches: what goes wrong here is logged.
    """
    try:
        _count(suite)
        _trace(suite)
    except Exception:  # noqa: BLE001  a client's, a network's
        _log.warning("Metrics or traces of the suite %s were not sent", suite.name, exc_info=True)


def _count(suite: Suite) -> None:
    untagged = _loses_tags()
    for sample in samples_of(suite):
        send = getattr(Stats, sample.method)
        send(sample.name, sample.value, tags=dict(sample.tags))
        if untagged:
            send(sample.dotted, sample.value)


def _loses_tags() -> bool:
    """Tell if Airflow sends a metric's bare name, as plain StatsD has no tags."""
    from airflow.sdk import conf

    if conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False):
        return not conf.getboolean("metrics", "statsd_datadog_metrics_tags", fallback=True)
    if conf.getboolean("metrics", "statsd_on", fallback=False):
        return not conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False)
    return False


def _trace(suite: Suite) -> None:
    """Draw the suite as one span, and its cases as spans one after the other, in the past."""
    from opentelemetry import trace

    if not trace.get_current_span().is_recording():
        return
    tracer = trace.get_tracer("airflow_mltest")
    start_ns = int(suite.started_at.timestamp() * 1e9)
    attributes = {
        "mltest.name": suite.name,
        "mltest.kind": suite.kind,
        "mltest.outcome": suite.outcome.value,
        "mltest.cases": len(suite.cases),
    }
    span = tracer.start_span(f"mltest.suite {suite.name}", start_time=start_ns, attributes=attributes)
    _judge(span, suite.outcome, suite.incomplete)
    with trace.use_span(span, end_on_exit=False):
        for case, begin_ns, end_ns in _drawn(suite, start_ns):
            _draw(tracer, case, begin_ns, end_ns)
    span.end(start_ns + int(suite.duration_s * 1e9))


def _drawn(suite: Suite, start_ns: int) -> Iterator[tuple[Case, int, int]]:
    """Give the cases that become spans, each with its begin and end; what has not passed comes first."""
    ends = accumulate((int(case.duration_s * 1e9) for case in suite.cases), initial=start_ns)
    placed = [(case, *times) for case, times in zip(suite.cases, pairwise(ends), strict=True)]
    if len(placed) > _MOST_SPANS:
        placed.sort(key=lambda one: one[0].outcome not in _AGAINST)
    return islice(placed, _MOST_SPANS)


def _draw(tracer: Tracer, case: Case, begin_ns: int, end_ns: int) -> None:
    attributes = {"mltest.name": case.name, "mltest.outcome": case.outcome.value}
    span = tracer.start_span(f"mltest.case {case.name}", start_time=begin_ns, attributes=attributes)
    _judge(span, case.outcome, case.detail)
    span.end(end_ns)


def _judge(span: Span, outcome: Outcome, why: str) -> None:
    """Mark a span as an error if it speaks against what was tested."""
    from opentelemetry.trace import Status, StatusCode

    if outcome in _AGAINST:
        span.set_status(Status(StatusCode.ERROR, why[:_SHORT]))
