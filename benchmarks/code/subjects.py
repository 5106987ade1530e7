"""Packages whose own tests are run: as they are published, each in a git work tree of its own."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ALGORITHMS = "networkx/algorithms/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    A package and a part of its tests.

    Args:
        name: Its name; also what its folder of sources is called.
        tests: What pytest is called with.
        small: A smaller part that calls many functions, for overheads; empty: `tests`.
        sources: Folders and files whose sources may be edited.
        preload: Modules of other packages that its tests need.
        clean: Whether its modules import what they need only, as against all from everywhere.
    """

    name: str
    tests: Sequence[str]
    small: Sequence[str] = ()
    sources: Sequence[str]
    preload: Sequence[str]
    clean: bool

    def texts(self, folder: Path) -> dict[str, str]:
        """Read the sources that may be edited, below *folder*."""
        found = {}
        for source in self.sources:
            for path in sorted((folder / source).rglob("*.py")) or [folder / source]:
                name = path.relative_to(folder).as_posix()
                if "/tests/" not in name and path.name != "conftest.py":
                    found[name] = path.read_text(encoding="utf-8")
        return found


NETWORKX = Subject(
    name="networkx",
    tests=(
        "networkx/classes", *(_ALGORITHMS + part for part in (
            "shortest_paths", "traversal", "components", "bipartite", "operators", "tree",
        )),
        f"--deselect={_ALGORITHMS}tree/tests/test_branchings.py",
    ),
    small=("networkx/classes", *(_ALGORITHMS + part for part in ("shortest_paths", "traversal", "components"))),
    sources=(
        "networkx/classes", "networkx/convert.py", "networkx/relabel.py", "networkx/utils",
        "networkx/generators/classic.py",
        *(_ALGORITHMS + part for part in (
            "shortest_paths", "traversal", "components", "bipartite", "operators", "tree",
        )),
    ),
    preload=("pytest", "numpy", "scipy.sparse", "scipy.stats", "scipy.linalg", "scipy.sparse.linalg", "pandas"),
    clean=False,
)  # fmt: skip

_LEARNING = (
    "pytest", "numpy", "scipy.stats", "pandas", "sklearn.model_selection", "sklearn.ensemble", "sklearn.pipeline",
    "sklearn.utils.estimator_checks", "statsmodels.tsa.seasonal", "sklearn.linear_model", "sklearn.neighbors",
)  # fmt: skip

# Files that train models by the dozen say more about scikit-learn's speed than about a selection.
_SLOW = (
    "encoding/test_check_estimator_encoders", "creation/test_check_estimator_creation", "selection/test_mrmr",
    "creation/test_decision_tree_features", "discretisation/test_check_estimator_discretisers",
    "discretisation/test_arbitrary_discretiser", "discretisation/test_base_discretizer",
    "discretisation/test_decision_tree_discretiser", "encoding/test_decision_tree_encoder",
    "imputation/test_check_estimator_imputers", "outliers/test_check_estimator_outliers",
    "prediction/test_check_estimator_prediction", "preprocessing/test_check_estimator_preprocessing",
    "selection/test_base_selection_functions", "selection/test_check_estimator_selectors",
    "selection/test_drop_high_psi_features", "selection/test_probe_feature_selection",
    "selection/test_recursive_feature_addition", "selection/test_recursive_feature_elimination",
    "selection/test_recursive_feature_selectors", "selection/test_shuffle_features",
    "selection/test_single_feature_performance", "selection/test_smart_correlation_selection",
    "selection/test_target_mean_selection", "time_series/test_forecasting/test_check_estimator_forecasting",
    "transformation/test_check_estimator_transformers", "wrappers",
)  # fmt: skip

FEATURE_ENGINE = Subject(
    name="feature_engine",
    tests=("tests", *(f"--ignore=tests/test_{part}{'' if part == 'wrappers' else '.py'}" for part in _SLOW)),
    sources=("feature_engine",),
    preload=_LEARNING,
    clean=True,
)

IMBLEARN = Subject(
    name="imblearn",
    tests=("imblearn", *(f"--ignore=imblearn/{part}.py" for part in (
        "utils/tests/test_min_dependencies",
        "tests/test_common", "ensemble/tests/test_bagging", "ensemble/tests/test_easy_ensemble",
        "ensemble/tests/test_forest", "under_sampling/_prototype_generation/tests/test_cluster_centroids",
        "under_sampling/_prototype_selection/tests/test_instance_hardness_threshold",
    ))),
    sources=("imblearn",),
    preload=_LEARNING,
    clean=True,
)  # fmt: skip


def lay(subject: Subject, folder: Path, *, python: str, repository: Path | None) -> Path:
    """
    Put the package below *folder*, in a git work tree with one commit.

    Args:
        subject: Which one.
        folder: An empty folder.
        python: The interpreter that it is installed for.
        repository: A clone of its repository, to be taken from there; else from what is installed.
    """
    if repository is not None:
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(repository), str(folder)], check=True)  # noqa: S607
        return folder
    where = f"import {subject.name}; print({subject.name}.__path__[0])"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True, cwd="/").stdout.strip()
    shutil.copytree(found, folder / subject.name, ignore=shutil.ignore_patterns("__pycache__"))
    begin(folder)
    return folder


def begin(folder: Path) -> None:
    """Make *folder* a git work tree, and commit all that is in it."""
    (folder / ".gitignore").write_text("__pycache__/\n.testmondata*\n.pytest_cache/\n")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "as it is")):
        git(folder, *arguments)


def git(folder: Path, *arguments: str) -> str:
    """Run git there, as nobody in particular."""
    settings = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false")
    run = subprocess.run(["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S607
    return run.stdout
