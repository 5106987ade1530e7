"""What a place to run in offers, and where two of them differ."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "packages": {name: found for name in packages if (found := _version(name))},
    }


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
