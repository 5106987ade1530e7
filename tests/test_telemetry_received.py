"""What arrives at a metrics server and a trace collector when Airflow runs a testing task in a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

CONFTEST = Path(__file__).parent / "operators" / "conftest.py"
DOCS = Path(__file__).parents[1] / "docs"
CASES = 1200
DAG = f"""
import math

from airflow.sdk import DAG

from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.operators.suite import SuiteOperator

NUMBERS = {{
    "roc_auc": 0.91, "r2": -0.5, "tiny": 1e-7, "unknown": math.nan, "endless": math.inf,
    "roc_auc[country=nl|be]": 0.8, "größe:m": 1.75, "roc_auc[0.31 <= age < 0.52]": 0.7,
}}


class Recorded(SuiteOperator):
    kind = "model"

    def record(self, recording, context):
        recording.about(model="churn", version="3")
        measured = tuple(Measurement(name=name, value=value) for name, value in NUMBERS.items())
        recording.add(Case(name="quality", outcome=Outcome.PASSED, duration_s=1.0, measurements=measured))
        for index in range({CASES}):
            recording.add(Case(name=f"case {{index}}: größe|x", outcome=Outcome.PASSED, duration_s=0.001))
        recording.add(Case(name="late", outcome=Outcome.FAILED, detail="0.4 is less than 0.5", duration_s=2.0))
        recording.add(Case(name="lost", outcome=Outcome.BROKEN, detail="its process died"))
        recording.add(Case(name="again", outcome=Outcome.PASSED, flaky=True))


with DAG("d", schedule=None):
    Recorded(task_id="tests.größe")
"""
# What an executor does with a task, but that the server's answers are made up.
SUPERVISE = """
import runpy, sys
from pathlib import Path
from uuid import uuid4

import httpx
from airflow.executors.workloads import BundleInfo
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.execution_time.supervisor import supervise_task

made_up = runpy.run_path(sys.argv[1])
ran = made_up["Ran"]()
server = made_up["ApiServer"](ran, 0, {}, {}, Path("reports"))
instance = TaskInstance(
    id=uuid4(), task_id="tests.größe", dag_id="d", run_id="r", try_number=1, dag_version_id=uuid4(),
    context_carrier={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
)
client = Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(server))
supervise_task(
    ti=instance, bundle_info=BundleInfo(name="tests"), dag_rel_path="dag.py", token="", client=client, log_path="log"
)
assert ran.xcoms["summary"]["outcome"] == "failed", ran.xcoms
"""
TRACE_ID, TASK_RUN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def run_task(folder, **environment):
    """Run the task to its end, with *environment* set before Airflow is imported."""
    folder.mkdir(exist_ok=True)
    (folder / "dag.py").write_text(DAG)
    bundle = {"classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": str(folder)}}
    ran = subprocess.run(
        [sys.executable, "-c", SUPERVISE, str(CONFTEST)],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "OTEL"))}
        | {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([{"name": "tests", **bundle}]),
            "AIRFLOW__MLTEST__REPORT_ROOT": str(folder / "reports"),
            "PYTHONUTF8": "1",
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-5000:]
    return ran.stdout


@contextmanager
def statsd():
    """Listen as a StatsD server does; gives the environment that leads there, and what has been received of ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind(("127.0.0.1", 0))

        def received():
            server.setblocking(False)
            packets = []
            with suppress(BlockingIOError):
                while True:
                    packets.append(server.recv(65536).decode())
            return [line for packet in packets for line in packet.splitlines() if ".mltest." in line]

        port = server.getsockname()[1]
        yield (
            {
                "AIRFLOW__METRICS__STATSD_ON": "true",
                "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__STATSD_PORT": str(port),
            },
            received,
        )


@contextmanager
def collector():
    """Receive OTLP over HTTP; gives the environment that leads there, and the messages by path."""
    messages = {"/v1/metrics": [], "/v1/traces": []}
    kinds = {"/v1/metrics": ExportMetricsServiceRequest, "/v1/traces": ExportTraceServiceRequest}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            messages[self.path].append(kinds[self.path].FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield (
            {
                "AIRFLOW__METRICS__OTEL_ON": "true",
                "AIRFLOW__TRACES__OTEL_ON": "true",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_TRACES_EXPORTER": "otlp_proto_http",
            },
            messages,
        )
        server.shutdown()
        thread.join()


def tags_of(line, style):
    """Take a line of InfluxDB's or Datadog's style apart: name, tags, value with its type."""
    if style == "influx":
        names, _, value = line.partition(":")
    else:
        line, _, tags = line.partition("|#")
        name, value = line.split(":")
        names = f"{name},{tags.replace(':', '=')}"
    name, *tags = names.split(",")
    return name, dict(tag.split("=") for tag in tags), value


def exported(name, tags):
    """Give the name and the labels that the exporter makes by our mapping."""
    for mapping in yaml.safe_load((DOCS / "statsd-mapping.yaml").read_text())["mappings"]:
        parts = re.fullmatch(re.escape(mapping["match"]).replace(r"\*", "([^.]+)"), name)
        if parts:
            read = {key: parts[int(place[1:])] for key, place in mapping.get("labels", {}).items()}
            return mapping["name"], {**read, **tags}
    return None


SUITE = {"dag_id": "d", "suite": "tests.gr_e_1dd6f1d7", "kind": "model"}
# What is no number is not sent, nor what a bound found in the data is the name of.
MEASURED = {"roc_auc": 0.91, "r2": -0.5, "tiny": 1e-7, "roc_auc_country_nl_be_981e27cb": 0.8, "gr_e_m_00e31c56": 1.75}
STYLES = {"influx": "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "datadog": "AIRFLOW__METRICS__STATSD_DATADOG_ENABLED"}


@pytest.mark.parametrize("style", STYLES)
def test_tags_arrive_in_the_style_of_the_server(style, tmp_path):
    with statsd() as (environment, received):
        run_task(tmp_path, **environment, **{STYLES[style]: "true"})
        lines = received()
    assert all(line.isascii() and " " not in line for line in lines)
    found = {(name, *sorted(tags.items())): value for name, tags, value in (tags_of(line, style) for line in lines)}

    def value(name, **tags):
        return found.pop((f"airflow.mltest.{name}", *sorted({**SUITE, **tags}.items())))

    counts = {"passed": CASES + 2, "failed": 1, "broken": 1, "inconclusive": 0, "skipped": 0}
    assert {outcome: value("cases", outcome=outcome) for outcome in counts} == {
        outcome: f"{count}|c" for outcome, count in counts.items()
    }
    assert {outcome for outcome in counts if value("suites", outcome=outcome) == "1|c"} == {"failed"}
    assert value("flaky") == "1|c"
    milliseconds, kind = value("duration").split("|")
    assert (float(milliseconds) > 0, kind) == (True, "ms")
    assert value("model_version", model="churn") == "3|g"
    measured = {metric: float(value("metric", model="churn", metric=metric).removesuffix("|g")) for metric in MEASURED}
    assert measured == MEASURED
    assert not found  # no case has a series of its own


def test_plain_statsd_has_the_tags_in_the_name_and_the_exporter_reads_them_there(tmp_path):
    with statsd() as (environment, received):
        run_task(tmp_path, **environment)
        lines = dict(line.split(":") for line in received())
    series = {exported(name, {})[0]: exported(name, {})[1] for name in lines}

    suite = "d.tests__gr_e_1dd6f1d7.model"
    assert lines[f"airflow.mltest.cases.{suite}.passed"] == f"{CASES + 2}|c"
    assert lines[f"airflow.mltest.suites.{suite}.failed"] == "1|c"
    assert lines[f"airflow.mltest.metric.{suite}.churn.roc_auc"] == "0.91|g"
    assert lines[f"airflow.mltest.metric.{suite}.churn.r2"] == "-0.5|g"
    named = {**SUITE, "suite": "tests__gr_e_1dd6f1d7"}
    assert series == {
        "mltest_cases_total": {**named, "outcome": "skipped"},
        "mltest_flaky_total": named,
        "mltest_suites_total": {**named, "outcome": "skipped"},
        "mltest_duration_seconds": named,
        "mltest_model_version": {**named, "model": "churn"},
        "mltest_metric": {**named, "model": "churn", "metric": "gr_e_m_00e31c56"},
    }


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    with collector() as (environment, messages):
        run_task(tmp_path_factory.mktemp("otel"), **environment)
    return messages


def attributes_of(one):
    return {item.key: item.value.string_value or item.value.int_value for item in one.attributes}


def test_opentelemetry_collector_receives_every_metric_with_its_attributes(collected):
    scopes = [
        scope for told in collected["/v1/metrics"] for each in told.resource_metrics for scope in each.scope_metrics
    ]
    metrics = {metric.name: metric for scope in scopes for metric in scope.metrics if ".mltest." in metric.name}
    found = {
        name: [(attributes_of(point), point) for point in getattr(metric, metric.WhichOneof("data")).data_points]
        for name, metric in metrics.items()
    }

    cases = {tags["outcome"]: point.as_int for tags, point in found.pop("airflow.mltest.cases")}
    assert cases == {"passed": CASES + 2, "failed": 1, "broken": 1, "inconclusive": 0, "skipped": 0}
    assert metrics["airflow.mltest.cases"].sum.is_monotonic
    ((tags, duration),) = found.pop("airflow.mltest.duration")
    assert (tags, duration.count, duration.sum > 0, metrics["airflow.mltest.duration"].unit) == (SUITE, 1, True, "ms")
    measured = {tags["metric"]: point.as_double for tags, point in found.pop("airflow.mltest.metric")}
    assert measured == MEASURED
    ((tags, version),) = found.pop("airflow.mltest.model_version")
    assert (tags, version.as_int or version.as_double) == ({**SUITE, "model": "churn"}, 3)
    assert set(found) == {"airflow.mltest.flaky", "airflow.mltest.suites"}


def test_opentelemetry_collector_receives_a_span_of_the_suite_below_the_tasks_and_one_of_each_case(collected):
    scopes = [scope for told in collected["/v1/traces"] for each in told.resource_spans for scope in each.scope_spans]
    spans = {span.name: span for scope in scopes for span in scope.spans}
    task, suite = spans["worker.tests.größe"], spans["mltest.suite tests.größe"]
    cases = [span for name, span in spans.items() if name.startswith("mltest.case ")]

    assert {span.trace_id.hex() for span in spans.values()} == {TRACE_ID}
    assert (task.parent_span_id.hex(), suite.parent_span_id) == (TASK_RUN_ID, task.span_id)
    assert {span.parent_span_id for span in cases} == {suite.span_id}
    assert len(cases) == 1000  # of 1204: what has not passed, and then as they ended
    assert attributes_of(suite) == {
        "mltest.name": "tests.größe",
        "mltest.kind": "model",
        "mltest.outcome": "failed",
        "mltest.cases": CASES + 4,
    }
    assert suite.status.code == suite.status.STATUS_CODE_ERROR
    late, lost, first = (spans[f"mltest.case {name}"] for name in ("late", "lost", "case 0: größe|x"))
    assert attributes_of(late) == {"mltest.name": "late", "mltest.outcome": "failed"}
    assert (late.status.code, late.status.message) == (late.status.STATUS_CODE_ERROR, "0.4 is less than 0.5")
    assert (lost.status.code, lost.status.message) == (lost.status.STATUS_CODE_ERROR, "its process died")
    assert first.status.code == first.status.STATUS_CODE_UNSET
    assert late.end_time_unix_nano - late.start_time_unix_nano == 2 * 10**9
