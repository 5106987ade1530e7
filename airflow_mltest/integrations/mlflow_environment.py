"""MLflow: what a model was logged with, and where a deployment has something else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_mltest.core.deployment import Deployment

_ASK = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps({"python": platform.python_version(), "packages": found}))
"""
_ASK_LIMIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """
    What a model was logged with.

    Args:
        python: Version of the interpreter; empty when it was not told.
        requirements: Of `packaging`, a package each; those by address or file are left out.
    """

    python: str
    requirements: tuple[Any, ...]


def differences(folder: Path, deployment: Deployment) -> list[str]:
    """
    Say where a deployment has other packages, or another Python, than the model was logged with.

    What the file pins is compared, and what the interpreter has that MLflow's server would run on; of a
    user's own command only the former is known. Of Python, the first two numbers of the version count.

    Args:
        folder: Of the model's files, as downloaded.
        deployment: What is deployed.

    Returns:
        A sentence for each, with the field's name, what was logged, and what is deployed.
    """
    logged = logged_with(folder)
    found = _declared(logged, deployment)
    if not deployment.command:
        found += _installed(logged, deployment)
    return found


def logged_with(folder: Path) -> Logged:
    """Read `requirements.txt` and `python_env.yaml` of a model's folder; what is not there was not told."""
    import yaml  # type: ignore[import-untyped]
    from packaging.requirements import InvalidRequirement, Requirement

    requirements = []
    for line in _lines(folder / "requirements.txt"):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:  # an option of pip's, or an address
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            requirements.append(requirement)
    said = yaml.safe_load("\n".join(_lines(folder / "python_env.yaml")))
    python = said.get("python", "") if isinstance(said, dict) else ""
    return Logged(python=str(python), requirements=tuple(requirements))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _declared(logged: Logged, deployment: Deployment) -> list[str]:
    # What is not pinned may be there all the same.
    found = _other_packages("packages", logged, deployment.packages, complete=False)
    return found + _other_python("python_version", logged.python, deployment.python_version)


def _installed(logged: Logged, deployment: Deployment) -> list[str]:
    """Ask the interpreter itself, in the environment that the server will have."""
    python = deployment.python or sys.executable
    names = [requirement.name for requirement in logged.requirements]
    environment = {"PATH": os.environ.get("PATH", ""), **deployment.env}
    try:
        done = subprocess.run(
            [python, "-c", _ASK, *names],
            capture_output=True,
            text=True,
            env=environment,
            cwd="/",
            timeout=_ASK_LIMIT_S,
            check=True,
        )
        said = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return [f"python: {python!r} cannot be asked for its packages: {type(error).__name__}"]
    where = f"python ({python})"
    found = _other_packages(where, logged, said["packages"], complete=True)
    return found + _other_python(where, logged.python, said["python"])


def _other_packages(field: str, logged: Logged, deployed: Mapping[str, str], *, complete: bool) -> list[str]:
    from packaging.utils import canonicalize_name

    versions = {canonicalize_name(name): version for name, version in deployed.items()}
    found = []
    for requirement in logged.requirements:
        version = versions.get(canonicalize_name(requirement.name))
        wanted = str(requirement.specifier) or "any version"
        if version is None and complete:
            found.append(f"{field}: {requirement.name} was logged as {wanted}, and is not deployed")
        elif version is not None and not _meets(requirement, version):
            found.append(f"{field}: {requirement.name} was logged as {wanted}, and is deployed as {version}")
    return found


def _meets(requirement: Any, version: str) -> bool:
    from packaging.version import InvalidVersion

    try:
        return bool(requirement.specifier.contains(version, prereleases=True))
    except InvalidVersion:
        return False


def _other_python(field: str, logged: str, deployed: str) -> list[str]:
    if not logged or not deployed or logged.split(".")[:2] == deployed.split(".")[:2]:
        return []
    return [f"{field}: the model was logged with Python {logged}, and is deployed on {deployed}"]
