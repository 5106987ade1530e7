from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.telemetry import emit

SUITE = Suite(
    name="unit",
    kind="code",
    cases=(
        Case(name="a", outcome=Outcome.PASSED, duration_s=1.0),
        Case(name="b", outcome=Outcome.FAILED, duration_s=2.0),
    ),
    started_at=datetime(2026, 11, 23, tzinfo=UTC),
    duration_s=3.5,
)


@pytest.fixture
def spans(monkeypatch):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return provider, exporter


def test_suite_and_cases_are_spans_below_the_tasks_own(spans):
    provider, exporter = spans
    with provider.get_tracer("airflow").start_as_current_span("task"):
        emit(SUITE)
    found = {span.name: span for span in exporter.get_finished_spans()}

    suite, first, second = found["mltest.suite unit"], found["mltest.case a"], found["mltest.case b"]
    assert suite.parent.span_id == found["task"].context.span_id
    assert first.parent.span_id == second.parent.span_id == suite.context.span_id
    assert second.attributes["mltest.outcome"] == "failed"
    assert (suite.end_time - suite.start_time) / 1e9 == 3.5
    assert (second.end_time - second.start_time, second.start_time - suite.start_time) == (2 * 10**9, 10**9)


def test_nothing_is_traced_where_the_deployment_traces_nothing(spans):
    emit(SUITE)

    assert spans[1].get_finished_spans() == ()
