"""The fixtures under test, as a project has them; and projects that opt in."""

import os
import subprocess
import sys

import pytest

from airflow_mltest.testing import (  # noqa: F401
    _airflow_home,
    mlflow_store,
    run_dag,
    sandbox,
    serve_model,
    tiny_model,
)


@pytest.fixture(scope="session")
def run_pytest(tmp_path_factory):
    """Run pytest in a project of its own, made of the files that are given; returns its exit code and output."""

    def run_pytest(files, *args, python=(sys.executable,), env=None):
        project = tmp_path_factory.mktemp("project")
        for name, text in files.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        outside = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTEST"))}
        done = subprocess.run(
            [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
            cwd=project,
            env={**outside, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        return done.returncode, done.stdout

    return run_pytest
