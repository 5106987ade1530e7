"""Airflow's own KubernetesExecutor for real: each task in a pod that its environment has made, held to its limits."""

import json
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from airflow_mltest.reports.store import Store

_STACK = runpy.run_path(str(Path(__file__).parent / "stack.py"))
_KUBELET = runpy.run_path(str(Path(__file__).parent / "kubelet.py"))
IMAGE, Node, Run, wait_for = _STACK["IMAGE"], _STACK["Node"], _STACK["Run"], _STACK["wait_for"]
pytestmark = pytest.mark.skipif(
    not _KUBELET["can_limit"](), reason="needs control groups of version 1, as root has them"
)
TAINT = {"key": "mltest/class", "value": "large", "effect": "NoSchedule"}
NODES = [
    Node(name="small", cpus=3, memory_gib=6, labels={"mltest/class": "small"}),
    Node(name="large", cpus=3, memory_gib=6, labels={"mltest/class": "large"}, taints=(TAINT,), spares_others=False),
]
SMALL = {"cpus": 1, "memory_gib": "1280Mi", "image": f"{IMAGE}:1.0", "node_selector": {"mltest/class": "small"}}
ENVIRONMENTS = {
    "small": SMALL | {"env": {"MACHINE": "small"}},
    "tight": SMALL | {"memory_gib": "768Mi"},
    "large": {
        "cpus": 1.5,
        "memory_gib": 2,
        "image": f"{IMAGE}:1.0-large",
        "node_selector": {"mltest/class": "large"},
        "tolerations": [TAINT],
        "env": {"MACHINE": "large"},
    },
}
EACH = """
import os, pytest

@pytest.mark.parametrize("number", range(20))
def test_each(number):
    assert os.environ["MACHINE"] == "{name}"
"""
# The family is larger than its pod, and each member smaller than Airflow's task.
GREEDY = """
import subprocess, sys

MEMBER = [sys.executable, "-S", "-c", "import time; taken = bytearray(90 * 2**20); time.sleep(5)"]

def test_before(): pass
def test_greedy(): assert bytearray(4 * 2**30)
def test_after(): pass
def test_family():
    family = [subprocess.Popen(MEMBER) for _ in range(9)]
    assert {member.wait() for member in family} == {0}
"""

LOADING = """
from airflow_mltest.checks import Signature
from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.recording import Recording
from airflow_mltest.model_run import ask_apart

try:
    ask_apart([Signature()], lambda told: bytearray(2**30), Recording("model", "model"), case_timeout_s=60)
except BrokenRunError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The projects that are tested, and the environments."""
    folder = tmp_path_factory.mktemp("kubernetes")
    names = {"small": 3, "large": 2}
    files = {
        f"suite/tests/{name}/test_{n}.py": EACH.format(name=name) for name, count in names.items() for n in range(count)
    }
    files |= {"suite/pytest.ini": "[pytest]\naddopts = --import-mode=importlib\n", "greedy/test_memory.py": GREEDY}
    files |= {"greedy/pytest.ini": "[pytest]\n", "environments.yaml": json.dumps(ENVIRONMENTS)}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def stack(folder):
    from airflow_mltest.testing.mlflow_store import new_store

    with new_store(folder / "mlflow") as store:
        env = {
            "MLTEST_STACK": str(folder),
            "AIRFLOW__MLTEST__REPORT_ROOT": str(folder / "reports"),
            "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": store.uri}),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
        }
        with _STACK["running"](folder, NODES, ["1.0", "1.0-large"], **env) as stack:
            stack.registry, stack.reports = store.uri, Store(folder / "reports")
            wait_for(lambda: stack.ask("GET", "/dags")["total_entries"] == 3, "the DAGs are there")
            # It waits more than it works: beside it, the others run.
            stack.memory = Run(stack, "memory")
            yield stack


def reported(stack, run):
    """Read the report of a run."""
    return json.loads(stack.reports.written(run.dag_id, run.run_id, "report", "report.json"))


def suites(stack, run):
    """Read what the report says of each suite, by name."""
    return {suite["name"]: suite for suite in reported(stack, run)["suites"]}


def nodes(stack, run):
    """Say on which nodes the pods of each task were, by task id."""
    found = {}
    for (task_id, _), one in run.tasks().items():
        found.setdefault(task_id, set()).add(stack.cluster.pods[one["hostname"]]["spec"]["nodeName"])
    return found


def test_each_step_of_a_release_runs_in_the_pod_that_its_environment_says(stack):
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry

    run = Run(stack, "release")

    assert run.end() == "success", run.states()
    large = {"train", "worker", "model_tests"}
    where = nodes(stack, run)
    assert where == {task: {"large" if task in large else "small"} for task in where}
    worker = suites(stack, run)["worker"]
    assert {case["name"]: case["outcome"] for case in worker["cases"]} == dict.fromkeys(
        ("cpus", "memory_gib", "image", "env[MACHINE]"), "passed"
    )
    assert MlflowRegistry(stack.registry).version_of("tiny", "champion") == "1"


def test_shards_of_two_environments_read_their_own_limits_from_the_kernel_and_each_test_counts_once(stack):
    run = Run(stack, "sharded")

    assert run.end() == "success", run.states()
    found = suites(stack, run)
    counts = Counter(case["name"] for suite in found.values() for case in suite["cases"])
    assert len(counts) == counts.total() == 100
    has = {
        name: {(one["cpus"], one["memory_gib"]) for one in suite["environment"]["worker"]}
        for name, suite in found.items()
    }
    assert has == {"small": {(1, 1.25)}, "large": {(1.5, 2)}}
    assert [suite["environment"]["differences"] for suite in found.values()] == [[], []]


@pytest.fixture(scope="module")
def memory(stack):
    """A run in which memory runs out, in every way."""
    stack.memory.end()
    return stack.memory


@pytest.mark.parametrize("task_id, greedy", [("tests", "test_memory.py::test_greedy"), ("model", "much")])
def test_case_that_takes_too_much_memory_is_broken_with_the_limit_and_the_others_are_asked(
    stack, memory, task_id, greedy
):
    task, suite = memory.tasks()[task_id, -1], suites(stack, memory)[task_id]

    assert (task["state"], task["try_number"]) == ("failed", 1)
    (broken,) = (case for case in suite["cases"] if case["outcome"] == "broken")
    assert broken["name"] == greedy
    assert (
        "out of memory: the control group has a limit of 768 MiB, and the kernel killed a process" in broken["detail"]
    )
    assert [case["outcome"] for case in suite["cases"]].count("passed") == 2


def test_model_that_takes_too_much_memory_while_it_is_loaded_can_be_tried_again():
    limits = _KUBELET["Limits"]("loading", {"memory": "256Mi"})
    join = f'echo $$ > {limits.folders[1]}/cgroup.procs; exec "$@"'
    argv = ["sh", "-c", join, "sh", sys.executable, "-c", LOADING]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    limits.remove()

    assert "the process that loads the model" in done.stdout
    assert "out of memory: the control group has a limit of 256 MiB, and the kernel killed a process" in done.stdout


def test_what_a_test_has_started_goes_before_the_task_that_tells_of_it(stack, memory):
    (family,) = (case for case in suites(stack, memory)["tests"]["cases"] if case["name"].endswith("test_family"))

    assert family["outcome"] == "failed"
    assert "-9" in family["detail"]


def reasons(stack, run, task_id):
    """Say how the pod of each try of a task ended: Kubernetes' word for it, and its phase."""
    ended = [stack.cluster.pods[one["hostname"]]["status"] for one in run.tries(task_id)]
    return [(one["containerStatuses"][0]["state"]["terminated"]["reason"], one["phase"]) for one in ended]


def test_pod_that_is_killed_as_a_whole_is_noticed_and_keeps_what_had_ended(stack, memory):
    assert reasons(stack, memory, "whole_pod") == [("OOMKilled", "Failed")] * 2
    assert memory.tasks()["whole_pod", -1]["state"] == "failed"
    suite = suites(stack, memory)["whole_pod"]
    assert [case["name"] for case in suite["cases"]] == ["test_memory.py::test_before"]
    assert (suite["outcome"], "killed before it could say" in suite["incomplete"]) == ("broken", True)


def test_task_that_is_killed_itself_is_missed_by_its_heartbeat_and_is_not_forgotten(stack, memory):
    # Nobody else notices: its pod has succeeded.
    assert reasons(stack, memory, "data") == [("OOMKilled", "Succeeded")] * 2
    assert "Likely out of memory error (OOM)" in memory.log("data", 1)
    assert memory.tasks()["data", -1]["state"] == "failed"
    assert reported(stack, memory)["missing"] == ["data"]
