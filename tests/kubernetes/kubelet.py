"""What runs pods on a node: each container as a local process, within limits that the kernel keeps."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from kubernetes.utils import parse_quantity

from airflow_mltest.processes import KeptProcess

_GROUPS = Path("/sys/fs/cgroup")
_CONTROLLERS = ("cpu", "memory")
_PERIOD_US = 100_000
_LOOK_S = 0.05
_NAMESPACES = ("unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--cgroup", "--mount-proc")
# The process goes into its groups before anything of it runs; inside, it finds them where a pod finds its own. It is no
# more likely to be killed for memory than others, as what a keeper keeps is.
_JOIN = """
for group in $MLTEST_GROUPS; do echo $$ > $group/cgroup.procs || exit; done
echo 0 > /proc/self/oom_score_adj; exec "$@"
"""
_ENTER = """
hostname "$HOSTNAME" || exit
for group in $MLTEST_GROUPS; do mount --bind $group /sys/fs/cgroup/$(echo $group | cut -d/ -f5) || exit; done
unset MLTEST_GROUPS; exec "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Node:
    """
    A machine of the cluster.

    Args:
        name: Its name.
        cpus: CPUs that it has for pods.
        memory_gib: Memory that it has for pods, in GiB.
        labels: What a pod's node selector looks for.
        taints: What a pod has to tolerate, as in a manifest.
        spares_others: Whether a container outlives one of its processes that the kernel kills for memory. With
            control groups of version 2 it does not, unless the kubelet says `singleProcessOOMKill`.
    """

    name: str
    cpus: float
    memory_gib: float
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[dict[str, str], ...] = ()
    spares_others: bool = True

    def refuses(self, pod, taken):
        """
        Say why a pod cannot be here, as a scheduler does; empty: it can.

        Args:
            pod: As JSON.
            taken: What the pods here have, each as `requests_of` gives it, and the last what this one asks for.
        """
        spec = pod["spec"]
        if not (spec.get("nodeSelector") or {}).items() <= self.labels.items():
            return "1 node(s) didn't match Pod's node affinity/selector"
        tolerations = spec.get("tolerations") or ()
        for taint in self.taints:
            if not any(_tolerated(taint, one) for one in tolerations):
                return f"1 node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
        has = {"cpu": self.cpus, "memory": self.memory_gib * 2**30}
        for name in {name for one in taken for name in one}:
            if sum(one.get(name, 0) for one in taken) > has.get(name, 0):
                return f"1 Insufficient {name}"
        return ""


def _tolerated(taint, toleration):
    return (
        toleration.get("key") in {None, taint["key"]}
        and (toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""))
        and toleration.get("effect") in {None, taint["effect"]}
    )


class Container:
    """
    The container of a pod, as a process that ends with the one that has made this.

    Args:
        pod: As JSON.
        image: Variables that it brings, by name.
        node: Where it runs.
        folder: Takes what it prints.
    """

    def __init__(self, pod, image, node, folder):
        (container,) = pod["spec"]["containers"]
        self._limits = Limits(pod["metadata"]["uid"], (container.get("resources") or {}).get("limits") or {})
        self._spares_others = node.spares_others
        groups = " ".join(map(str, self._limits.folders))
        own = {one["name"]: one["value"] for one in container.get("env") or () if "value" in one}
        env = {**image, **own, "HOSTNAME": pod["metadata"]["name"], "MLTEST_GROUPS": groups}
        argv = [*(container.get("command") or ()), *(container.get("args") or ())]
        inside = [*_NAMESPACES, "sh", "-c", _ENTER, "sh", *argv] if can_isolate() else argv
        self.log = folder / f"{pod['metadata']['name']}.log"
        with self.log.open("wb") as output:
            argv = ["sh", "-c", _JOIN, "sh", *inside]
            self._kept = KeptProcess(argv, cwd=str(folder), env=env, output=output)

    def wait(self):
        """Wait for its end; give its exit code and Kubernetes' word for it."""
        while self._kept.poll() is None:
            if self._limits.kills and not self._spares_others:
                self._limits.kill()
            time.sleep(_LOOK_S)
        code = self._kept.close()
        killed = self._limits.kills > 0
        self._limits.remove()
        code = 128 - code if code < 0 else code
        return code, "OOMKilled" if killed else "Error" if code else "Completed"

    def stop(self):
        """Ask for its end."""
        self._kept.stop()


class Limits:
    """
    Control groups of version 1 that hold a process to what its container may have.

    Args:
        name: What they are called.
        limits: The container's, by resource.
    """

    def __init__(self, name, limits):
        self.folders = [_home(controller) / f"mltest-{os.getpid()}-{name}" for controller in _CONTROLLERS]
        cpu, memory = self.folders
        for folder in self.folders:
            folder.mkdir()
        if "cpu" in limits:
            (cpu / "cpu.cfs_quota_us").write_text(str(int(parse_quantity(limits["cpu"]) * _PERIOD_US)))
            (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        if "memory" in limits:
            (memory / "memory.limit_in_bytes").write_text(str(int(parse_quantity(limits["memory"]))))

    @property
    def kills(self):
        """Count the processes that the kernel has killed for memory."""
        told = (self.folders[1] / "memory.oom_control").read_text().split()
        return int(told[told.index("oom_kill") + 1])

    def kill(self):
        """End all that is in them."""
        for pid in (self.folders[1] / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def remove(self):
        """Take them away; the kernel may need a moment to see that they are empty."""
        for folder in self.folders:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(_LOOK_S)


@cache
def can_limit():
    """Tell whether this process may make control groups of version 1; take away those of one that was killed."""
    for folder in (folder for controller in _CONTROLLERS for folder in _home(controller).glob("mltest-*-*")):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()
    try:
        Limits("trial", {"cpu": "1", "memory": "64Mi"}).remove()
    except OSError:
        return False
    return True


@cache
def can_isolate():
    """Tell whether this process may make namespaces."""
    return subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode == 0


def _home(controller):
    """Find the group that this process is in, where it sees that; else the highest."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    groups = {name: path for _, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")}
    own = _GROUPS / controller / groups.get(controller, "/").lstrip("/")
    return own if own.is_dir() else _GROUPS / controller
