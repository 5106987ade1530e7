"""Real servers: most are a user's own command, which starts at once; MLflow's own takes seconds."""

import json
import os
import runpy
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

SERVERS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "servers.py")))
LIVING = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "living.py")))


@pytest.fixture
def deploy(churn_store, run_task, tmp_path):
    """Test a deployment of `churn`; returns what became of the task."""

    def deploy(config, *, model="models:/churn/1", write=None, **own):
        if write:
            path = tmp_path / write
            path.write_text(config if isinstance(config, str) else json.dumps(config))
            config = str(path)

        def make(**kwargs):
            from airflow_mltest.operators.deployment import DeploymentTestOperator

            own.setdefault("data", churn_store.data)
            return DeploymentTestOperator(task_id="deployment", model=model, config=config, **own, **kwargs)

        return run_task(make, retries=1)

    return deploy


@pytest.fixture
def own_server(tmp_path):
    """A configuration whose command answers 1 where calls outnumber months, as good as `churn` does; or as told."""

    def config(answer="[int(row[c] > row[m]) for row in rows['data']]", script=SERVERS.ORDERLY, **more):
        lines = f"c, m = rows['columns'].index('calls'), rows['columns'].index('months'); return {answer}"
        body = script.replace('x = rows["columns"].index("x")', lines)
        command = SERVERS.command_of(sys.executable, tmp_path, body)
        return {"command": list(command), "health": "/up", **more}

    return config


@dataclass(frozen=True, kw_only=True)
class Asks:
    """Ask the server about one row, and say what it said."""

    name: str = "asks"

    def run(self, subject):
        answer = subject.server.post(
            json.dumps({"dataframe_split": {"columns": ["calls", "months"], "data": [[1, 0]]}})
        )
        return Case(name=self.name, outcome=Outcome.PASSED, detail=answer.text)


def test_model_behind_mlflows_server_is_asked_all_that_needs_no_number_and_told_by_its_digest(
    deploy, kept, churn_store, report_root
):
    churn_store.registry.point("churn", "champion", "1")
    ran = deploy(
        "model: models:/churn@champion\nmemory_gib: 4\nenv:\n  OMP_NUM_THREADS: 1\n  TOKEN: hunter2hunter2\n",
        write="deployment.yaml",
        model="models:/churn@champion",
    )

    assert ran.state == "success", ran.error
    suite = kept()["deployment"]
    assert suite.kind == "deployment"
    assert {case.name: case.outcome.value for case in suite.cases} == dict.fromkeys(
        ["parity", "bad_requests", "clean_stop"], "passed"
    )
    assert suite.subject["model"] == "churn"
    assert suite.subject["version"] == "1"
    assert suite.subject["model_digest"] == churn_store.registry.digest("churn", "1")
    assert suite.subject["data"].endswith("rows.parquet")
    assert suite.subject["data_digest"].startswith("sha256:")
    assert suite.environment["deployment"] == {"workers": 1, "env": ["OMP_NUM_THREADS", "TOKEN"], "memory_gib": 4.0}
    (report,) = report_root.rglob("1.json")
    assert "hunter2" not in json.dumps(ran.xcoms) + report.read_text()


def test_model_that_answers_otherwise_when_served_is_found_row_by_row(deploy, kept, own_server):
    from airflow_mltest.checks import Parity

    ran = deploy(own_server("[1 for row in rows['data']]"), checks=[Parity(rows=50, alone=2)])

    assert ran.state == "failed"
    (case,) = kept()["deployment"].cases
    assert case.outcome is Outcome.FAILED
    assert "0 offline, 1 online" in case.detail


def test_model_that_a_variable_of_production_changes_is_found(deploy, kept, tmp_path):
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    from airflow_mltest.checks import Parity

    (tmp_path / "model.py").write_text(
        "import os, mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['calls'] * float(os.environ.get('SCALE', '1'))\n"
        "mlflow.models.set_model(Model())\n"
    )
    mlflow.pyfunc.save_model(
        str(tmp_path / "model"),
        python_model=str(tmp_path / "model.py"),
        signature=infer_signature(pd.DataFrame({"calls": [1.0]}), pd.Series([1.0])),
        pip_requirements=["mlflow"],
    )

    ran = deploy({"env": {"SCALE": "2"}}, model=str(tmp_path / "model"), checks=[Parity(rows=20, alone=1)])

    assert ran.state == "failed"
    (case,) = kept()["deployment"].cases
    assert case.detail.startswith("20 of 20 rows are answered otherwise over HTTP")


def test_users_own_start_command_is_tested_likewise(deploy, kept, own_server):
    from airflow_mltest.checks import BadRequests, CleanStop, HttpLatency, ServerMemory

    latency = HttpLatency(p95_ms=2000, rate_per_s=200, requests=60)
    ran = deploy(own_server(), checks=[CleanStop(), BadRequests(), latency, ServerMemory(maximum_gib=1), Asks()])

    cases = kept()["deployment"].cases
    assert [case.name for case in cases] == ["bad_requests", "http_latency", "server_memory", "asks", "clean_stop"]
    # It answers text where a number belongs with an error of its own; all else as well as MLflow's.
    assert {case.name for case in cases if case.outcome is not Outcome.PASSED} == set(), ran.error
    assert "server_memory_gib" in ran.xcoms["summary"]["metrics"]


def test_server_that_dies_in_one_check_is_broken_there_and_started_anew_for_the_next(deploy, kept, own_server):
    from airflow_mltest.checks import HttpLatency

    dying = "[os._exit(3) if os.times().elapsed > BORN + 1 else 1 for row in rows['data']]"
    config = own_server(dying, script=SERVERS.ORDERLY.replace("server =", "BORN = os.times().elapsed\nserver =", 1))
    ran = deploy(config, checks=[Asks(), HttpLatency(p95_ms=500, rate_per_s=50, requests=100, warmup=1), Asks()])

    assert ran.state == "failed"
    before, latency, after = kept()["deployment"].cases
    assert latency.outcome is Outcome.BROKEN
    assert "the server ended under load, after" in latency.detail
    assert (before.outcome, after.outcome) == (Outcome.PASSED, Outcome.PASSED)
    assert not LIVING.alive(config["command"][1])


def test_server_that_does_not_start_is_a_broken_run_with_the_end_of_its_log(deploy, own_server):
    ran = deploy(own_server(script="print('no port is good enough'); raise SystemExit(4)"))

    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, BrokenRunError)
    assert "models:/churn/1 could not start, and ended with exit code 4" in str(ran.error)
    assert "no port is good enough" in str(ran.error)


def test_server_that_never_answers_is_given_up_in_time_and_ended(deploy, own_server):
    config = own_server(script="import time; time.sleep(1000)")
    ran = deploy(config, startup_timeout_s=1.0)

    assert ran.state == "up_for_retry"
    assert "within 1 s" in str(ran.error)
    assert not LIVING.alive(config["command"][1])


def test_check_that_hangs_is_broken_and_its_server_ended(deploy, kept, own_server):
    config = own_server("time.sleep(1000)")
    ran = deploy(config, checks=[Asks()], case_timeout_s=1.5)

    assert ran.state == "failed"
    assert "did not end within 1.5 s" in kept()["deployment"].cases[0].detail
    assert not LIVING.alive(config["command"][1])


@pytest.mark.parametrize(
    "config, words",
    [
        ({"model": "models:/chrun/1"}, ["- model: there is no 'models:/chrun/1'", "; did you mean 'churn'?"]),
        ({"model": "models:/churn/2", "workers": 0}, ["- model: ", "- workers: "]),
        ({"model": "models:/churn/99"}, ["- model: there is no 'models:/churn/99'", "versions 3, 2, 1"]),
        ({"model": "models:/churn@prod"}, ["- model: model 'churn' has no alias 'prod'"]),
        ({"model": "models:/churn/2"}, ["- model: models:/churn/2 is models:/churn/2, and models:/churn/1 is tested"]),
        ({"wrokers": 2, "packages": {"mlflow": "0.1"}, "python_version": "2.7", "memory_gib": 0},
         ["- wrokers: there is no such key; did you mean 'workers'?", "- memory_gib: ", "- packages: mlflow was",
          "- python_version: the model was logged with Python 3"]),
    ],
)  # fmt: skip
def test_mistakes_are_told_all_at_once_before_anything_starts(deploy, config, words):
    ran = deploy(config)

    assert ran.state == "failed"
    assert isinstance(ran.error, ConfigurationError)
    for word in words:
        assert word in str(ran.error)


def test_model_that_is_not_there_is_told_beside_the_mistakes(deploy):
    ran = deploy({"workers": 0}, model="models:/churn/99")

    assert "- workers: " in str(ran.error)
    assert "- there is no 'models:/churn/99'" in str(ran.error)


def test_command_names_other_files_from_the_folder_of_its_own(deploy, own_server):
    config = own_server()
    config["command"][1] = "serve.py"

    assert deploy(config, write="deployment.json", checks=[Asks()]).state == "success"


def test_deployment_of_the_demo_has_no_mistakes():
    import yaml

    import airflow_mltest.demo
    from airflow_mltest.core.deployment import deployment_of

    path = Path(airflow_mltest.demo.__file__).parent / "project" / "deployment.yaml"
    deployment, mistakes = deployment_of(yaml.safe_load(path.read_text()))

    assert mistakes == []
    assert deployment.model.startswith("models:/late-flights")


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("d.yaml", "workers: [1", "is no YAML or JSON, see line 1"),
        ("d.json", '{"workers": 1,\n', "is no YAML or JSON, see line 2"),
        ("d.yaml", "- workers", "it is a list, not a mapping"),
    ],
)
def test_file_that_cannot_be_read_is_named(deploy, name, text, words):
    ran = deploy(text, write=name)

    assert ran.state == "failed"
    assert words in str(ran.error)


def test_file_that_is_not_there_is_named(deploy):
    assert "'/no/such/file.yaml'" in str(deploy("/no/such/file.yaml").error).replace("file:///", "/").replace(
        "file:/", "/"
    )


def test_airflow_shows_a_mapping_without_the_values_of_its_variables(churn_store):
    from airflow.sdk import DAG
    from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
    from airflow.serialization.helpers import serialize_template_field

    from airflow_mltest.operators.deployment import DeploymentTestOperator

    with DAG("d", schedule=None):
        operator = DeploymentTestOperator(
            task_id="deployment",
            model="models:/churn/{{ number }}",
            data=churn_store.data,
            config={"model": "models:/churn/{{ number }}", "env": {"PRODUCTIONS_OWN": "{{ secret }}"}},
        )
    operator.render_template_fields({"number": 1, "secret": "hunter2hunter2"})

    shown = json.dumps(_serialize_rendered_fields(operator))
    assert operator.config.said == {"model": "models:/churn/1", "env": {"PRODUCTIONS_OWN": "hunter2hunter2"}}
    assert "hunter2" not in shown
    assert "PRODUCTIONS_OWN" in shown
    assert "models:/churn/1" in shown
    assert "hunter2" not in str(serialize_template_field(operator.config, "config"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_task_leaves_no_server(
    churn_store, own_server, bare_context, report_root, tmp_path, monkeypatch, number
):
    import tempfile

    from airflow_mltest.operators.deployment import DeploymentTestOperator

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # nobody is left to remove its folder
    config = own_server("time.sleep(1000)")
    operator = DeploymentTestOperator(
        task_id="deployment", model="models:/churn/1", data=churn_store.data, config=config
    )
    task = os.fork()
    if not task:
        try:
            signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
            operator.execute(bare_context)
        finally:
            os._exit(1)
    LIVING.wait_until(lambda: LIVING.alive(config["command"][1]), 60)
    time.sleep(0.5)
    start_s = time.monotonic()
    os.kill(task, number)
    os.waitpid(task, 0)
    LIVING.wait_until(lambda: not LIVING.alive(config["command"][1]))

    assert time.monotonic() - start_s < 4


def test_function_of_rows_is_read_when_the_task_runs(deploy, kept, own_server):
    ran = deploy(own_server(), data=lambda: pd.DataFrame({"calls": [1.0], "months": [0.0]}), checks=[Asks()])

    assert ran.state == "success", ran.error
    assert kept()["deployment"].cases[0].detail == '{"predictions": [1]}'


def test_no_folder_stays_when_the_task_has_ended(deploy, own_server, monkeypatch, tmp_path):
    import tempfile

    (tmp_path / "aside").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "aside"))
    assert deploy(own_server(), checks=[Asks()]).state == "success"

    assert list((tmp_path / "aside").iterdir()) == []
