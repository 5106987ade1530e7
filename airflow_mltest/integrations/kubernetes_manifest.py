"""Kubernetes: the environment that a manifest gives to production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.pod_fields import GPU
from airflow_mltest.core.quantities import GIB, amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KINDS = ("Deployment", "InferenceService", "Pod", "StatefulSet")
# Where KServe has the server, other than among the containers: named after its library, in its older spelling.
_SERVERS = (
    *("model", "sklearn", "xgboost", "lightgbm", "mlflow", "pytorch", "tensorflow", "triton", "onnx", "pmml"),
    *("paddle", "huggingface"),
)
_KSERVE = "kserve-container"


def environment_in(documents: Iterable[Any], container: str | None = None) -> dict[str, Any]:
    """
    Read the fields of an environment from a manifest.

    CPUs, memory and GPUs are the container's limits, or its requests where it has no limit. Variables that come
    from a secret or a config map are left out: a test has no business with production's secrets.

    Args:
        documents: What the file holds; others than Deployment, InferenceService, Pod and StatefulSet are passed over.
        container: The one that matters, where there are several.

    Raises:
        ConfigurationError: There is not just one such container, or it is not as Kubernetes has it.
    """
    found = [
        (f"{document['kind']} {_at(document, 'metadata').get('name', '')}".strip(), spec, one)
        for document in documents
        if isinstance(document, dict) and document.get("kind") in _KINDS
        for spec in [_pod(document)]
        for one in _containers(spec)
        if container in {None, one.get("name")}
    ]
    if len(found) != 1:
        which = f"no container {container!r}" if container else "no container"
        if found:
            names = [f"{one.get('name')} of {where}" for where, _, one in found]
            which = f"several containers ({', '.join(names)})"
        msg = f"it has {which} in a {', '.join(_KINDS)}: name one that there is with `container`"
        raise ConfigurationError(msg)
    where, spec, one = found[0]
    try:
        return _fields(spec, one)
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"{where}, container {one.get('name')!r}: {error}"
        raise ConfigurationError(msg) from error


def _pod(document: Mapping[str, Any]) -> dict[str, Any]:
    match document["kind"]:
        case "Pod":
            return _at(document, "spec")
        case "InferenceService":
            return _at(document, "spec", "predictor")
        case _:
            return _at(document, "spec", "template", "spec")


def _containers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = [one for one in spec.get("containers") or [] if isinstance(one, dict)]
    named = [{"name": _KSERVE, **_at(spec, name)} for name in _SERVERS if name in spec]
    return listed + named


def _fields(spec: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    has = {**_at(container, "resources", "requests"), **_at(container, "resources", "limits")}
    fields = {
        "cpus": amount(str(has["cpu"])) if "cpu" in has else None,
        "memory_gib": amount(str(has["memory"])) / GIB if "memory" in has else None,
        "gpus": int(has.get(GPU, 0)),
        "image": container.get("image", ""),
        "env": {one["name"]: str(one["value"]) for one in container.get("env") or [] if "value" in one},
        "node_selector": spec.get("nodeSelector") or {},
        "tolerations": spec.get("tolerations") or [],
        "service_account": spec.get("serviceAccountName", ""),
    }
    return {name: value for name, value in fields.items() if value}


def _at(document: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Follow *path*; what is not there, or no mapping, is empty."""
    for name in path:
        inner = document.get(name)
        document = inner if isinstance(inner, dict) else {}
    return dict(document)
