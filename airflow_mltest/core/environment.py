"""What a place to run in offers, and where two of them differ."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def conditions(packages: Sequence[str]) -> dict[str, Any]:
    """
    Describe where this runs, in strict JSON.

    Args:
        packages: The distributions whose versions matter, as pip names them.

    Returns:
        `python` and `platform`; `cpus`, how many this process may use; `load_average`, the processes
        that wanted one over the last minute; `packages`, versions by name, absent ones left out.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": _usable_cpus(),
        "load_average": round(os.getloadavg()[0], 2),
        "packages": {name: found for name in packages if (found := _version(name))},
    }


def _usable_cpus() -> int:
    # A container or taskset may allow fewer than the machine has; only Linux can say which.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
