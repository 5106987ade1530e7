"""The example DAG, run for real by Airflow on a real repository: commit after commit."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltest.reports.store import Store

Repository = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))["Repository"]
DAG_FILE = Path(__file__).parents[2] / "dags" / "on_commit.py"
FILES = {
    "prices.py": "def price(x):\n    return 2 * x\n",
    "taxes.py": "def tax(x):\n    return 3 * x\n",
    "tests/conftest.py": "",
    "tests/test_prices.py": "from prices import price\ndef test_price(): assert price(1) == 2\n",
    "tests/test_taxes.py": "from taxes import tax\ndef test_tax(): assert tax(1) == 3\n",
    "pytest.ini": "[pytest]\npythonpath = .\n",
    "README.md": "# Prices\n",
}


@pytest.fixture(scope="module")
def push(tmp_path_factory):
    """Commit files to the repository that the DAG watches."""
    repository = Repository(tmp_path_factory.mktemp("code"))

    def push(files):
        for name, text in files.items():
            repository.write(name, text)
        repository.commit()

    push.folder = repository.folder
    return push


@pytest.fixture(scope="module")
def run(push, tmp_path_factory):
    """Run the DAG by hand; returns each task's state, label and map index, and the suite."""
    reports = tmp_path_factory.mktemp("reports")
    environment = pytest.MonkeyPatch()
    environment.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(reports))
    environment.setenv("AIRFLOW__MLTEST__CHECKOUT_CACHE", str(tmp_path_factory.mktemp("checkouts")))
    environment.setenv("AIRFLOW_CONN_CODE", json.dumps({"conn_type": "git", "host": str(push.folder)}))
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)

    def run():
        ran = runpy.run_path(str(DAG_FILE))["dag"].test()
        states = {(ti.task_id, ti.map_index): str(ti.state) for ti in ran.get_task_instances()}
        labels = {ti.rendered_map_index for ti in ran.get_task_instances()} - {None}
        suites = {kept.suite.name: kept.suite for kept in Store(reports).kept("on_commit", ran.run_id)}
        return states, labels, suites["tests"]

    yield run
    environment.undo()


def test_each_commit_is_tested_by_what_it_can_reach(push, run):
    push(FILES)
    states, labels, suite = run()
    assert set(states.values()) == {"success"}
    assert {task for task, _ in states} == {"tests.plan", "tests.tests", "tests.merge", "report"}
    assert labels == {f"{n}/2 tests/test_{name}.py: 1 test, ~0 s" for n, name in ((1, "prices"), (2, "taxes"))}
    assert [case.name for case in suite.cases] == ["tests/test_prices.py::test_price", "tests/test_taxes.py::test_tax"]
    commit = suite.subject["commit"]

    push({"taxes.py": "def tax(x):\n    return 4 * x\n"})
    states, _, suite = run()
    assert states["tests.tests", 0] == states["tests.merge", -1] == states["report", -1] == "failed"
    assert [case.name for case in suite.cases] == ["tests/test_taxes.py::test_tax"]
    assert suite.subject["commit"] != commit

    push({"taxes.py": FILES["taxes.py"], "README.md": "# Prices and taxes\n"})
    states, _, suite = run()
    assert set(states.values()) == {"success"}
    assert [case.name for case in suite.cases] == ["tests/test_taxes.py::test_tax"]

    push({"README.md": "# Prices, taxes\n"})
    states, _, _ = run()
    assert states == {
        ("tests.plan", -1): "success",
        ("tests.tests", -1): "skipped",
        ("tests.merge", -1): "skipped",
        ("report", -1): "skipped",
    }
