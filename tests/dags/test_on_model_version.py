"""The example DAGs, by Airflow's own scheduler and tasks: three versions at once are three runs."""

import asyncio
import json
import runpy
from collections import Counter
from pathlib import Path

import pytest

from airflow_mltest.reports.store import Store
from airflow_mltest.testing.airflow_database import airflow_database
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.testing.tiny_model import train_tiny_model

TESTS = Path(__file__).parents[1]
DAG_FILE = TESTS.parent / "dags" / "on_model_version.py"
_TRIGGERER = runpy.run_path(str(TESTS / "triggerer.py"))
Memory, triggerer, until = (_TRIGGERER[name] for name in ("Memory", "triggerer", "until"))
MODEL = "late-flights"


@pytest.fixture
def airflow(tmp_path, monkeypatch):
    """Give an Airflow that has the example's DAGs, and a registry with a first version."""
    with new_store(tmp_path / "mlflow") as store:
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", "host": store.uri}))
        monkeypatch.setenv("AIRFLOW_VAR_LATE_FLIGHTS_TEST_DATA", str(tmp_path / "test.parquet"))
        monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(tmp_path / "reports"))
        train_tiny_model(MODEL).data.rename(columns={"left": "late"}).to_parquet(tmp_path / "test.parquet")
        with airflow_database(tmp_path / "airflow", home=tmp_path):
            yield Airflow(DAG_FILE, Store(tmp_path / "reports"))


class Airflow:
    """Its scheduler and its tasks in this process, one step after the other."""

    def __init__(self, file, reports):
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

        bag = DagBag(str(file), safe_mode=False, bundle_path=file.parent, bundle_name="mltest")
        assert not bag.import_errors
        for dag in bag.dags.values():
            dag.is_paused_upon_creation = False
        DagBundlesManager().sync_bundles_to_db()
        sync_bag_to_db(bag, "mltest", None)
        self._dags, self.reports = bag.dags, reports

    def watch(self, meanwhile, count):
        """Run the watched asset's trigger until it has fired *count* times; the events reach Airflow as they do."""
        (asset,) = self._dags["announce_versions"].timetable.asset_condition.objects
        trigger, memory = asset.watchers[0].trigger, Memory()
        trigger.poll_interval_s = 0.05

        async def watch():
            async with triggerer() as running:
                fired = running.add(trigger, memory)
                await until(lambda: memory.writes)
                await asyncio.to_thread(meanwhile)
                await until(lambda: len(fired) == count)
                return fired

        fired = asyncio.run(watch())
        self.fire(fired)
        return fired

    def fire(self, payloads):
        from airflow.models.trigger import Trigger
        from airflow.triggers.base import TriggerEvent
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            (trigger_id,) = session.scalars(select(Trigger.id))
            for payload in payloads:
                Trigger.submit_event(trigger_id, TriggerEvent(payload), session=session)

    def schedule(self):
        """Make the DAG runs that are due."""
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.utils.session import create_session
        from airflow.utils.sqlalchemy import prohibit_commit

        scheduler = SchedulerJobRunner(Job(), executors=[])
        with create_session() as session, prohibit_commit(session) as guard:
            scheduler._create_dagruns_for_dags(guard, session)

    def work(self):
        """Run the tasks of all runs that have not ended; give the states, by DAG and task."""
        from airflow.models import DagRun
        from airflow.sdk.definitions.dag import _run_task
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState
        from sqlalchemy import select

        states = Counter()
        with create_session() as session:
            runs = list(session.scalars(select(DagRun).where(DagRun.state == DagRunState.QUEUED).order_by(DagRun.id)))
        for run in runs:
            dag = self._dags[run.dag_id]
            for task in dag.topological_sort():
                with create_session() as session:
                    ti = session.merge(run).get_task_instance(task.task_id, session=session)
                    session.refresh(ti)
                _run_task(ti=ti, task=task)
                states[run.dag_id, task.task_id, ti.state.value] += 1
            with create_session() as session:
                session.merge(run).state = DagRunState.SUCCESS
        return dict(states)

    def runs(self, dag_id):
        """Give the partition of each run, and the suites it left."""
        from airflow.models import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            runs = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id))
            return [(run.partition_key, [k.suite for k in self.reports.kept(dag_id, run.run_id)]) for run in runs]


def test_three_versions_at_once_are_three_runs_that_test_one_each_and_none_is_tested_twice(airflow):
    fired = airflow.watch(lambda: [train_tiny_model(MODEL, seed=seed) for seed in (1, 2, 3)], 3)
    airflow.schedule()
    assert airflow.work() == {("announce_versions", "announce", "success"): 1}
    airflow.schedule()
    states = airflow.work()

    assert states == {("on_model_version", task, "success"): 3 for task in ("model_tests", "report")}
    tested = airflow.runs("on_model_version")
    assert sorted(key for key, _ in tested) == [f"models:/{MODEL}/{number}" for number in (2, 3, 4)]
    for key, (suite,) in tested:
        assert key == f"models:/{suite.subject['model']}/{suite.subject['version']}"

    # A triggerer that died may fire again, after the runs have ended.
    airflow.fire(fired[-1:])
    airflow.schedule()
    assert airflow.work() == {("announce_versions", "announce", "skipped"): 1}
    airflow.schedule()
    assert len(airflow.runs("on_model_version")) == 3
