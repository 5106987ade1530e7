"""A DAG run to its end in the test's own process, and what became of each task."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.testing.airflow_database import AIRFLOWS, BUNDLE, airflow_database, quiet
from airflow_mltest.testing.deadline import deadline
from airflow_mltest.testing.variables import variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

_RETURNED = "return_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class RanDag:
    """
    A DAG run that has ended.

    What is said of a task that was mapped is a tuple, one item a map index.

    Args:
        dag_id: Of which DAG.
        run_id: Airflow's name for the run.
        state: `success` or `failed`.
        states: By task id: `success`, `failed`, `skipped`, `upstream_failed`, ...
        errors: By the id of each task that failed: the exception that it raised last.
        pushed: By key, then by task id: the XComs.
    """

    dag_id: str
    run_id: str
    state: str
    states: Mapping[str, Any]
    errors: Mapping[str, Any]
    pushed: Mapping[str, Mapping[str, Any]]

    @property
    def xcoms(self) -> Mapping[str, Any]:
        """By task id: what the task returned; None if it returned nothing."""
        returned = self.pushed.get(_RETURNED, {})
        return {task_id: returned.get(task_id) for task_id in self.states}


class DagRunner:
    """
    Runs DAGs with `dag.test()`: what the fixture `run_dag` is.

    Args:
        bundle: Folder of a DAG bundle that Airflow may search and that holds nothing.
        relative_to: Where the paths of DAG files begin.
    """

    def __init__(self, bundle: Path, *, relative_to: Path) -> None:
        self._bundle = bundle
        self._relative_to = relative_to

    def __call__(  # noqa: PLR0913
        self,
        dag: DAG | str | Path,
        dag_id: str = "",
        *,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | None = None,
        connections: Mapping[str, str | Mapping[str, Any]] | None = None,
        variables: Mapping[str, Any] | None = None,
        timeout_s: float = 300.0,
    ) -> RanDag:
        """
        Run a DAG to its end, whatever that is.

        Args:
            dag: The DAG, or the path of a DAG file: absolute, or below pytest's root folder.
            dag_id: Which one, if the file makes several.
            conf: The run's, which becomes params.
            logical_date: The run's; None: now.
            connections: By id: a URI, or a dictionary with `conn_type`, `host`, ...
            variables: By name: text, or what becomes JSON.
            timeout_s: Seconds that it may take.

        Raises:
            ConfigurationError: There is no such file or DAG, or the file cannot be imported.
            TimeoutError: It took longer than *timeout_s*.
        """
        path = self._relative_to / dag if isinstance(dag, str | Path) else None
        run: dict[str, Any] = {"run_conf": dict(conf or {})}
        if logical_date is not None:
            run["logical_date"] = logical_date
        with _settings(connections or {}, variables or {}), _importable(path), quiet():
            bag = _bag_of(dag, path, self._bundle)
            chosen = _choose(bag.dags, dag_id, path or "the test")
            with _errors() as errors, _impatient(bag.dags.values()):
                with deadline(timeout_s, lambda: _overdue(chosen.dag_id, timeout_s)):
                    ran = chosen.test(**run)
                return _outcome(ran, errors)


@contextmanager
def dag_runner(folder: Path, *, home: Path, relative_to: Path) -> Iterator[DagRunner]:
    """
    Prepare Airflow with a database in *folder*, and give what runs DAGs.

    The fixture `run_dag` is this for one test; for a whole module, call it in a fixture of your own.

    Args:
        folder: Takes the database and the logs.
        home: Airflow's home if it has none in this process yet; has to stay as long as the process.
        relative_to: Where the paths of DAG files begin.
    """
    with airflow_database(folder, home=home):
        yield DagRunner(folder / "dags", relative_to=relative_to)


@contextmanager
def _settings(connections: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[None]:
    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    set_ = {f"AIRFLOW_CONN_{name.upper()}": text(value) for name, value in connections.items()}
    set_ |= {f"AIRFLOW_VAR_{name.upper()}": text(value) for name, value in values.items()}
    with variables(set_, of=AIRFLOWS):
        yield


@contextmanager
def _importable(path: Path | None) -> Iterator[None]:
    """Let a DAG file import what lies beside it, as it can where Airflow runs it."""
    before = list(sys.path)
    if path is not None:
        sys.path.insert(0, str(path.parent))
    try:
        yield
    finally:
        sys.path[:] = before


def _bag_of(dag: Any, path: Path | None, bundle: Path) -> DagBag:
    """Load what is to be run, and tell the database of it: Airflow runs nothing that it has not stored."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    folder = path.parent if path else bundle
    bag = DagBag(str(path or bundle), safe_mode=False, bundle_path=folder, bundle_name=BUNDLE)
    if path is None:
        bag.bag_dag(dag)
    elif not path.is_file():
        msg = f"there is no DAG file {path}: name one by its path, absolute or below pytest's root folder."
        raise ConfigurationError(msg)
    if bag.import_errors:
        msg = "\n".join(f"{name} cannot be imported:\n{error}" for name, error in bag.import_errors.items())
        raise ConfigurationError(msg)
    manager: Any = DagBundlesManager  # untyped
    manager().sync_bundles_to_db()
    sync_bag_to_db(bag, BUNDLE, None)
    return bag


def _choose(dags: Mapping[str, DAG], dag_id: str, where: Path | str) -> DAG:
    if dag_id in dags:
        return dags[dag_id]
    if not dag_id and len(dags) == 1:
        return next(iter(dags.values()))
    msg = f"{where} makes the DAGs {sorted(dags)}: choose one with dag_id=, which is {dag_id!r}."
    raise ConfigurationError(msg)


@contextmanager
def _errors() -> Iterator[dict[tuple[str, int], Any]]:
    """Listen to what tasks raise; by task id and map index, the last one."""
    from airflow.listeners import hookimpl
    from airflow.sdk.listener import get_listener_manager

    errors: dict[tuple[str, int], Any] = {}

    class Listener:
        @hookimpl
        def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
            errors[task_instance.task_id, task_instance.map_index] = error

    listener = Listener()
    listeners: Any = get_listener_manager()  # untyped
    listeners.add_listener(listener)
    try:
        yield errors
    finally:
        listeners.pm.unregister(listener)


@contextmanager
def _impatient(dags: Iterable[DAG]) -> Iterator[None]:
    """Let retries come at once: Airflow waits five minutes for one if it is not told otherwise."""
    tasks = [task for dag in dags for task in dag.tasks if task.retries]
    before = [(task.retry_delay, task.retry_exponential_backoff) for task in tasks]
    for task in tasks:
        task.retry_delay, task.retry_exponential_backoff = timedelta(0), 0
    try:
        yield
    finally:
        for task, (delay, backoff) in zip(tasks, before, strict=True):
            task.retry_delay, task.retry_exponential_backoff = delay, backoff


def _overdue(dag_id: str, timeout_s: float) -> str:
    from airflow.models import DagRun, TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    newest = select(DagRun.run_id).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(1)
    asked = select(TaskInstance).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == newest.scalar_subquery())
    with create_session() as session:
        states = sorted(
            f"{ti.task_id}{f'[{ti.map_index}]' if ti.map_index >= 0 else ''} {ti.state or 'not started'}"
            for ti in session.scalars(asked)
        )
    return f"DAG {dag_id!r} did not end within {timeout_s:g} s; its tasks: {', '.join(states) or 'none yet'}."


def _outcome(ran: Any, errors: Mapping[tuple[str, int], Any]) -> RanDag:
    from airflow.models.xcom import XComModel
    from airflow.sdk.execution_time.xcom import XCom
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        states = {(ti.task_id, ti.map_index): str(ti.state) for ti in ran.get_task_instances(session=session)}
        asked = select(XComModel).where(XComModel.dag_id == ran.dag_id, XComModel.run_id == ran.run_id)
        pushed: dict[str, dict[tuple[str, int], Any]] = {}
        for row in session.scalars(asked):
            pushed.setdefault(row.key, {})[row.task_id, row.map_index] = XCom.deserialize_value(row)
    failed = {place: error for place, error in errors.items() if states.get(place) == "failed"}
    return RanDag(
        dag_id=ran.dag_id,
        run_id=ran.run_id,
        state=str(ran.state),
        states=_by_task(states, states),
        errors=_by_task(failed, states),
        pushed={key: _by_task(values, states) for key, values in sorted(pushed.items())},
    )


def _by_task(values: Mapping[tuple[str, int], Any], places: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """Order by task id what is known by *places*; a mapped task's become a tuple, None where nothing is known."""
    found: dict[str, Any] = {}
    for task_id in sorted({task_id for task_id, _ in values}):
        indices = sorted(index for name, index in places if name == task_id)
        mapped = tuple(values.get((task_id, index)) for index in indices)
        found[task_id] = mapped if indices[-1] >= 0 else mapped[0]
    return found
