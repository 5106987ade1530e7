"""Airflow on Celery for real: each task where its environment says, and nothing lost to what happens to servers."""

import json
import os
import runpy
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_mltest.processes import KeptProcess
from airflow_mltest.reports.store import Store

_STACK = runpy.run_path(str(Path(__file__).parent / "stack.py"))
WORKERS, wait_for = _STACK["WORKERS"], _STACK["wait_for"]
EACH = """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_each(number):
    assert number < 20
"""
CASES = {"small": 120, "large": 80}
# The sixth waits until it is told to go on.
LONG = """
import os, pathlib, time
import pytest

SIGNALS = pathlib.Path(os.environ["SIGNALS"])

@pytest.mark.parametrize("number", range(10))
def test_long(number):
    with (SIGNALS / "ran").open("a") as ran:
        ran.write(f"{number} {os.environ['MACHINE']}\\n")
    time.sleep(0.2)
    if number == 5:
        (SIGNALS / "reached").write_text(os.environ["MACHINE"])
        while not (SIGNALS / "go").exists():
            time.sleep(0.05)
"""
SHORT = """
import pytest

@pytest.mark.parametrize("number", range(10))
def test_short(number):
    assert number != 3, "as it should"
"""
ENVIRONMENTS = {name: {"queue": f"cpu_{name}", "env": {"MACHINE": name}} for name in ("small", "large")}
STEPS = sorted(f"test_{name}.py::test_{name}[{number}]" for name in ("long", "short") for number in range(10))
# Ends the file system with whoever ends it, or with its keeper.
MOUNT = 'mount -t tmpfs -o size=16m tmpfs "$0" || exit; trap \'umount -l "$0"; exit\' INT; sleep 1000000 & wait'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The projects that are tested, and the disk for reports."""
    folder = tmp_path_factory.mktemp("celery")
    files = {f"suite/tests/{name}/test_{file}.py": EACH for name, tests in CASES.items() for file in range(tests // 20)}
    files |= {"suite/pytest.ini": "[pytest]\naddopts = --import-mode=importlib\n", "steps/pytest.ini": "[pytest]\n"}
    files |= {"steps/test_long.py": LONG, "steps/test_short.py": SHORT, "environments.yaml": json.dumps(ENVIRONMENTS)}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def disk(folder):
    """A small disk of its own, where this process may mount one; else a folder."""
    disk = folder / "disk"
    disk.mkdir()
    with (folder / "disk.log").open("wb") as output:
        holder = KeptProcess(["sh", "-c", MOUNT, str(disk)], cwd="/", env=dict(os.environ), output=output)
    wait_for(lambda: disk.is_mount() or holder.poll() is not None, "the disk is there, or refused")
    yield disk
    holder.stop()
    holder.close()


@pytest.fixture(scope="module")
def stack(folder, disk):
    from airflow_mltest.testing.mlflow_store import new_store

    with new_store(folder / "mlflow") as store:
        env = {
            "MLTEST_STACK": str(folder),
            "AIRFLOW__MLTEST__REPORT_ROOT": str(disk / "reports"),
            "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": store.uri}),
        }
        with _STACK["running"](folder, **env) as stack:
            stack.registry = store.uri
            stack.reports = disk / "reports"
            wait_for(lambda: has_dags(stack), "the DAGs are there")
            yield stack


def has_dags(stack):
    assert stack.ask("GET", "/importErrors")["import_errors"] == []
    return stack.ask("GET", "/dags")["total_entries"] == 3


class Run:
    """A DAG run: triggered, waited for, and asked what became of it."""

    def __init__(self, stack, dag_id, **conf):
        self._stack, self.dag_id = stack, dag_id
        self.run_id = stack.ask("POST", f"/dags/{dag_id}/dagRuns", logical_date=None, conf=conf)["dag_run_id"]
        self._path = f"/dags/{dag_id}/dagRuns/{quote(self.run_id)}"

    def end(self):
        """Wait for its end, and give its state."""
        return wait_for(self._ended, f"the run of {self.dag_id} has ended", 400)

    def _ended(self):
        state = self._stack.ask("GET", self._path)["state"]
        return state if state in {"success", "failed"} else ""

    def tasks(self):
        """Give the task instances, by task id and map index."""
        found = self._stack.ask("GET", f"{self._path}/taskInstances?limit=100")["task_instances"]
        return {(one["task_id"], one["map_index"]): one for one in found}

    def states(self):
        """Give the state of each task instance, for a person."""
        return {key: one["state"] for key, one in self.tasks().items()}

    def where(self):
        """Say on which worker each task ran, by task id."""
        found = {}
        for (task_id, _), one in self.tasks().items():
            found.setdefault(task_id, set()).add(one["hostname"])
        return found

    def report(self):
        """Read the report, as it was written."""
        return json.loads(Store(self._stack.reports).written(self.dag_id, self.run_id, "report", "report.json"))


def test_each_step_of_a_release_runs_where_its_environment_says(stack):
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry

    run = Run(stack, "release")

    assert run.end() == "success", run.states()
    large = {"train", "worker", "model_tests"}
    assert run.where() == {task: {"large" if task in large else "small"} for task in run.where()}
    assert run.report()["outcome"] == "passed"
    assert MlflowRegistry(stack.registry).version_of("tiny", "champion") == "1"


def test_sharded_suite_of_200_tests_runs_on_both_classes_and_each_test_counts_once(stack):
    run = Run(stack, "sharded")

    assert run.end() == "success", run.states()
    where, report = run.where(), run.report()
    assert {name: where[f"{name}.tests"] for name in WORKERS} == {name: {name} for name in WORKERS}
    assert report["outcome"] == "passed"
    counts = Counter(case["name"] for suite in report["suites"] for case in suite["cases"])
    assert len(counts) == counts.total() == 200
    assert {suite["name"]: len(suite["cases"]) for suite in report["suites"]} == CASES
    for suite in report["suites"]:
        assert suite["environment"]["asked"] == {"queue": f"cpu_{suite['name']}", "env": ["MACHINE"]}
        assert suite["environment"]["differences"] == []


class Disturbed(Run):
    """A run in which the sixth test of a shard waits, and five have ended: now something may happen to it."""

    def __init__(self, stack, signals):
        super().__init__(stack, "disturbed", signals=str(signals))
        self._signals = signals
        wait_for((signals / "reached").exists, "the test in the middle runs")
        self.worker = (signals / "reached").read_text()

    def go_on(self):
        """Let the test that waits end."""
        (self._signals / "go").touch()

    def ran(self):
        """Say how often each test of the long shard was begun."""
        return Counter(line.split()[0] for line in (self._signals / "ran").read_text().splitlines())

    def tries(self):
        """Give every try of the shard, the first one first."""
        found = self._stack.ask("GET", f"{self._path}/taskInstances/steps.tests/0/tries")["task_instances"]
        return sorted(found, key=lambda one: one["try_number"])

    def is_whole(self):
        """Check that no case is lost, none counted twice, and that the one that fails is told."""
        self.go_on()
        state, report = self.end(), self.report()
        (suite,) = report["suites"]
        assert sorted(case["name"] for case in suite["cases"]) == STEPS
        failed = {case["name"]: case["outcome"] for case in suite["cases"] if case["outcome"] != "passed"}
        assert failed == {"test_short.py::test_short[3]": "failed"}
        assert (state, report["outcome"], suite["incomplete"]) == ("failed", "failed", "")


@pytest.fixture
def disturbed(stack, tmp_path):
    """Begin a run, and mend everything after it."""
    yield Disturbed(stack, tmp_path)
    for machine in stack.machines.values():
        machine.up()
    wait_for(stack.healthy, "scheduler and dag-processor are healthy again")
    for name in WORKERS:
        stack.wait_for_worker(name)


def test_shard_of_a_worker_that_is_killed_goes_on_elsewhere_and_no_process_stays(stack, disturbed):
    machine = stack.machines[disturbed.worker]
    left = machine.crash()

    assert left, "pytest has a session of its own, and is not killed"
    wait_for(lambda: not machine.processes(), "all that the worker had started is gone", 20)
    disturbed.is_whole()
    first, *again = [one["hostname"] for one in disturbed.tries()]
    assert first == disturbed.worker
    assert set(again) == WORKERS.keys() - {first}
    assert disturbed.ran()["0"] == 1


def test_worker_that_is_drained_finishes_its_shard(stack, disturbed):
    command = stack.machines[disturbed.worker].down(signal.SIGTERM)
    wait_for(lambda: "Warm shutdown" in stack.machines[disturbed.worker].log, "the worker has heard it")

    disturbed.is_whole()
    assert {one["hostname"] for one in disturbed.tries()} == {disturbed.worker}
    assert set(disturbed.ran().values()) == {1}
    wait_for(lambda: not command.is_running(), "the worker has ended")


def test_restart_of_redis_is_survived(stack, disturbed):
    redis = stack.machines["redis"]
    command = redis.down()
    wait_for(lambda: not command.is_running(), "Redis has ended")
    redis.up()

    disturbed.is_whole()
    assert set(disturbed.ran().values()) == {1}


def test_restart_of_the_database_is_survived(stack, disturbed):
    scheduler = stack.machines["scheduler"].command()
    command = stack.machines["postgres"].down(signal.SIGINT)
    wait_for(lambda: not command.is_running(), "PostgreSQL has ended")
    wait_for(lambda: not scheduler.is_running(), "the scheduler has missed it, and ended")
    stack.machines["postgres"].up()
    wait_for(stack.has_database, "PostgreSQL answers again")

    disturbed.is_whole()


@contextmanager
def without_root(reports):
    """Put a file where the store's folder is."""
    aside = reports.with_name("aside")
    reports.rename(aside)
    reports.touch()
    try:
        yield
    finally:
        reports.unlink()
        aside.rename(reports)


@contextmanager
def full(reports):
    """Fill the disk to its last byte."""
    if not reports.parent.is_mount():
        pytest.skip("a disk to fill can be mounted by root alone")
    filler = reports.with_name("filler")
    subprocess.run(["sh", "-c", 'cat /dev/zero > "$0"', str(filler)], check=False, capture_output=True)
    try:
        yield
    finally:
        filler.unlink()


@pytest.mark.parametrize("fault", [without_root, full])
def test_report_store_that_cannot_be_written_for_a_while_loses_nothing(stack, disturbed, fault):
    with fault(stack.reports):
        disturbed.go_on()
        wait_for(lambda: len(disturbed.tries()) > 1, "the shard is tried again")

    disturbed.is_whole()
    assert disturbed.ran()["0"] == 1
