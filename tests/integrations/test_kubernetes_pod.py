import pytest

from airflow_mltest.core.profile import Profile
from airflow_mltest.integrations.kubernetes_pod import ENVIRONMENT_LABEL, pod_override, unsaid, v1_pod

PRODUCTION = Profile(
    cpus=2.5,
    memory_gib=4,
    gpus=1,
    image="worker:1.4",
    node_selector={"gpu": "a100"},
    tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    env={"TZ": "UTC"},
    service_account="ml-tests",
)


def container_of(environment):
    (container,) = pod_override(environment)["spec"]["containers"]
    return container


def variables_of(environment):
    return {one["name"]: one["value"] for one in container_of(environment).get("env", [])}


def test_pod_is_complete():
    pod = pod_override(PRODUCTION)

    assert pod["spec"] == {
        "containers": [
            {
                "name": "base",
                "image": "worker:1.4",
                "env": [
                    {"name": "MLTEST_IMAGE", "value": "worker:1.4"},
                    {"name": "OMP_NUM_THREADS", "value": "2"},
                    {"name": "TZ", "value": "UTC"},
                ],
                "resources": {
                    "limits": {"cpu": "2500m", "memory": "4Gi", "nvidia.com/gpu": "1"},
                    "requests": {"cpu": "2500m", "memory": "4Gi", "nvidia.com/gpu": "1"},
                },
            }
        ],
        "nodeSelector": {"gpu": "a100"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "serviceAccountName": "ml-tests",
    }


@pytest.mark.parametrize("asked", [{"cpus": 2}, {"memory_gib": 4}, {"gpus": 1, "image": "worker:1.4"}])
def test_resources_are_all_there_or_the_template_keeps_its_own(asked):
    assert "resources" not in container_of(Profile(**asked))
    assert unsaid(Profile(**asked)) == [name for name in ("cpus", "memory_gib") if name not in asked]


def test_environment_without_resources_leaves_none_unsaid():
    assert unsaid(Profile(image="worker:1.4")) == []
    assert unsaid(PRODUCTION) == []


def test_what_is_not_asked_for_is_left_to_the_template():
    assert pod_override(Profile())["spec"] == {"containers": [{"name": "base"}]}


@pytest.mark.parametrize("cpus, threads", [(0.25, "1"), (1.9, "1"), (16, "16")])
def test_libraries_start_a_thread_for_each_whole_cpu(cpus, threads):
    assert variables_of(Profile(cpus=cpus, memory_gib=1))["OMP_NUM_THREADS"] == threads


def test_own_variables_come_before_ours():
    asked = Profile(cpus=8, memory_gib=1, image="worker:1.4", env={"OMP_NUM_THREADS": "2", "MLTEST_IMAGE": "other:1"})

    assert variables_of(asked) == {"OMP_NUM_THREADS": "2", "MLTEST_IMAGE": "other:1"}


def test_pods_of_one_environment_share_a_label_that_others_do_not_have():
    def label(environment):
        return pod_override(environment)["metadata"]["labels"][ENVIRONMENT_LABEL]

    assert label(PRODUCTION) == label(Profile(**{**PRODUCTION.asked(), "env": {"TZ": "UTC"}}))
    assert label(PRODUCTION) != label(Profile(cpus=2, memory_gib=4))


def test_library_reads_the_pod_as_it_was_written():
    kubernetes = pytest.importorskip("kubernetes.client", reason="the extra `kubernetes` is not installed")

    assert kubernetes.ApiClient().sanitize_for_serialization(v1_pod(PRODUCTION)) == pod_override(PRODUCTION)
