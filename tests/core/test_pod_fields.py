import pytest

from airflow_mltest.core.pod_fields import image_of, labels_of, service_account_of, tolerations_of, variables_of

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image",
    [
        *("worker:1.4", "localhost/worker:v1", "localhost:5000/ml/worker:1.4", "ghcr.io/acme/ml-worker:2026.11"),
        *(f"worker@{DIGEST}", f"worker:latest@{DIGEST}", f"localhost:5000/worker@{DIGEST}"),
    ],
)
def test_image_that_stays_the_same_is_taken(image):
    assert image_of(image) == image


@pytest.mark.parametrize(
    "image, words",
    [
        ("worker", "neither a tag nor a digest"),
        ("localhost:5000/worker", "neither a tag nor a digest"),
        ("worker:latest", "another image tomorrow"),
        ("worker:", "the tag ''"),
        ("worker:1 4", "the tag"),
        ("worker@sha256:12", "no digest"),
        ("My Worker:1.4", "no name of an image"),
    ],
)
def test_image_that_does_not_say_which_is_refused(image, words):
    with pytest.raises(ValueError, match=words):
        image_of(image)


def test_image_is_a_text():
    with pytest.raises(TypeError, match="it is a text"):
        image_of(["worker:1.4"])


@pytest.mark.parametrize("labels", [{"a b": "x"}, {"": "x"}, {"a": "x y"}, {"a": "x" * 64}, {"UP/per/a": "x"}])
def test_label_that_kubernetes_would_refuse_is_refused(labels):
    with pytest.raises(ValueError, match="label"):
        labels_of(labels)


def test_labels_are_taken_as_they_are():
    labels = {"cloud.google.com/gke-nodepool": "gpu-a100", "disk": "", "tier": "a_b.c"}

    assert labels_of(labels) == labels


@pytest.mark.parametrize(
    "toleration, words",
    [
        ({"kee": "gpu"}, "did you mean 'key'"),
        ({"key": "gpu", "operator": "Is"}, "operator"),
        ({"key": "gpu", "effect": "Never"}, "effect"),
        ({"key": "gpu", "operator": "Exists", "value": "a"}, "no value"),
        ({"value": "a"}, "without a key"),
        ({"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 5}, "NoExecute"),
        ("gpu", "a mapping"),
    ],
)
def test_toleration_that_kubernetes_would_refuse_is_refused_by_number(toleration, words):
    with pytest.raises(ValueError, match=f"number 2: .*{words}"):
        tolerations_of([{"operator": "Exists"}, toleration])


def test_variable_that_is_no_text_is_named_and_its_value_is_not_shown():
    with pytest.raises(ValueError, match="'PORT' is a text, not int") as refused:
        variables_of({"PORT": 98765})

    assert "98765" not in str(refused.value)


def test_service_account_is_a_name():
    assert service_account_of("ml-tests") == "ml-tests"
    with pytest.raises(ValueError, match="lower case"):
        service_account_of("ML")
