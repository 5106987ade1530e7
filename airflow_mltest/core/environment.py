"""What a place to run in offers, and where two of them differ."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.cgroups import cpu_quota, memory_limit
from airflow_mltest.core.quantities import GIB, cpus_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.profile import Profile

    # Field, what was asked for, what there is, whether they agree.
    _Compared = tuple[str, str, str, bool | None]

# What tells a process which image it runs; `on(...)` sets it in each pod.
IMAGE_VARIABLE = "MLTEST_IMAGE"
# A machine of 16 GiB has a little less to give, and a quota is cut in steps of its period.
_TOLERANCE = 0.02
_SECRET = re.compile(r"pass|secret|token|key|credential|auth|conn", re.IGNORECASE)
_SMI_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """
    What a process has, as far as it can see from inside.

    Args:
        host: The machine's name; of a pod, the pod's.
        cpus: CPUs whose time it may use: by its affinity, and by the quota of its control group.
        memory_gib: Memory that it may use, in GiB: of its control group, or of the machine; None: not known.
        gpus: Names of the NVIDIA GPUs, or parts of them, that it sees; None: not known.
        python: The interpreter's version.
        packages: Versions of the packages that were asked about; what is not installed is left out.
        env: The environment variables that were asked about; what is not set is left out.
        image: What it runs in; empty: not told.
    """

    host: str
    cpus: float
    memory_gib: float | None
    gpus: tuple[str, ...] | None
    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    image: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give it for the record, as strict JSON; of variables the names only, since their values may be secrets."""
        seen: dict[str, Any] = {
            "host": self.host,
            "cpus": round(self.cpus, 3),
            "memory_gib": None if self.memory_gib is None else round(self.memory_gib, 3),
            "gpus": None if self.gpus is None else list(self.gpus),
            "python": self.python,
        }
        asked = {"packages": dict(self.packages), "env": sorted(self.env), "image": self.image}
        return seen | {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    One field of an environment, as it was asked for and as it is.

    Args:
        field: Its name; of a package or a variable `packages[pandas]`, `env[TZ]`.
        wanted: What was asked for, in words.
        offered: What there is, in words.
        same: Whether they agree; None: what there is cannot be known.
    """

    field: str
    wanted: str
    offered: str
    same: bool | None

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.field}: wanted {self.wanted}, this worker has {self.offered}"


def offered(wanted: Profile, environ: Mapping[str, str], root: Path = Path("/")) -> Offered:
    """
    Look at what this process has.

    Args:
        wanted: Names the packages and the variables to look for.
        environ: This process's variables.
        root: Where the file system begins.
    """
    cpus = _cpus()
    limits = [found / GIB for found in (memory_limit(root), _memory(root)) if found]
    return Offered(
        host=socket.gethostname(),
        cpus=min(cpus, cpu_quota(root) or cpus),
        memory_gib=min(limits, default=None),
        gpus=_gpus(environ),
        python=platform.python_version(),
        packages={name: found for name in wanted.packages if (found := _version(name))},
        env={name: environ[name] for name in wanted.env if name in environ},
        image=environ.get(IMAGE_VARIABLE, ""),
    )


def compare(wanted: Profile, found: Offered) -> list[Comparison]:
    """
    Compare every field that was asked for and that a process can see: where it runs, it cannot.

    CPUs and memory agree within 2 %, Python in as many parts as were given, all else exactly.
    """
    compared: list[_Compared] = []
    if wanted.cpus is not None:
        agree = _about(wanted.cpus, found.cpus)
        compared.append(("cpus", cpus_in_words(wanted.cpus), cpus_in_words(found.cpus), agree))
    if wanted.memory_gib is not None:
        compared.append(_of_memory(wanted.memory_gib, found.memory_gib))
    if wanted.gpus:
        compared.append(_of_gpus(wanted.gpus, found.gpus))
    if wanted.python:
        parts = wanted.python.split(".")
        compared.append(("python", wanted.python, found.python, found.python.split(".")[: len(parts)] == parts))
    if wanted.image:
        same = found.image == wanted.image if found.image else None
        compared.append(("image", wanted.image, found.image or "one that nobody has named", same))
    compared += [_of_package(name, version, found.packages.get(name)) for name, version in wanted.packages.items()]
    compared += [_of_variable(name, value, found.env.get(name)) for name, value in wanted.env.items()]
    return [Comparison(field=name, wanted=asked, offered=has, same=same) for name, asked, has, same in compared]


def differences(wanted: Profile, found: Offered) -> list[Comparison]:
    """Give what does not agree, or cannot be known to."""
    return [one for one in compare(wanted, found) if not one.same]


def conditions(packages: Sequence[str]) -> dict[str, Any]:
    """
    Say under which conditions this process runs, as strict JSON.

    Args:
        packages: Distributions whose versions matter; those that are not installed are left out.

    Returns:
        `python`, `platform`, `cpu` (its model), `cpus` (those that this process may use), `load_1min`
        (processes that wanted a CPU, on average), and `packages`.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpus": _cpus(),
        "load_1min": round(os.getloadavg()[0], 2),
        "packages": {name: found for name in packages if (found := _version(name))},
    }


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    """Name the processor, as Linux does; elsewhere as well as Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _about(wanted: float, found: float) -> bool:
    return abs(found - wanted) <= _TOLERANCE * wanted


def _of_memory(wanted: float, found: float | None) -> _Compared:
    has = "an amount that is not known" if found is None else f"{found:.4g} GiB"
    return "memory_gib", f"{wanted:.4g} GiB", has, None if found is None else _about(wanted, found)


def _of_gpus(wanted: int, found: tuple[str, ...] | None) -> _Compared:
    if found is None:
        return "gpus", str(wanted), "a number that is not known", None
    return "gpus", str(wanted), f"{len(found)} ({', '.join(found)})" if found else "0", len(found) == wanted


def _of_package(name: str, wanted: str, found: str | None) -> _Compared:
    return f"packages[{name}]", wanted, found or "no such package", found == wanted


def _of_variable(name: str, wanted: str, found: str | None) -> _Compared:
    if found is not None and not _SECRET.search(name):
        return f"env[{name}]", repr(wanted), repr(found), found == wanted
    has = "none" if found is None else "that one" if found == wanted else "another"
    return f"env[{name}]", "a value that is not shown", has, found == wanted


def _memory(root: Path) -> int | None:
    """Give the machine's memory in bytes, as Linux tells it."""
    try:
        told = (root / "proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return None
    total = re.search(r"^MemTotal:\s+(\d+) kB", told, re.MULTILINE)
    return int(total[1]) * 1024 if total else None


def _gpus(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """Ask NVIDIA's tool, which sees what a container was given; a GPU that is cut counts as its parts."""
    tool = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if not tool:
        return ()
    try:
        done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=_SMI_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = [line.partition(" (UUID")[0].strip() for line in done.stdout.splitlines()]
    whole = [line.partition(": ")[2] for line in lines if line.startswith("GPU ")]
    parts = [line.partition(" Device")[0] for line in lines if line.startswith("MIG ")]
    seen = tuple(parts or whole)
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return seen
    named = [one for one in visible.split(",") if one.strip() not in {"", "-1", "NoDevFiles"}]
    return seen[: len(named)]
