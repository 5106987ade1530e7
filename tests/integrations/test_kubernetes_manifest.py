import pytest
import yaml

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.kubernetes_manifest import environment_in

POD = """
nodeSelector: {gpu: a100}
tolerations:
- {key: gpu, operator: Exists, effect: NoSchedule}
serviceAccountName: churn
containers:
- name: server
  image: registry.example.com/churn:3
  env:
  - {name: TZ, value: UTC}
  - name: TOKEN
    valueFrom: {secretKeyRef: {name: churn, key: token}}
  resources:
    requests: {cpu: 500m, memory: 1Gi}
    limits: {cpu: "2", memory: 4Gi, nvidia.com/gpu: 1}
- name: proxy
  image: proxy:1.0
"""
FIELDS = {
    "cpus": 2.0,
    "memory_gib": 4.0,
    "gpus": 1,
    "image": "registry.example.com/churn:3",
    "env": {"TZ": "UTC"},
    "node_selector": {"gpu": "a100"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "service_account": "churn",
}


@pytest.fixture
def pod():
    return yaml.safe_load(POD)


def deployment(pod, kind="Deployment"):
    return {"kind": kind, "metadata": {"name": "churn"}, "spec": {"template": {"spec": pod}}}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_container_of_a_deployment_gives_every_field(pod, kind):
    assert environment_in([deployment(pod, kind)], "server") == FIELDS


def test_pod_is_read_as_it_is(pod):
    pod["containers"] = pod["containers"][:1]

    assert environment_in([{"kind": "Pod", "metadata": {"name": "churn"}, "spec": pod}]) == FIELDS


def test_inference_service_is_read_from_its_model(pod):
    server = pod.pop("containers")[0]
    server.pop("name")
    service = {"kind": "InferenceService", "spec": {"predictor": {**pod, "model": {"modelFormat": {}, **server}}}}

    assert environment_in([service]) == FIELDS
    assert environment_in([service], "kserve-container") == FIELDS


def test_inference_service_is_read_from_a_container_of_its_own(pod):
    assert environment_in([{"kind": "InferenceService", "spec": {"predictor": pod}}], "server") == FIELDS


def test_inference_service_in_the_older_spelling_is_read_from_its_library():
    predictor = {"sklearn": {"resources": {"limits": {"cpu": "1", "memory": "2Gi"}}}}

    assert environment_in([{"kind": "InferenceService", "spec": {"predictor": predictor}}]) == {
        "cpus": 1.0,
        "memory_gib": 2.0,
    }


def test_request_stands_where_there_is_no_limit(pod):
    pod["containers"][0]["resources"]["limits"].pop("cpu")

    assert environment_in([deployment(pod)], "server")["cpus"] == 0.5


def test_value_from_a_secret_is_left_out(pod):
    assert "TOKEN" not in environment_in([deployment(pod)], "server")["env"]


def test_other_documents_of_the_file_are_passed_over(pod):
    others = [{"kind": "Service", "spec": {"ports": []}}, None, "text", {"kind": "ConfigMap"}]

    assert environment_in([*others, deployment(pod)], "server") == FIELDS


def test_several_containers_are_named_and_one_is_asked_for(pod):
    with pytest.raises(ConfigurationError, match=r"several containers \(server of Deployment churn, proxy of"):
        environment_in([deployment(pod)])


def test_container_that_is_not_there_is_told(pod):
    with pytest.raises(ConfigurationError, match="no container 'sidecar'"):
        environment_in([deployment(pod)], "sidecar")


def test_file_without_any_such_container_is_told():
    with pytest.raises(ConfigurationError, match="no container in a Deployment, InferenceService"):
        environment_in([{"kind": "Service"}])


def test_quantity_that_cannot_be_is_told_with_its_container(pod):
    pod["containers"][0]["resources"]["limits"]["memory"] = "4GB"

    with pytest.raises(ConfigurationError, match=r"Deployment churn, container 'server': .*unknown unit 'GB'"):
        environment_in([deployment(pod)], "server")
