"""What a change of a file that is not code may mean for tests."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_NATIVE_CODE = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".cu", ".f", ".f90", ".rs", ".pyx", ".pxd", ".pxi", ".so",
                ".pyd", ".dll", ".dylib", ".pth")  # fmt: skip
_LISTS = re.compile(
    r"((requirements|constraints)[\w.-]*\.(txt|in)|[\w.-]*\.lock|environment[\w.-]*\.ya?ml|conda[\w.-]*\.ya?ml|Pipfile|"
    r"poetry\.toml|uv\.toml|pixi\.toml|pylock[\w.-]*\.toml)$"
)
_FOLDER_OF_LISTS = re.compile(r"(^|/)(requirements|constraints)/[\w.-]+\.(txt|in)$")
_ALL = re.compile(
    r"(pytest\.ini|\.pytest\.ini|pytest\.toml|\.pytest\.toml|\.python-version|runtime\.txt|CMakeLists\.txt|meson\.build)$"
)
# Files about the project that its code does not read, unless it names them.
_ABOUT = re.compile(
    r"^(README|CHANGE|CHANGES|CHANGELOG|HISTORY|NEWS|LICEN[CS]E|COPYING|NOTICE|AUTHORS|CONTRIBUTORS|CONTRIBUTING|"
    r"CODE_OF_CONDUCT|SECURITY|CODEOWNERS|CITATION|MAINTAINERS|INSTALL|RELEASE|TODO|ROADMAP)[\w.-]*$",
    re.IGNORECASE,
)
_TOOLS = re.compile(
    r"^(\.github|\.gitlab|\.circleci|\.vscode|\.idea|\.devcontainer)/|^(\.git(ignore|attributes|modules)|\.gitlab-ci\.yml|"
    r"\.travis\.yml|azure-pipelines\.yml|appveyor\.yml|\.pre-commit-config\.yaml|\.editorconfig|\.mailmap|"
    r"\.?codecov\.ya?ml|\.readthedocs\.ya?ml|mkdocs\.yml|\.coveragerc|\.?ruff\.toml|\.flake8|\.pylintrc|mypy\.ini|\.mypy\.ini|"
    r"pyrightconfig\.json|\.dockerignore|\.git-blame-ignore-revs|\.all-contributorsrc|\.bumpversion\.cfg|\.isort\.cfg|"
    r"tach\.toml|\.importlinter|MANIFEST\.in|Makefile|justfile|noxfile\.py|Dockerfile|py\.typed)$"
)
_PROSE = (
    ".md",
    ".rst",
    ".txt",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".svg",
    ".css",
    ".html",
    ".ipynb",
    ".js",
    ".bib",
    ".pdf",
)
_IDLE_TOOLS = frozenset(
    [
        "black",
        "ruff",
        "isort",
        "mypy",
        "pylint",
        "flake8",
        "bandit",
        "codespell",
        "commitizen",
        "semantic_release",
        "towncrier",
        "bumpversion",
        "bumpver",
        "coverage",
        "pyright",
        "basedpyright",
        "ty",
        "docformatter",
        "interrogate",
        "pydocstyle",
        "pydoclint",
        "vulture",
        "deptry",
        "importlinter",
        "cibuildwheel",
        "numpydoc_validation",
        "check-manifest",
        "yapf",
        "autopep8",
        "refurb",
        "pycodestyle",
        "tbump",
        "tach",
        "creosote",
        "djlint",
    ]
)
_IDLE_FACTS = frozenset((
    "urls", "url", "description", "authors", "author", "author_email", "maintainers", "maintainer",
    "maintainer_email", "keywords", "classifiers", "license", "license-files", "license_file", "license_files",
    "readme", "long_description", "long_description_content_type", "project_urls", "download_url", "home-page",
))  # fmt: skip


def rules_all(path: str, before: str | None, after: str | None) -> str:
    """Say why a change of *path* may change any test; empty where it cannot."""
    name = PurePosixPath(path).name
    if path.startswith(("docs/", "doc/")) and not name.endswith(".py"):
        return ""
    if name.endswith(_NATIVE_CODE):
        return f"{path} changed: which tests machine code reaches cannot be read"
    if _ALL.match(name):
        return f"{path} changed: it may rule how every test runs"
    if _is_list(path):
        differs = _listed(before) != _listed(after)
        return f"{path} changed: the installed packages may differ" if differs else ""
    if name in {"pyproject.toml", "setup.cfg", "tox.ini"}:
        return _ruled(path, name, before, after)
    return ""


def is_configuration(path: str) -> bool:
    """Say whether *path* is judged by `rules_all` alone, where nobody reads it."""
    name = PurePosixPath(path).name
    return bool(_ALL.match(name) or _is_list(path) or name in {"pyproject.toml", "setup.cfg", "tox.ini", "setup.py"})


def _is_list(path: str) -> bool:
    return bool(_LISTS.match(PurePosixPath(path).name) or _FOLDER_OF_LISTS.search(path))


def is_about(path: str) -> bool:
    """Say whether *path* tells people or tools about the project, and is nothing that its code reads."""
    name = PurePosixPath(path).name
    if "/" not in path and _ABOUT.match(name):
        return True
    if path.startswith(("docs/", "doc/", "paper/")):
        return name.endswith((*_PROSE, ".yml", ".yaml", ".toml", ".cfg")) or name in {"Makefile", "make.bat"}
    return (
        bool(_TOOLS.search(path)) or name.endswith(".pyi") or name in {"py.typed", ".gitignore", ".gitkeep", "Makefile"}
    )


def entry_points(texts: Iterable[tuple[str, str | None]]) -> dict[str, set[str]]:
    """
    Read which groups of entry points a project has, and what they name (`pkg.mod:func`).

    Args:
        texts: Path and text of each version of `pyproject.toml` and `setup.cfg` there is.
    """
    found: dict[str, set[str]] = {}
    for path, text in texts:
        for group, targets in (_toml_points(text) if path.endswith(".toml") else _ini_points(text)).items():
            found.setdefault(group, set()).update(targets)
    return found


def _toml_points(text: str | None) -> dict[str, set[str]]:
    project = _toml(text).get("project", {})
    groups = project.get("entry-points", {}) if isinstance(project, dict) else {}
    groups = groups if isinstance(groups, dict) else {}
    return {group: set(map(str, points.values())) for group, points in groups.items() if isinstance(points, dict)}


def _ini_points(text: str | None) -> dict[str, set[str]]:
    points = _ini(text).get("options.entry_points", {})
    return {
        group: {line.partition("=")[2].strip() for line in lines.splitlines() if "=" in line}
        for group, lines in points.items()
    }


def _listed(text: str | None) -> list[str]:
    lines = (line.split(" #")[0].strip() for line in (text or "").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _ruled(path: str, name: str, before: str | None, after: str | None) -> str:
    read = _toml_facts if name.endswith(".toml") else _ini_facts
    old, new = read(before), read(after)
    if None in (old, new):
        return f"{path} changed, and cannot be read: it may rule how every test runs"
    differs = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))  # type: ignore[misc, union-attr]
    return f"{path} changed ({differs[0]}): the installed packages or the way tests run may differ" if differs else ""


def _toml_facts(text: str | None) -> dict[str, Any] | None:
    """Give what can matter in a `pyproject.toml`, a table each; None where it is none."""
    document = _toml(text)
    if not document and (text or "").strip():
        return None
    tools, project = document.get("tool", {}), document.get("project", {})
    if not isinstance(tools, dict) or not isinstance(project, dict):
        return None
    facts = {f"[{name}]": value for name, value in document.items() if name not in {"project", "tool"}}
    facts |= {f"[tool.{name}]": value for name, value in tools.items() if name not in _IDLE_TOOLS}
    return facts | {f"project.{name}": value for name, value in project.items() if name not in _IDLE_FACTS}


def _ini_facts(text: str | None) -> dict[str, Any] | None:
    sections = _ini(text)
    if not sections and (text or "").strip():
        return None
    return {
        f"[{name}]": {key: value for key, value in section.items() if name != "metadata" or key not in _IDLE_FACTS}
        for name, section in sections.items()
        if re.split(r"[:\-]", name)[0] not in _IDLE_TOOLS
    }


def _toml(text: str | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text or "")
    except tomllib.TOMLDecodeError:
        return {}


def _ini(text: str | None) -> dict[str, dict[str, str]]:
    reader = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        reader.read_string(text or "")
    except configparser.Error:
        return {}
    return {name: {key: value or "" for key, value in reader.items(name)} for name in reader.sections()}
