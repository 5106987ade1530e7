"""Where the project under test lies for this task: a folder, the DAG's own bundle, or a checkout."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk import Context

    from airflow_mltest.hooks.git import Checkout

# All tasks of this version of the DAG read the same folder.
_CLEAN = {"PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """
    A project that can be tested now.

    Args:
        folder: Where it lies, or its one test file.
        commit: Which commit it is, where that is known without asking git.
        name: What names it on every worker, where the folder does not; empty: its git remote or folder.
        env: What the environment of a process that runs it needs, to leave nothing in a folder that others use.
    """

    folder: Path
    commit: str = ""
    name: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def open_project(project: str | Checkout, context: Context, *, commit: str = "") -> Iterator[Project]:
    """
    Find *project* for the time of a `with`.

    An absolute path is what it says. A relative one lies in the DAG's bundle, at the commit that
    the DAG run is pinned to. A `Checkout` is a clean work tree, at *commit* if that is given: a
    branch may have moved since the plan was made.

    Raises:
        ConfigurationError: It cannot be found.
    """
    if not isinstance(project, str):
        with project.open(commit) as checked_out:
            yield Project(folder=checked_out.folder, commit=checked_out.commit, name=checked_out.name)
        return
    bundle = getattr(context["ti"], "bundle_instance", None)
    version = str(getattr(bundle, "version", None) or "")
    if Path(project).is_absolute():
        inside = bundle is not None and Path(project).is_relative_to(bundle.path)
        yield Project(folder=Path(project), commit=version if inside else "", env=_CLEAN if inside else {})
    elif bundle is None:
        msg = f"project {project!r} is relative, and this task has no DAG bundle: give an absolute path or a Checkout."
        raise ConfigurationError(msg)
    else:
        yield Project(folder=Path(bundle.path) / project, commit=version, name=f"{bundle.name}/{project}", env=_CLEAN)
