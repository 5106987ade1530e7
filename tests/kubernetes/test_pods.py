import runpy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.integrations.kubernetes_pod import v1_pod
from airflow_mltest.placement import Environment

ADMISSION = runpy.run_path(str(Path(__file__).parent / "admission.py"))
refusals, NEWEST = ADMISSION["refusals"], ADMISSION["NEWEST"]
DEPLOY = Path(__file__).parents[2] / "deploy" / "kubernetes"
OLDEST = "1.30"
NAMES = st.text("abcXYZ019", min_size=1, max_size=20)
LABELS = st.dictionaries(st.sampled_from(["class", "node.kubernetes.io/instance-type"]), NAMES, max_size=2)
TOLERATIONS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"key": NAMES, "operator": st.just("Exists")}, optional={"effect": st.just("NoSchedule")}
        ),
        st.fixed_dictionaries({"key": NAMES, "value": NAMES, "effect": st.sampled_from(["NoExecute", "NoSchedule"])}),
    ),
    max_size=2,
)
ENVIRONMENTS = st.builds(
    Environment,
    cpus=st.floats(0.01, 512) | st.sampled_from(["500m", 4]),
    memory_gib=st.floats(0.05, 4096) | st.sampled_from(["512Mi", "16Gi"]),
    gpus=st.integers(0, 8),
    image=st.sampled_from(["worker:1.4", "registry.example.com:5000/ml/worker@sha256:" + "0" * 64]),
    node_selector=LABELS,
    tolerations=TOLERATIONS,
    env=st.dictionaries(st.sampled_from(["TZ", "MODEL_CACHE"]), st.text(max_size=10), max_size=2),
    service_account=st.sampled_from(["", "airflow-worker"]),
)


def template():
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    return PodGenerator.deserialize_model_file(str(DEPLOY / "pod_template.yaml"))


def pod_of(environment):
    """Make the pod that the executor makes of a task, as it is sent."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from kubernetes.client import ApiClient

    pod = PodGenerator.construct_pod(
        dag_id="churn_release",
        task_id="unit",
        pod_id="churn-release-unit-1",
        try_number=1,
        kube_image="apache/airflow:3.3.2",
        date=None,
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload"],
        pod_override_object=v1_pod(environment),  # as it is read from a serialized DAG
        base_worker_pod=template(),
        namespace="airflow",
        scheduler_job_id="1",
        run_id="manual__2026",
        map_index=3,
    )
    return ApiClient().sanitize_for_serialization(pod)


@given(environment=ENVIRONMENTS)
@settings(max_examples=25, deadline=None)
def test_pod_of_any_environment_is_taken_by_kubernetes(environment):
    pod = pod_of(environment)

    assert [refusals(pod, version) for version in (OLDEST, NEWEST)] == [[], []]


@given(environment=ENVIRONMENTS)
@settings(max_examples=15, deadline=None)
def test_pod_has_the_resources_of_its_environment_and_all_else_of_the_template(environment):
    pod = pod_of(environment)
    (container,) = pod["spec"]["containers"]
    resources, env = container["resources"], {one["name"]: one.get("value", "") for one in container["env"]}

    assert resources["limits"] == resources["requests"]
    assert set(resources["limits"]) == {"cpu", "memory", *(["nvidia.com/gpu"] if environment.gpus else [])}
    assert container["image"] == env["MLTEST_IMAGE"] == environment.image
    assert env["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor"
    assert [one["name"] for one in pod["spec"]["volumes"]] == ["config", "logs", "scratch"]
    assert pod["spec"]["serviceAccountName"] == (environment.service_account or "airflow-worker")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"imag": "worker:1.4"}, "'imag' was unexpected"),
        ({"image": ""}, "image: required"),
        ({"resources": {"limits": {"memory": "2 GB"}}}, "memory"),
        ({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}, "cpu: 2 of 1"),
        ({"resources": {"limits": {"nvidia.com/gpu": "0.5"}}}, "nvidia.com/gpu: whole"),
        ({"env": [{"name": "1=", "value": ""}]}, "'1='"),
        ({"env": [{"name": "TZ", "value": 1}]}, "1 is not of type"),
    ],
)
def test_container_that_kubernetes_would_refuse_is_refused_here(change, words):
    container = {"name": "base", "image": "worker:1.4"} | change
    pod = {"metadata": {"name": "unit"}, "spec": {"containers": [container]}}

    (refusal,) = refusals(pod)
    assert words in refusal


@pytest.mark.parametrize(
    "spec, words",
    [
        ({"nodeSelector": {"class": "no such value!"}}, "spec.nodeSelector: class=no such value!"),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "value": "yes"}]}, "spec.tolerations"),
        ({"tolerations": [{"key": "gpu", "effect": "Never"}]}, "'Never'"),
    ],
)
def test_pod_that_kubernetes_would_refuse_is_refused_here(spec, words):
    pod = {"metadata": {"name": "unit"}, "spec": {"containers": [{"name": "base", "image": "worker:1.4"}]} | spec}

    (refusal,) = refusals(pod)
    assert words in refusal


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_template_is_a_pod_by_itself(version):
    assert refusals(yaml.safe_load((DEPLOY / "pod_template.yaml").read_text()), version) == []


def test_settings_of_the_chart_are_those_that_airflow_has():
    from airflow.configuration import conf

    values = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    asked = {(section, option) for section, options in values["config"].items() for option in options}

    assert asked == {pair for pair in asked if conf.has_option(*pair)}


def test_chart_and_template_begin_a_pod_in_the_same_way():
    values = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    spec = yaml.safe_load((DEPLOY / "pod_template.yaml").read_text())["spec"]
    (container,) = spec["containers"]
    image, workers = values["images"]["airflow"], values["workers"]

    assert container["image"] == f"{image['repository']}:{image['tag']}"
    assert container["resources"] == workers["resources"]
    assert container["envFrom"] == yaml.safe_load(values["extraEnvFrom"])
    assert spec["terminationGracePeriodSeconds"] == workers["terminationGracePeriodSeconds"]
