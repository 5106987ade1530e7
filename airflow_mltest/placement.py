"""An environment becomes a queue and a pod override."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import conf
from airflow.sdk.definitions.operator_resources import Resources

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.profile import FIELDS, Profile
from airflow_mltest.core.spelling import near

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltest.core.environment import Comparison
    from airflow_mltest.core.recording import Recording

_POD = "kubernetes.client.models.v1_pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(Profile):
    """
    Where a task has to run, as one value: what Celery, Kubernetes and `EnvironmentTestOperator` read.

    Args:
        cpus: CPUs that the task may use; a text as Kubernetes writes it, such as `"500m"`, becomes a number.
        memory_gib: Memory that it may use, in GiB (2**30 bytes); a text such as `"16Gi"` becomes a number.
        gpus: NVIDIA GPUs, a whole number.
        python: `3.11`, or `3.11.7`.
        packages: Versions by package; a list of `name==version` becomes such a mapping.
        queue: Celery's queue, which workers of this kind serve.
        image: What the pod runs, with a tag that stays or a digest.
        node_selector: Labels that the pod's node has to have.
        tolerations: Taints that the node may have, each a mapping as in a manifest.
        env: Environment variables, by name. They are readable wherever the DAG is: no place for secrets.
        service_account: The pod's.

    Raises:
        ConfigurationError: A field cannot be; names every one that cannot.
    """

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], name: str | None = None) -> Self:
        """
        Read it from the file that production's deployment is made with, so that the two cannot drift apart.

        Args:
            path: A YAML or JSON file that holds the fields of an environment by name, or several such by theirs.
            name: Which of several.

        Raises:
            ConfigurationError: It cannot be read, or has other fields than an environment.
        """
        from airflow_mltest.integrations.yaml_file import documents

        with _at(path):
            return cls(**_fields(next(iter(documents(Path(path))), None), name))

    @classmethod
    def from_manifest(cls, path: str | os.PathLike[str], container: str | None = None) -> Self:
        """
        Read it from a manifest: of a Deployment, a StatefulSet, a Pod, or an InferenceService of KServe.

        Python and packages are not in a manifest: `dataclasses.replace` adds them, a queue, and the image of
        a worker, where production's own has no Airflow.

        Args:
            path: A YAML or JSON file; what else it holds is passed over.
            container: The one that matters, where there are several.

        Raises:
            ConfigurationError: It cannot be read, there is not just one such container, or it is not as
                Kubernetes has it.
        """
        from airflow_mltest.integrations.kubernetes_manifest import environment_in
        from airflow_mltest.integrations.yaml_file import documents

        with _at(path):
            return cls(**environment_in(documents(Path(path)), container))


class PodOverride(Resources):
    """
    A pod that is made when somebody looks at it: a DAG is parsed without the library for Kubernetes.

    Airflow's serializer asks what it takes for resources for their JSON, and writes that down as it is:
    here a pod's, of which whoever has the library, the scheduler first of all, reads a `V1Pod`. In a
    process that has loaded the library this *is* a `V1Pod` to `isinstance`, with its attributes.

    Args:
        environment: What the pod is made for.
    """

    def __init__(self, environment: Profile) -> None:
        self.environment = environment

    def to_dict(self) -> Any:
        """Give what the serializer writes: a pod, or nothing where no process could read one."""
        from airflow_mltest.integrations.kubernetes_pod import pod_override

        if find_spec("kubernetes") is None:
            return None
        return {"__type": "k8s.V1Pod", "__var": pod_override(self.environment)}

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        loaded = sys.modules.get(_POD)
        return loaded.V1Pod if loaded else PodOverride

    def __reduce__(self) -> tuple[type, tuple[Profile]]:
        """Copy and pickle the environment, whichever class this says it is."""
        return PodOverride, (self.environment,)

    def __getattr__(self, name: str) -> Any:
        """Make the pod for whoever reads or changes it, such as a cluster's policy."""
        if name.startswith("__") or name in {"environment", "_pod"}:
            raise AttributeError(name)
        if "_pod" not in vars(self):
            from airflow_mltest.integrations.kubernetes_pod import v1_pod

            self._pod = v1_pod(self.environment)
        return getattr(self._pod, name)


def on(environment: Profile) -> dict[str, Any]:
    """
    Give the keywords with which any operator runs there: `PytestOperator(..., **on(production))`.

    `queue` is for Celery, `executor_config` for Kubernetes; each executor passes over the other's.

    Args:
        environment: Where the task has to run.

    Raises:
        ConfigurationError: The executors of this deployment cannot honour it.
    """
    refusal = _refusal(environment, conf.get("core", "executor", fallback="").lower())
    if refusal:
        raise ConfigurationError(refusal)
    keywords: dict[str, Any] = {"queue": environment.queue} if environment.queue else {}
    return {**keywords, "executor_config": {"pod_override": PodOverride(environment)}}


def record_worker(recording: Recording, executor_config: Mapping[str, Any] | None) -> list[Comparison]:
    """
    Record what this worker has, beside what `on(...)` asked for.

    Args:
        recording: Takes it as conditions of its suite.
        executor_config: The task's.

    Returns:
        What differs for certain.
    """
    from airflow_mltest.core.environment import differences, offered

    override = (executor_config or {}).get("pod_override")
    asked = override.environment if isinstance(override, PodOverride) else None
    found = offered(asked or Profile(), os.environ)
    recording.under(worker=found.to_dict())
    if asked is None:
        return []
    different = differences(asked, found)
    recording.under(asked=asked.asked(), differences=[str(one) for one in different])
    return [one for one in different if one.same is False]


def _refusal(environment: Profile, executors: str) -> str:
    from airflow_mltest.integrations.kubernetes_pod import unsaid

    missing = unsaid(environment)
    if "kubernetes" in executors and missing:
        return (
            f"the environment cannot be on Kubernetes: {', '.join(missing)}: say it, too, since it replaces all "
            "requests and limits of the pod's template"
        )
    if "kubernetes" not in executors and "celery" in executors and environment.gpus and not environment.queue:
        return "the environment cannot be on Celery: gpus: name the `queue` that workers with GPUs serve"
    return ""


@contextmanager
def _at(path: object) -> Iterator[None]:
    """Say of which file a mistake is."""
    try:
        yield
    except ConfigurationError as error:
        msg = f"{path}: {error}"
        raise ConfigurationError(msg) from error


def _fields(said: Any, name: str | None) -> dict[str, Any]:
    """Give the fields of the one environment in a file, or of the one with that name."""
    if not isinstance(said, Mapping):
        msg = f"it is no mapping of {', '.join(FIELDS)}"
        raise ConfigurationError(msg)
    if name is not None:
        if name not in said:
            msg = f"there is no environment {name!r}{near(name, map(str, said))}"
            raise ConfigurationError(msg)
        return _fields(said[name], None)
    unknown = [key for key in said if key not in FIELDS]
    if unknown:
        several = all(isinstance(one, Mapping) for one in said.values())
        hint = f": give the `name` of one of {', '.join(map(str, said))}" if several else near(unknown[0], FIELDS)
        msg = f"an environment has no {unknown[0]!r}{hint}"
        raise ConfigurationError(msg)
    return dict(said)
