import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.placement import Environment, PodOverride, on

PRODUCTION = Environment(cpus=2, memory_gib="4Gi", gpus=1, queue="gpu_large", image="worker:1.4", env={"TZ": "UTC"})
FILE = """
small: {cpus: 1, memory_gib: 2Gi, queue: cpu_small}
large:
  cpus: 500m
  memory_gib: 16
  python: "3.11"
  packages: [pandas==2.2.3]
  queue: cpu_large
"""
PARSED = """
import json, sys
from airflow.sdk import DAG
from airflow_mltest.operators.pytest import PytestOperator
from airflow_mltest.placement import Environment, on
from airflow.serialization.serialized_objects import DagSerialization

production = Environment(cpus=2, memory_gib="4Gi", gpus=1, queue="gpu_large", image="worker:1.4", env={"TZ": "UTC"})
with DAG("d", default_args=on(production)) as dag:
    PytestOperator(task_id="default", project="/p")
    PytestOperator.partial(task_id="mapped", project="/p", **on(production)).expand(shard=[{}, {}])
text = json.dumps(DagSerialization.to_dict(dag))
early = "kubernetes" in sys.modules
for task in DagSerialization.from_dict(json.loads(text)).tasks:
    pod = task.executor_config["pod_override"]
    print(json.dumps([task.task_id, task.queue, early, type(pod).__name__]))
"""


@pytest.fixture
def kubernetes():
    return pytest.importorskip("kubernetes.client", reason="the extra `kubernetes` is not installed")


@pytest.fixture
def executors(monkeypatch):
    return lambda names: monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", names)


@pytest.fixture
def written(tmp_path):
    def write(text, name="environments.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def serialized(dag):
    from airflow.serialization.serialized_objects import DagSerialization

    return json.dumps(DagSerialization.to_dict(dag)["dag"]["tasks"], sort_keys=True)


def placed_dag(environment):
    from airflow.sdk import DAG

    from airflow_mltest.operators.pytest import PytestOperator

    with DAG("d", schedule=None) as dag:
        PytestOperator(task_id="unit", project="/p", **on(environment))
    return dag


def parsed():
    done = subprocess.run([sys.executable, "-c", PARSED], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()[-2:]]


def test_queue_is_celery_s_and_the_pod_is_kubernetes_s():
    keywords = on(PRODUCTION)

    assert keywords["queue"] == "gpu_large"
    assert keywords["executor_config"]["pod_override"].environment == PRODUCTION


def test_task_without_a_queue_keeps_the_deployment_s():
    assert "queue" not in on(Environment(cpus=1, memory_gib=1))


def test_scheduler_gets_a_pod_of_a_dag_that_was_parsed_and_serialized_without_the_library(kubernetes):
    assert parsed() == [["default", "gpu_large", False, "V1Pod"], ["mapped", "gpu_large", False, "V1Pod"]]


def test_dag_without_the_library_is_read_back_without_a_pod(monkeypatch):
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setattr("airflow_mltest.placement.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "kubernetes.client.models.v1_pod", raising=False)
    dag = DagSerialization.from_dict(DagSerialization.to_dict(placed_dag(PRODUCTION)))

    assert dag.get_task("unit").executor_config == {"pod_override": None}
    assert dag.get_task("unit").queue == "gpu_large"


def test_pod_is_one_to_whoever_has_loaded_the_library(kubernetes):
    pod = on(PRODUCTION)["executor_config"]["pod_override"]

    assert isinstance(pod, kubernetes.V1Pod)
    assert pod.spec.containers[0].resources.limits == {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}


def test_dag_is_serialized_the_same_with_the_library_and_without(kubernetes, monkeypatch):
    loaded = serialized(placed_dag(PRODUCTION))
    monkeypatch.delitem(sys.modules, "kubernetes.client.models.v1_pod")

    assert serialized(placed_dag(PRODUCTION)) == loaded


def test_what_a_policy_adds_to_the_pod_is_serialized(kubernetes):
    dag = placed_dag(PRODUCTION)
    dag.get_task("unit").executor_config["pod_override"].metadata.labels["team"] = "churn"

    assert '"team": "churn"' in serialized(dag)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  our own
def test_copy_is_for_the_same_environment(duplicate):
    pod = duplicate(on(PRODUCTION)["executor_config"]["pod_override"])

    assert type(pod) is PodOverride
    assert pod.environment == PRODUCTION


@pytest.mark.parametrize("name", ["KubernetesExecutor", "LocalExecutor,KubernetesExecutor"])
@pytest.mark.parametrize("asked", [{"cpus": 2}, {"memory_gib": 4}, {"gpus": 1, "queue": "gpu"}])
def test_part_of_the_resources_is_refused_on_kubernetes_by_what_is_missing(executors, name, asked):
    executors(name)
    missing = ", ".join(field for field in ("cpus", "memory_gib") if field not in asked)

    with pytest.raises(ConfigurationError, match=f"Kubernetes: {missing}: say it"):
        on(Environment(**asked))


def test_part_of_the_resources_is_enough_elsewhere(executors):
    executors("CeleryExecutor")

    assert on(Environment(cpus=2, queue="cpu"))["queue"] == "cpu"


def test_gpu_on_celery_needs_a_queue(executors):
    executors("CeleryExecutor")

    with pytest.raises(ConfigurationError, match="Celery: gpus: name the `queue`"):
        on(Environment(cpus=2, memory_gib=4, gpus=1, image="worker:1.4"))


def test_gpu_without_a_queue_is_enough_beside_kubernetes(executors):
    executors("CeleryExecutor,KubernetesExecutor")

    assert "queue" not in on(replace(PRODUCTION, queue=None))


def test_one_of_several_environments_is_read_from_a_file(written):
    path = written(FILE)

    assert Environment.from_file(path, "small") == Environment(cpus=1, memory_gib=2, queue="cpu_small")
    assert Environment.from_file(str(path), "large") == Environment(
        cpus=0.5, memory_gib=16, python="3.11", packages={"pandas": "2.2.3"}, queue="cpu_large"
    )


def test_only_environment_of_a_json_file_is_read(written):
    path = written('{\n\t"cpus": 1,\n\t"queue": "cpu_small"\n}', "production.json")

    assert Environment.from_file(path) == Environment(cpus=1, queue="cpu_small")


@pytest.mark.parametrize(
    "text, name, words",
    [
        (FILE, None, "give the `name` of one of small, large"),
        (FILE, "lage", "no environment 'lage'; did you mean 'large'"),
        ("cpu: 1", None, "no 'cpu'; did you mean 'cpus'"),
        ("cpus: -1", None, "cpus: it is a number above 0"),
        ("- cpus", None, "no mapping of cpus"),
        ("", None, "no mapping of cpus"),
        ("cpus: 1\nenv: [", None, r"no YAML or JSON, see line \d"),
    ],
)
def test_mistake_in_a_file_is_told_with_the_file(written, text, name, words):
    with pytest.raises(ConfigurationError, match=rf"environments\.yaml: .*{words}"):
        Environment.from_file(written(text), name)


def test_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.yaml: it cannot be read: No such file"):
        Environment.from_file(tmp_path / "gone.yaml")


def test_environment_is_read_from_production_s_manifest(written):
    path = written(
        "kind: Service\n---\nkind: Deployment\nspec: {template: {spec: {containers: [{name: server, image: 'churn:3',"
        " resources: {limits: {cpu: 500m, memory: 2Gi}}}]}}}\n"
    )

    production = Environment.from_manifest(path)

    assert production == Environment(cpus=0.5, memory_gib=2, image="churn:3")
    assert replace(production, image="worker:1.4", queue="cpu").queue == "cpu"


def test_mistake_in_a_manifest_is_told_with_the_file(written):
    path = written("kind: Pod\nspec: {containers: [{name: server, image: 'churn:latest'}]}\n")

    with pytest.raises(ConfigurationError, match=r"environments\.yaml: .*image: 'churn:latest' is another"):
        Environment.from_manifest(path)
