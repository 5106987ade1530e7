"""What Kubernetes' API server refuses of a pod: by its OpenAPI schema, and by rules that no schema says."""

import re

from kubernetes.utils import parse_quantity
from kubernetes_validate import ValidationError, validate

NEWEST = "1.37"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_OPERATORS, _EFFECTS = {"Exists", "Equal"}, {"NoSchedule", "PreferNoSchedule", "NoExecute"}


def refusals(pod, version=NEWEST):
    """Name all that the API server of a version of Kubernetes would not take of a pod; it is JSON."""
    try:
        validate({"apiVersion": "v1", "kind": "Pod", **pod}, version, strict=True)
    except ValidationError as error:
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"]
    meta, spec = pod["metadata"], pod["spec"]
    found = [] if _NAME.fullmatch(meta.get("name") or "") else [f"metadata.name: {meta.get('name')!r}"]
    found += [f"metadata.labels: {one}" for one in _labels(meta.get("labels"))]
    found += [f"spec.nodeSelector: {one}" for one in _labels(spec.get("nodeSelector"))]
    found += [f"spec.tolerations: {one}" for one in spec.get("tolerations") or () if not _tolerates(one)]
    return found + [one for container in spec["containers"] for one in _container(container)]


def requests_of(pod):
    """Sum what a pod's containers ask for, by resource; what is limited alone asks for its limit."""
    total = {}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for name, asked in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            total[name] = total.get(name, 0) + parse_quantity(asked)
    return total


def _labels(labels):
    pairs = (labels or {}).items()
    return [f"{key}={value}" for key, value in pairs if not (_KEY.fullmatch(key) and _VALUE.fullmatch(value))]


def _tolerates(toleration):
    operator = toleration.get("operator") or "Equal"
    return (
        operator in _OPERATORS
        and (toleration.get("effect") or "NoSchedule") in _EFFECTS
        and (operator == "Exists" or bool(toleration.get("key")))
        and not (operator == "Exists" and toleration.get("value"))
        and ("tolerationSeconds" not in toleration or toleration.get("effect") == "NoExecute")
    )


def _container(container):
    found = [] if container.get("image") else ["spec.containers.image: required"]
    names = [one["name"] for one in container.get("env") or ()]
    found += [f"spec.containers.env: {name!r}" for name in names if not _VARIABLE.fullmatch(name)]
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, text in [*limits.items(), *requests.items()]:
        try:
            quantity = parse_quantity(text)
        except ValueError as error:
            found.append(f"spec.containers.resources: {name}: {error}")
            continue
        if quantity < 0 or quantity > parse_quantity(limits.get(name, text)):
            found.append(f"spec.containers.resources: {name}: {text} of {limits.get(name)}")
        if "/" in name and (quantity % 1 or limits.get(name) != requests.get(name, limits.get(name))):
            found.append(f"spec.containers.resources: {name}: whole, and requested as limited")
    return found
