"""Run one operator through Airflow's own task runner: real templates, retry policy and XComs, no database."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest


@dataclass
class Ran:
    """What became of a task, and what it told Airflow."""

    state: str = ""
    error: BaseException | None = None
    xcoms: dict = field(default_factory=dict)
    progress: list = field(default_factory=list)
    operator: object = None


class ApiServer:
    """
    The answers of Airflow's execution API that a single task needs.

    Every other task has succeeded and told the digest of what the report store holds of it, unless
    `upstream` (XComs, by task) or `states` (by task, or all of them as an error's HTTP status) says otherwise.
    """

    def __init__(self, ran, max_tries, upstream, states, reports):
        self.ran, self.max_tries, self.upstream = ran, max_tries, upstream
        self.states, self.reports = states, reports

    def __call__(self, request):
        path = request.url.path
        if path.endswith("/run"):
            return httpx.Response(200, json=self._context())
        if "/xcoms/" in path and request.method == "POST":
            self.ran.xcoms[path.rpartition("/")[2]] = json.loads(request.content)
            return httpx.Response(201, json={"message": "stored"})
        if "/xcoms/" in path and request.method == "GET":
            return self._xcom(*path.split("/")[-2:], request.url.params.get("map_index", "-1"))
        if path.endswith("/task-instances/states"):
            return self._states(request.url.params.get_list("task_ids"))
        if "/store/ti/" in path and request.method == "PUT":
            self.ran.progress.append(json.loads(request.content))
        return httpx.Response(200, json={"ok": True})

    def _xcom(self, task_id, key, map_index):
        kept = sorted((self.reports / "d" / "r" / f"{task_id}@{map_index}").glob("[0-9].json"))
        if task_id in self.upstream:
            return httpx.Response(200, json={"key": key, "value": self.upstream[task_id]})
        if key == "summary" and kept:
            digest = f"sha256:{hashlib.sha256(kept[-1].read_bytes()).hexdigest()}"
            return httpx.Response(200, json={"key": key, "value": {"digest": digest}})
        return httpx.Response(404, json={"detail": {"reason": "not_found", "message": "no such XCom"}})

    def _states(self, task_ids):
        if isinstance(self.states, int):
            return httpx.Response(self.states, json={"detail": "no answer"})
        found = {task_id: self.states.get(task_id, "success") for task_id in task_ids}
        mapped = {key: state for key, state in self.states.items() if key.rpartition("_")[0] in task_ids}
        return httpx.Response(200, json={"task_states": {"r": {**found, **mapped}}})

    def _context(self):
        now = datetime.now(UTC).isoformat()
        run = {
            "dag_id": "d",
            "run_id": "r",
            "logical_date": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "start_date": now,
            "end_date": None,
            "run_type": "manual",
            "run_after": now,
            "state": "running",
            "partition_key": None,
            "consumed_asset_events": [],
        }
        return {
            "dag_run": run,
            "max_tries": self.max_tries,
            "should_retry": self.max_tries > 0,
            "task_reschedule_count": 0,
        }


@pytest.fixture
def report_root(tmp_path, monkeypatch):
    root = tmp_path / "reports"
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(root))
    return root


@pytest.fixture
def run_task(report_root):
    """Run an operator as task of the DAG `d` in the run `r`; returns what became of it."""
    from airflow.sdk import DAG
    from airflow.sdk.api.client import Client
    from airflow.sdk.api.datamodels._generated import TaskInstance
    from airflow.sdk.execution_time.supervisor import run_task_in_process

    class OnceClient(Client):
        def request(self, *args, **kwargs):
            return super().request.__wrapped__(self, *args, **kwargs)

    def run(make, *, try_number=1, retries=0, upstream=None, states=None):
        ran = Ran()
        with DAG("d", schedule=None):
            ran.operator = make(retries=retries)
        transport = httpx.MockTransport(ApiServer(ran, retries, upstream or {}, states or {}, report_root))
        instance = TaskInstance(
            id=uuid4(),
            task_id=ran.operator.task_id,
            dag_id="d",
            run_id="r",
            try_number=try_number,
            map_index=-1,
            dag_version_id=uuid4(),
        )
        client = OnceClient(base_url=None, dry_run=True, token="", transport=transport)
        result = run_task_in_process(ti=instance, task=ran.operator, client=client)
        ran.state, ran.error = str(result.state.value if hasattr(result.state, "value") else result.state), result.error
        return ran

    return run


@pytest.fixture
def kept(report_root):
    """Read the suites that the report store holds of the run."""
    from airflow_mltest.reports.store import Store

    return lambda: {item.suite.name: item.suite for item in Store(Path(report_root)).kept("d", "r")}


@pytest.fixture
def bare_context():
    """The least that a context holds, for an operator executed by hand."""
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, xcoms={})
    ti.xcom_push = ti.xcoms.__setitem__
    return {"ti": ti}


@pytest.fixture(scope="session")
def churn(tmp_path_factory):
    """A real MLflow store with the model `churn`: version 1 is good, 2 is worse, 3 has no signature; and its rows."""
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("churn")
    uri = f"sqlite:///{folder}/mlflow.db"
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"calls": rng.normal(size=2000), "months": rng.normal(size=2000)})
    rows["churned"] = (rows["calls"] - rows["months"] + rng.normal(size=2000) > 0).astype(int)
    rows["country"] = rng.choice(["nl", "de"], size=2000)
    features = rows[["calls", "months"]]
    good = LogisticRegression().fit(features, rows["churned"])
    worse = LogisticRegression().fit(features, rng.permutation(rows["churned"]))
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.create_experiment("churn", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("churn")
        for model, signature in ((good, True), (worse, True), (good, False)):
            with mlflow.start_run():
                mlflow.sklearn.log_model(
                    model,
                    name="model",
                    signature=infer_signature(features, good.predict(features)) if signature else None,
                    pip_requirements=["scikit-learn"],
                    registered_model_name="churn",
                )
    finally:
        mlflow.set_tracking_uri(None)  # whatever the environment says, as in a task
    path = folder / "rows.parquet"
    rows.to_parquet(path)
    return SimpleNamespace(uri=uri, data=str(path), rows=rows, folder=folder)


@pytest.fixture
def churn_store(churn, tmp_path, monkeypatch):
    """The store for one test: aliases and tags are its own, the artifacts are shared."""
    import shutil

    database = tmp_path / "mlflow.db"
    shutil.copy(churn.uri.removeprefix("sqlite:///"), database)
    uri = f"sqlite:///{database}"
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": uri}))
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry

    return SimpleNamespace(uri=uri, data=churn.data, rows=churn.rows, registry=MlflowRegistry(uri))
