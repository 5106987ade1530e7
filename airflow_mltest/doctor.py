"""What of a deployment cannot work, named before a task waits for ever."""

from __future__ import annotations

import re
import socket
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.sdk import conf

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.reports.document import dumps, suite_to_document
from airflow_mltest.settings import load_settings, open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.sdk import DAG

    from airflow_mltest.integrations.airflow_api import AirflowApi, Login

DAG_ID = "mltest_doctor"
_NOT_FOUND = 404
_PATIENCE_S = 10.0
# Workers that are there answer well within it.
_INSPECT_S = 5.0
_NEED_MLFLOW = (
    "airflow_mltest.operators.announce",
    "airflow_mltest.operators.canary",
    "airflow_mltest.operators.deployment",
    "airflow_mltest.operators.gate",
    "airflow_mltest.operators.model",
    "airflow_mltest.operators.promote",
    "airflow_mltest.sensors.model_version",
    "airflow_mltest.triggers.model_version",
)
_CONNECTION = re.compile(r"\w[\w.-]*")
_IN_URL = re.compile(r"\w+://([\w.-]+)@")
_PARTS = ("scheduler", "dag_processor", "triggerer")
_NO_LOGIN = "nobody has logged in: set MLTEST_AIRFLOW_USER and MLTEST_AIRFLOW_PASSWORD, or MLTEST_AIRFLOW_TOKEN"


def examine(url: str = "", login: Login | None = None) -> Suite:
    """
    Ask each question once, from where tasks run: a worker.

    Args:
        url: Where Airflow's API server is; empty: where this machine's tasks find it.
        login: What opens it; without one, what it alone knows is skipped.

    Raises:
        BrokenRunError: It does not answer.
        ConfigurationError: It lets nobody in with that login.
    """
    from airflow_mltest.integrations.airflow_api import AirflowApi

    api = AirflowApi(url or _default_url(), login, until_s=time.monotonic() + _PATIENCE_S) if login else None
    dags, broken = _dags()
    cases = [*_parts(api), *_executors(), *broken, *_queues(dags), *_connections(dags, api), *_report_root(api)]
    return Suite(name="doctor", kind="environment", cases=tuple(cases))


def _default_url() -> str:
    execution = conf.get("core", "execution_api_server_url", fallback="") or ""
    return execution.rstrip("/").removesuffix("/execution") or str(conf.get("api", "base_url", fallback="") or "")


def _parts(api: AirflowApi | None) -> Iterator[Case]:
    """Ask for the parts without which a task is never started, or waits without an end."""
    if api is None:
        yield _case("parts of Airflow", Outcome.SKIPPED, _NO_LOGIN)
        return
    health = api.json(api.ask("GET", "/monitor/health"))
    for name in _PARTS:
        status = (health.get(name) or {}).get("status")
        if status == "healthy":
            yield _case(name, Outcome.PASSED)
        else:
            command = f"airflow {name.replace('_', '-')}"
            yield _case(name, Outcome.FAILED, f"it is {status or 'not there'}: start `{command}`, or read its log")


def _executors() -> Iterator[Case]:
    from airflow.executors.executor_loader import ExecutorLoader

    try:
        for name in ExecutorLoader.get_executor_names(validate_teams=False):
            ExecutorLoader.import_executor_cls(name)
    except Exception as error:  # noqa: BLE001  of a module that somebody else wrote
        detail = f"[core] executor = {conf.get('core', 'executor')}: {type(error).__name__}: {error}"
        yield _case("executors", Outcome.FAILED, f"{detail}; correct the setting, or install the executor's provider")
    else:
        yield _case("executors", Outcome.PASSED)


def _dags() -> tuple[list[DAG], list[Case]]:
    """Parse the DAGs of every bundle, as a worker does."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag

    dags: list[DAG] = []
    broken: list[Case] = []
    for bundle in DagBundlesManager().get_all_dag_bundles():  # type: ignore[no-untyped-call]
        bundle.initialize()
        bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        dags += bag.dags.values()
        for file, error in bag.import_errors.items():
            why = error.strip().rpartition("\n")[2]
            broken.append(_case(f"DAG file {file}", Outcome.BROKEN, f"it cannot be parsed here: {why}"))
    return dags, broken


def _queues(dags: Iterable[DAG]) -> Iterator[Case]:
    """Find the queues that tasks name and no worker serves."""
    named: dict[str, list[str]] = defaultdict(list)
    for dag in dags:
        for task in dag.tasks:
            if "CeleryExecutor" in _executor_of(task):
                named[task.queue].append(f"{dag.dag_id}.{task.task_id}")
    if not named:
        yield _case("queues", Outcome.SKIPPED, "no task is on Celery")
        return
    try:
        served = _served()
    except Exception as error:  # noqa: BLE001  the broker's client raises its own
        yield _case("queues", Outcome.BROKEN, f"[celery] broker_url does not answer: {type(error).__name__}: {error}")
        return
    for queue, tasks in sorted(named.items()):
        if queue in served:
            yield _case(f"queue {queue}", Outcome.PASSED, f"served by {_few(served[queue])}")
        else:
            detail = f"no worker serves it, so {_few(tasks)} would wait for ever: start `airflow celery worker "
            yield _case(f"queue {queue}", Outcome.FAILED, f"{detail}--queues {queue}`, or correct the tasks' `queue`")


def _executor_of(task: Any) -> str:
    """Give the path of the class that runs a task; empty where there is none such."""
    from airflow.executors.executor_loader import ExecutorLoader

    try:
        if task.executor:
            return str(ExecutorLoader.lookup_executor_name_by_str(task.executor, validate_teams=False).module_path)
        return str(ExecutorLoader.get_executor_names(validate_teams=False)[0].module_path)
    except Exception:  # noqa: BLE001  `_executors` has told of it
        return ""


def _served() -> dict[str, list[str]]:
    """Ask the workers which queues they serve; give the workers of each."""
    from airflow.providers.celery.executors.celery_executor import app

    found: dict[str, list[str]] = defaultdict(list)
    for worker, queues in (app.control.inspect(timeout=_INSPECT_S).active_queues() or {}).items():
        for queue in queues:
            found[queue["name"]].append(worker)
    return found


def _connections(dags: Iterable[DAG], api: AirflowApi | None) -> Iterator[Case]:
    """Find the connections that the settings and what DAGs use of this package name, and nobody has defined."""
    settings = load_settings()
    named: dict[str, set[str]] = defaultdict(set)
    named[settings.webhook_conn_id].add("[mltest] webhook_conn_id")
    named[_in_url(settings.report_root)].add("[mltest] report_root")
    for dag in dags:
        for who, modules, values in _users(dag):
            for conn_id in _named_by(modules, values, settings.mlflow_conn_id):
                named[conn_id].add(who)
    for conn_id, users in sorted(named.items()):
        if conn_id and "{{" not in conn_id:
            yield _connection(conn_id, sorted(users), api)


def _users(dag: DAG) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Give each task of a DAG and each trigger that starts it: its name, the modules of its classes, its arguments."""
    task: Any
    for task in dag.tasks:
        cls = task.operator_class if task.is_mapped else type(task)
        values = dict(task.partial_kwargs if task.is_mapped else vars(task))
        yield f"{dag.dag_id}.{task.task_id}", [one.__module__ for one in cls.__mro__], values
    for watcher in _watchers(dag.timetable.asset_condition):
        path, values = watcher.trigger.serialize()
        yield f"watcher {watcher.name} of {dag.dag_id}", [path.rpartition(".")[0]], values


def _watchers(condition: Any) -> Iterator[Any]:
    """Give what watches the assets of a DAG's schedule."""
    yield from getattr(condition, "watchers", ())
    for part in getattr(condition, "objects", ()):
        yield from _watchers(part)


def _named_by(modules: list[str], values: dict[str, Any], mlflow_conn_id: str) -> Iterator[str]:
    """Give the connections that a task or a trigger names, if it is one of ours."""
    if not any(name.startswith("airflow_mltest.") for name in modules):
        return
    if any(name in _NEED_MLFLOW for name in modules):
        yield values.get("mlflow_conn_id") or mlflow_conn_id
    yield values.get("conn_id") or ""
    for repository in (values.get("repository"), getattr(values.get("project"), "repository", "")):
        if isinstance(repository, str) and _CONNECTION.fullmatch(repository):
            yield repository
    for name in ("data", "reference"):
        yield _in_url(values.get(name))


def _in_url(value: Any) -> str:
    found = _IN_URL.match(value) if isinstance(value, str) else None
    return found[1] if found else ""


def _connection(conn_id: str, users: list[str], api: AirflowApi | None) -> Case:
    name = f"connection {conn_id}"
    if _is_defined_here(conn_id):
        return _case(name, Outcome.PASSED, "in this machine's variables, or its secrets backend")
    if api is None:
        detail = f"{_few(users)} will ask for it; it is not among this machine's variables and secrets, and {_NO_LOGIN}"
        return _case(name, Outcome.INCONCLUSIVE, detail)
    if api.ask("GET", f"/connections/{conn_id}", accept=(_NOT_FOUND,)).status_code == _NOT_FOUND:
        detail = f"there is none, and {_few(users)} will ask for it: `airflow connections add {conn_id}`"
        return _case(name, Outcome.FAILED, detail)
    return _case(name, Outcome.PASSED, "in Airflow's database")


def _is_defined_here(conn_id: str) -> bool:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return False
    return True


def _report_root(api: AirflowApi | None) -> Iterator[Case]:
    """Write a suite as a task would, and look whether the API server shows it."""
    host, token = socket.gethostname(), uuid4().hex
    origin = Origin(dag_id=DAG_ID, run_id=host, task_id="doctor")
    suite = Suite(name="doctor", kind="environment", cases=(_case(token, Outcome.PASSED),), origin=origin)
    store = open_store()
    try:
        # Past the index: there was no such run.
        store.attach(origin, "json", dumps(suite_to_document(suite)).encode())
    except BrokenRunError as error:
        yield _case("report root written", Outcome.FAILED, f"on {host}: {error}")
        return
    yield _case("report root written", Outcome.PASSED, f"on {host}; ask on a worker of each kind")
    yield _shown(api, host, token)
    for path in store.attached(DAG_ID, host, "doctor", "json"):
        path.unlink()


def _shown(api: AirflowApi | None, host: str, token: str) -> Case:
    name = "report root read"
    if api is None:
        return _case(name, Outcome.SKIPPED, _NO_LOGIN)
    # Beside the API, for which the token is kept.
    headers = {"Authorization": api.ask("GET", "/version").request.headers["Authorization"]}
    try:
        answer = api.http.send("GET", "/mltest/run", params={"dag_id": DAG_ID, "run_id": host}, headers=headers)
    except BrokenRunError as error:
        said = str(error)
    else:
        if token in answer.text:
            return _case(name, Outcome.PASSED, "the API server shows what was written here")
        said = f"its page has nothing of it (HTTP {answer.status_code})"
    detail = f"the API server cannot read what was written here below {load_settings().report_root!r}: {said}. Set "
    return _case(name, Outcome.FAILED, f"{detail}`[mltest] report_root` to a volume or object storage that both have")


def _case(name: str, outcome: Outcome, detail: str = "") -> Case:
    return Case(name=name, outcome=outcome, detail=detail)


def _few(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
