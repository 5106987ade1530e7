"""The oldest pytest that a project may have, on the oldest Python that is here."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.integrations.pytest_collector import collect
from airflow_mltest.integrations.pytest_runner import PytestCommand

P, F, B, S = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED
_READY = Path(__file__).parents[2] / ".venv-oldest" / "bin" / "python"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter that `make` has prepared; without it, one that is made here from what is found."""
    if _READY.exists():
        return str(_READY)
    folder = tmp_path_factory.mktemp("oldest")
    names = (shutil.which(f"python3.{minor}") for minor in range(9, sys.version_info.minor))
    for base in (*filter(None, names), sys.executable):
        if subprocess.run([base, "-m", "venv", str(folder)], capture_output=True, check=False).returncode == 0:
            break
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "pytest==7.0.1", "pytest-xdist==2.5.0"], check=True)
    return str(folder / "bin" / "python")


TESTS = """
import os, sys, time, pytest, code_
from pathlib import Path
@pytest.fixture(scope="module")
def loaded(): return code_.load()
def test_pass(loaded): assert loaded == 1
def test_fail(): print("half way"); assert [1] == [2]
@pytest.mark.skip(reason="not today")
def test_skip(): pass
@pytest.mark.xfail(reason="known")
def test_xfail(): assert 0
def test_exits(): os._exit(0)
def test_hangs():
    if not Path("hung").exists():
        Path("hung").touch()
        time.sleep(60)
def test_flaky():
    again = Path("seen").exists()
    Path("seen").touch()
    assert again
@pytest.mark.parametrize("n", range(3))
def test_some(n): assert "MLTEST_EVENTS" not in os.environ
class TestOld:
    def setup_class(cls): cls.x = 1
    def test_x(self): assert self.x
"""
EXPECTED = {
    "test_pass": P, "test_fail": F, "test_skip": S, "test_xfail": S, "test_exits": B, "test_hangs": P,
    "test_flaky": P, "test_some[0]": P, "test_some[1]": P, "test_some[2]": P, "TestOld::test_x": P,
}  # fmt: skip


@pytest.fixture
def folder(project):
    return project(TESTS, code_="def load():\n    return 1\n", test_bad="import no_such_module")


def outcomes(recording):
    return {case.name.removeprefix("test_it.py::"): case.outcome for case in recording.cases}


@pytest.mark.parametrize("args", [(), ("-n", "2")])
def test_every_test_has_its_case(folder, run, python, args):
    found = run(folder, python=python, args=args, case_timeout_s=2, reruns=1)

    assert outcomes(found) == {**EXPECTED, "test_bad.py": B}
    assert found.environment["pytest"] == "7.0.1"
    cases = {case.name.removeprefix("test_it.py::"): case for case in found.cases}
    assert cases["test_flaky"].flaky
    assert "half way" in cases["test_fail"].output
    assert "timed out" in cases["test_hangs"].facts["attempts"][0]["detail"]


def test_part_of_it_runs_and_is_recorded(folder, run, python, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"root": str(folder), "cache": ""}))
    planned = frozenset({"test_it.py::test_pass", "test_it.py::test_some[1]", "test_it.py::test_gone"})
    found = run(folder, python=python, only=planned, files=(str(folder / "test_it.py"),), record=str(tmp_path))

    assert outcomes(found) == {"test_pass": P, "test_some[1]": P, "test_gone": B}
    assert found.environment["unplanned"] == 9
    told = "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))
    assert "code_.py" in told


def test_it_is_collected_with_functions_and_fixtures(folder, python):
    found = collect(PytestCommand(project=str(folder), python=python), root=str(folder))
    tests = {test.id.removeprefix("test_it.py::"): test for test in found.tests}

    assert tests.keys() == EXPECTED.keys()
    assert tests["test_pass"].fixtures == ("test_it.py::loaded",)
    assert tests["TestOld::test_x"].function == "TestOld.test_x"
    assert set(found.broken) == {"test_bad.py"}
    assert found.modules["code_"] == "code_.py"
