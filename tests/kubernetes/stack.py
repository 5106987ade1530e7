"""Airflow with its own KubernetesExecutor, over a cluster on loopback: each task is a pod."""

import json
import runpy
import subprocess
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import requests

_HERE = Path(__file__).parent
_CELERY = runpy.run_path(str(_HERE.parent / "celery" / "stack.py"))
_CLUSTER = runpy.run_path(str(_HERE / "cluster.py"))
Node, wait_for = _CLUSTER["Node"], _CELERY["wait_for"]
NAMESPACE, IMAGE = "airflow", "registry.example.com/mltest-worker"
TEMPLATE = _HERE.parents[1] / "deploy" / "kubernetes" / "pod_template.yaml"
_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


class Stack(_CELERY["Stack"]):
    """
    Airflow without a worker, on a database of one file.

    Args:
        folder: Takes the database and the logs.
        env: Variables for every task.
        kubeconfig: Where the cluster is.
    """

    def __init__(self, folder, env, kubeconfig):
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "KubernetesExecutor",
            "AIRFLOW__CORE__DAGS_FOLDER": str(_HERE / "dags"),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            # A pod of one CPU imports slowly where all CPUs are busy.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            _DATABASE: f"sqlite:///{folder}/airflow.db",
            "AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER": "False",
            "AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE": str(kubeconfig),
            "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE": NAMESPACE,
            "AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE": str(TEMPLATE),
            "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_REPOSITORY": IMAGE,
            "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG": "1.0",
            "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_PODS_CREATION_BATCH_SIZE": "4",
        }
        super().__init__(folder, {**settings, **env})

    @property
    def image(self):
        """Give the variables that the worker's image brings: there is no database for a task."""
        return {name: value for name, value in self._env.items() if name != _DATABASE}

    def start(self):
        airflow = _CELERY["_airflow"]
        done = subprocess.run(airflow("db", "migrate"), env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for name in ("api-server", "scheduler", "dag-processor"):
            self._run(name, airflow(name))
        wait_for(self.answers, "the API server answers")
        # The first request takes seconds, in which it answers no other.
        requests.get(f"{self.url}/execution/health", timeout=180)
        wait_for(self.healthy, "scheduler and dag-processor are healthy")


class Run:
    """
    A DAG run: triggered, and waited for.

    Args:
        stack: Where.
        dag_id: Of the DAG.
    """

    def __init__(self, stack, dag_id):
        self._stack, self.dag_id = stack, dag_id
        self.run_id = stack.ask("POST", f"/dags/{dag_id}/dagRuns", logical_date=None)["dag_run_id"]
        self._path = f"/dags/{dag_id}/dagRuns/{quote(self.run_id)}"

    def end(self):
        """Wait for its end, and give its state."""
        return wait_for(
            lambda: self._state() in {"success", "failed"} and self._state(), f"{self.dag_id} has ended", 400
        )

    def _state(self):
        return self._stack.ask("GET", self._path)["state"]

    def tasks(self):
        """Give the task instances, by task id and map index."""
        found = self._stack.ask("GET", f"{self._path}/taskInstances?limit=100")["task_instances"]
        return {(one["task_id"], one["map_index"]): one for one in found}

    def tries(self, task_id):
        """Give every try of a task, the first one first."""
        found = self._stack.ask("GET", f"{self._path}/taskInstances/{task_id}/tries")["task_instances"]
        return sorted(found, key=lambda one: one["try_number"])

    def states(self):
        """Say how each task ended."""
        return {key: one["state"] for key, one in self.tasks().items()}

    def log(self, task_id, number):
        """Read the log of a task's try."""
        return json.dumps(self._stack.ask("GET", f"{self._path}/taskInstances/{task_id}/logs/{number}"))


@contextmanager
def running(folder, nodes, tags, **env):
    """
    Start a cluster and Airflow over it, and end both.

    Args:
        folder: Takes all that is written.
        nodes: The cluster's machines.
        tags: Of the images that there are.
        env: Variables for every task.
    """
    (folder / "airflow").mkdir()
    images = {}
    with _CLUSTER["running"](nodes, images, folder) as (cluster, kubeconfig):
        stack = Stack(folder, env, kubeconfig)
        images.update({f"{IMAGE}:{tag}": stack.image for tag in tags})
        stack.cluster = cluster
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
