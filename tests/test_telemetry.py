import json
import logging
import re
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import promql_parser
import pytest
from airflow.sdk.observability.stats import Stats
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_mltest.core.metrics import samples_of
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite
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
DOCS = Path(__file__).parents[1] / "docs"
PROMETHEUS = {"incr": "_total", "timing": "_seconds", "gauge": ""}
# What the exporter makes of one histogram.
HISTOGRAM = ("_bucket", "_count", "_sum")
OFF = """
import sys
from datetime import UTC, datetime

from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.telemetry import emit

before = set(sys.modules)
emit(Suite(name="unit", kind="code", cases=(Case(name="a", outcome=Outcome.PASSED),)))
print(*sorted(set(sys.modules) - before))
"""


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


def test_deployment_that_watches_nothing_loads_no_client():
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True, timeout=120)

    assert not [name for name in ran.stdout.split() if name.startswith(("statsd", "datadog", "opentelemetry.exporter"))]


def test_metrics_server_that_fails_changes_no_verdict_and_is_told(monkeypatch, caplog):
    def fail(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(Stats, "incr", fail)
    with caplog.at_level(logging.WARNING, logger="airflow_mltest"):
        emit(SUITE)

    assert "of the suite unit were not sent" in caplog.text
    assert "ConnectionError" in caplog.text


def test_suite_that_did_not_end_says_in_its_span_why(spans):
    provider, exporter = spans
    with provider.get_tracer("airflow").start_as_current_span("task"):
        emit(Suite(name="unit", kind="code", cases=SUITE.cases[:1], incomplete="its worker was lost"))
    found = {span.name: span for span in exporter.get_finished_spans()}

    assert found["mltest.suite unit"].status.description == "its worker was lost"
    assert not found["mltest.suite unit"].status.is_ok
    assert found["mltest.case a"].status.is_unset


@pytest.fixture(scope="module")
def sent():
    """Give every metric that there is, by its name in Prometheus: as it is sent, and with which tags."""
    measured = (Measurement(name="roc_auc", value=0.9),)
    suite = Suite(
        name="model",
        kind="model",
        cases=(Case(name="quality", outcome=Outcome.PASSED, measurements=measured),),
        subject={"model": "churn", "version": "3"},
        origin=Origin(dag_id="release", run_id="r", task_id="model"),
    )
    return {sample.name.replace(".", "_") + PROMETHEUS[sample.method]: sample for sample in samples_of(suite)}


def test_table_names_every_metric_with_its_type_and_tags(sent):
    rows = re.findall(
        r"^\| `(mltest\.\w+)` \| (\w+) \| (.+?) \| .* \| `(\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE
    )

    types = {"counter": "incr", "timing": "timing", "gauge": "gauge"}
    assert {row[3]: (row[0], types[row[1]], re.findall(r"`(\w+)`", row[2])) for row in rows} == {
        name: (sample.name, sample.method, list(sample.tags)) for name, sample in sent.items()
    }


def test_exporter_is_told_of_every_metric_with_tags_and_without(sent):
    exported = runpy.run_path(str(Path(__file__).parent / "test_telemetry_received.py"))["exported"]

    for name, sample in sent.items():
        assert exported(f"airflow.{sample.name}", sample.tags) == (name, sample.tags)
        assert exported(f"airflow.{sample.dotted}", {}) == (name, sample.tags)


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DOCS / "grafana-dashboard.json").read_text())


def selectors_in(node):
    """Walk a query's syntax tree: the series that it asks for."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "param", "vs", "vector_selector"):
        below = getattr(node, name, None)
        if below is not None:
            yield from selectors_in(below)
    for below in getattr(node, "args", None) or ():
        yield from selectors_in(below)


def test_dashboard_asks_for_every_metric_by_labels_that_it_has_and_for_no_other(sent, dashboard):
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = set()
    for query in queries:
        tree = promql_parser.parse(query.replace("$__interval", "5m").replace("$__range", "7d"))
        labels = set()
        for selector in selectors_in(tree):
            name = re.sub(f"({'|'.join(HISTOGRAM)})$", "", selector.name)
            asked.add(name)
            labels.update(sent[name].tags)
            assert {matcher.name for matcher in selector.matchers.matchers} <= set(sent[name].tags), query
        grouped = {label for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for label in listed.split(", ")}
        assert grouped - {"le"} <= labels, query
    assert asked == set(sent)


def test_dashboards_variables_are_used_and_ask_for_labels_that_there_are(sent, dashboard):
    text = json.dumps(dashboard["panels"])
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}

    assert set(re.findall(r"\$\{?([a-z]\w+)", text)) == set(variables)
    for name, variable in variables.items():
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+).*, (\w+)\)", variable["query"]["query"]).groups()
            assert label == name
            assert label in sent[metric].tags
            assert variable["allValue"] == ".+"  # leaves out what plain StatsD adds up over all suites


def test_dashboards_panels_have_their_own_ids_and_places(dashboard):
    panels = dashboard["panels"]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
