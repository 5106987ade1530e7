"""Kubernetes: an environment as a pod override."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.environment import IMAGE_VARIABLE
from airflow_mltest.core.pod_fields import GPU
from airflow_mltest.core.quantities import cpus_in_words, gib_in_words

if TYPE_CHECKING:
    from airflow_mltest.core.profile import Profile

ENVIRONMENT_LABEL = "mltest/environment"
# Libraries start a thread for each CPU of the node, and none of them looks at the quota. All of BLAS, MKL and
# OpenMP read this variable, unless their own is set.
_THREADS = "OMP_NUM_THREADS"


def pod_override(environment: Profile) -> dict[str, Any]:
    """
    Describe what a pod's template is overridden with, as Kubernetes has it in JSON.

    Requests are the limits, so that the task gets what production's machine class has, no less and no
    more. The label `mltest/environment` is the same for all pods of one environment.

    Without both CPUs and memory the template's resources stay: an override replaces them as a whole, so
    that one with a part of them would take the others away.
    """
    container = {
        "name": "base",  # the one of the task: the executor knows it by this name
        "image": environment.image,
        "env": [{"name": name, "value": value} for name, value in sorted(_variables(environment).items())],
        "resources": _resources(environment),
    }
    spec = {
        "containers": [_told(container)],
        "nodeSelector": dict(environment.node_selector),
        "tolerations": [dict(one) for one in environment.tolerations],
        "serviceAccountName": environment.service_account,
    }
    told = _told(spec)
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return {"metadata": {"labels": {ENVIRONMENT_LABEL: digest[:16]}}, "spec": told}


def v1_pod(environment: Profile) -> Any:
    """Make the same with the library."""
    from kubernetes.client import ApiClient, Configuration, V1Pod

    # It has no public way from JSON to its models; Airflow goes the same. A configuration of its own, since that of
    # the process cannot be pickled in a cluster.
    client: Any = ApiClient(configuration=Configuration())
    return client._ApiClient__deserialize_model(pod_override(environment), V1Pod)  # noqa: SLF001


def unsaid(environment: Profile) -> list[str]:
    """Name the resources that an environment leaves open, though it asks for another."""
    asked = {"cpus": environment.cpus, "memory_gib": environment.memory_gib}
    missing = [name for name, value in asked.items() if value is None]
    return missing if environment.gpus or len(missing) < len(asked) else []


def _resources(environment: Profile) -> dict[str, Any]:
    if environment.cpus is None or environment.memory_gib is None:
        return {}
    found = {"cpu": cpus_in_words(environment.cpus), "memory": gib_in_words(environment.memory_gib)}
    if environment.gpus:
        found[GPU] = str(environment.gpus)
    return {"limits": found, "requests": dict(found)}


def _variables(environment: Profile) -> dict[str, str]:
    ours = {IMAGE_VARIABLE: environment.image} if environment.image else {}
    if environment.cpus is not None:
        ours[_THREADS] = str(max(1, int(environment.cpus)))
    return {**ours, **environment.env}


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the template may decide."""
    return {name: value for name, value in fields.items() if value}
