import json
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.profile import FIELDS, Profile

WHOLE = {
    "cpus": 4,
    "memory_gib": 16,
    "gpus": 1,
    "python": "3.11",
    "packages": {"scikit-learn": "1.7.2"},
    "queue": "gpu_large",
    "image": "registry.example.com:5000/ml/worker:1.4",
    "node_selector": {"node.kubernetes.io/instance-type": "g5.xlarge"},
    "tolerations": ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
    "env": {"TZ": "UTC"},
    "service_account": "ml-tests",
}


def test_every_field_may_be_left_out():
    assert Profile().asked() == {}


def test_every_field_is_kept():
    whole = Profile(**WHOLE)

    assert {name: getattr(whole, name) for name in FIELDS} == WHOLE


def test_texts_of_kubernetes_become_numbers():
    assert Profile(cpus="500m", memory_gib="512Mi") == Profile(cpus=0.5, memory_gib=0.5)


def test_pins_become_versions_by_package():
    assert Profile(packages=["pandas==2.2.3", "numpy == 2.0.1"]).packages == {"pandas": "2.2.3", "numpy": "2.0.1"}


def test_value_is_frozen_and_survives_a_pickle_and_a_change():
    whole = Profile(**WHOLE)

    with pytest.raises(FrozenInstanceError):
        whole.cpus = 8
    assert pickle.loads(pickle.dumps(whole)) == whole  # noqa: S301  our own
    assert replace(whole, queue="cpu").queue == "cpu"


def test_what_was_asked_is_strict_json_without_the_values_of_variables():
    asked = Profile(**WHOLE).asked()

    assert json.loads(json.dumps(asked, allow_nan=False)) == asked
    assert asked["env"] == ["TZ"]
    assert "UTC" not in str(asked)


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("cpus", 0, "above 0"),
        ("cpus", -2, "not -2"),
        ("memory_gib", -16, "not -16"),
        ("memory_gib", "16GB", "unknown unit 'GB'"),
        ("gpus", -1, "whole number from 0"),
        ("gpus", 0.5, "whole number"),
        ("python", 3.1, "in quotes"),
        ("python", "3", "'3.11'"),
        ("packages", ["pandas>=2"], "needs one version"),
        ("packages", {"pandas": 2.2}, "in quotes"),
        ("packages", "pandas==2.2.3", "a list"),
        ("queue", "", "name of one queue"),
        ("queue", "a,b", "name of one queue"),
        ("image", "worker", "neither a tag nor a digest"),
        ("env", {"A B": "x"}, "'A B'"),
        ("node_selector", {"zone": 1}, "in quotes"),
        ("tolerations", {"key": "gpu"}, "a list"),
        ("service_account", "ML Tests", "lower case"),
    ],
)
def test_field_that_cannot_be_is_refused_by_name(field, value, words):
    with pytest.raises(ConfigurationError, match=f"{field}: ") as refused:
        Profile(**{field: value})

    assert words in str(refused.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigurationError, match=r"cpus: .*; memory_gib: .*; python: "):
        Profile(cpus=-1, memory_gib="lots", python="new")


def test_gpus_need_somewhere_to_be():
    with pytest.raises(ConfigurationError, match="gpus: nothing says where"):
        Profile(cpus=4, memory_gib=16, gpus=1)

    assert Profile(gpus=1, node_selector={"gpu": "a100"}).gpus == 1
