"""A project opts in, by each of the ways that the documentation shows."""

import json
import os
import re
import site
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "testing.md"
PROJECT = Path(__file__).parents[2] / "airflow_mltest" / "demo" / "project"
FIXTURES = ["mlflow_store", "run_dag", "sandbox", "serve_model", "tiny_model"]
INI = (
    "[pytest]\naddopts = -p airflow_mltest.testing\npythonpath = src\nfilterwarnings = error\n    ignore:::mlflow\\.\n"
)
DAG = """
from airflow.sdk import DAG, Variable, task

with DAG("doubles", schedule=None, params={"numbers": []}):

    @task
    def numbers(params=None):
        return params["numbers"]

    @task
    def double(number):
        return number * int(Variable.get("factor"))

    double.expand(number=numbers())
"""
SCRIPT = """
import json, pathlib, sys
trees = int(sys.argv[3])
pathlib.Path("model").mkdir(exist_ok=True)
pathlib.Path("model/trees.txt").write_text("t" * trees)
print(json.dumps({"trees": trees}))
"""
HOME = """
import os

def test_home_of_this_process(tmp_path_factory):
    from airflow.configuration import AIRFLOW_HOME

    assert AIRFLOW_HOME.startswith(str(tmp_path_factory.getbasetemp()))

def test_home_is_set_for_those_only_who_run_a_dag():
    assert "AIRFLOW_HOME" not in os.environ
"""
LIGHT = """
import sys

def test_unit():
    assert not {"airflow", "mlflow", "pandas", "numpy", "sklearn"} & set(sys.modules)
"""


def blocks():
    return re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def test_every_example_of_the_documentation_passes_in_a_project_that_opts_in_by_ini(run_pytest, tmp_path):
    """Warnings are errors there; Airflow has no home, gets one of the session, and leaves the user's alone."""
    examples = "import mlflow, mlflow.pyfunc, pytest\n" + "\n".join(blocks())
    files = {"pytest.ini": INI, "test_docs.py": examples, "dags/doubles.py": DAG, "src/late/__main__.py": SCRIPT}
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")

    code, said = run_pytest(
        {**files, "test_home.py": HOME}, env={"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": cache}
    )

    assert code == 0, said
    assert all(f"({name}" in examples or f", {name}" in examples for name in FIXTURES)
    assert f"{examples.count('def test_') + HOME.count('def test_')} passed" in said
    assert not (tmp_path / "home").exists()


def test_workers_of_one_run_share_nothing(run_pytest):
    """Two workers make their stores, from one template, and their sandboxes at the same time."""
    tests = """
import sqlite3, sys
import pytest

@pytest.mark.parametrize("number", range(4))
def test_store(mlflow_store, sandbox, number):
    path = mlflow_store.uri.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT name FROM experiments").fetchall() == [("Default",)]
        database.execute("UPDATE experiments SET name = 'taken'")
    told = sandbox.run("python", "-c", "import os; print(os.environ['MLFLOW_TRACKING_URI'])")
    assert told.stdout.strip() == mlflow_store.uri
"""
    code, said = run_pytest({"test_stores.py": tests}, "-p", "airflow_mltest.testing", "-n", "2")

    assert code == 0, said
    assert "4 passed" in said


def test_units_pay_nothing(run_pytest):
    code, said = run_pytest({"test_unit.py": LIGHT}, "-p", "airflow_mltest.testing")

    assert code == 0, said


def test_opting_in_imports_few_modules(run_pytest):
    """Their number stands for the time, which a busy machine would make a lie."""
    count = "import sys, json\ndef test_count():\n    print('modules', json.dumps(sorted(sys.modules)))\n"

    def modules(*args):
        code, said = run_pytest({"test_count.py": count}, "-s", *args)
        assert code == 0, said
        return set(json.loads(re.search(r"modules (\[.*?\])", said)[1]))

    assert modules("-p", "airflow_mltest.testing") - modules() == {"airflow_mltest", "airflow_mltest.testing"}


def test_each_fixture_is_listed_with_what_it_gives(run_pytest):
    code, said = run_pytest({"test_unit.py": LIGHT}, "-p", "airflow_mltest.testing", "--fixtures")
    listed = dict(re.findall(r"^(\w+) -- \S*airflow_mltest/testing/__init__\.py:\d+\n    (.+)$", said, re.MULTILINE))

    assert code == 0
    assert sorted(listed) == FIXTURES
    assert listed["run_dag"] == "Run a DAG to its end in this process, and say what became of each task."


def test_library_that_is_missing_is_an_error_of_the_tests_that_need_it_only(run_pytest):
    hidden = """
import importlib.metadata, sys
import pytest

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"mlflow", "sklearn", "airflow"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

found = importlib.metadata.Distribution.from_name
def from_name(name):
    if name in {"mlflow", "apache-airflow-core"}:
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)

sys.meta_path.insert(0, Hide())
importlib.metadata.Distribution.from_name = staticmethod(from_name)
"""
    tests = """
def test_store(mlflow_store): pass
def test_model(tiny_model): pass
def test_served(serve_model): serve_model("models:/tiny/1")
def test_dag(run_dag): pass
def test_sandbox(sandbox): pass
"""
    code, said = run_pytest({"conftest.py": hidden, "test_all.py": tests}, "-p", "airflow_mltest.testing")

    assert code == 1, said
    assert "1 failed, 1 passed, 3 errors" in said
    assert said.count("pip install 'airflow-mltest[model]'") >= 3
    assert "pip install 'airflow-mltest[pytest]'" in said


def test_demos_unit_tests_need_nothing_of_this_package(run_pytest):
    """Without `site`, the folder of installed packages is there, and this one, which is linked into it, is not."""
    libraries = ":".join(site.getsitepackages())
    args = [str(PROJECT / "tests"), f"--rootdir={PROJECT}", "-c", str(PROJECT / "pyproject.toml"), "-rs"]

    code, said = run_pytest(
        {"none": ""},
        *args,
        "-k",
        "test_features or integration",
        python=(sys.executable, "-S"),
        env={"PYTHONPATH": libraries},
    )

    assert code == 0, said
    assert "passed, 1 skipped" in said
    assert "its fixtures run the commands" in said
