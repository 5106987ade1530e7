import subprocess
import sys
import time

import pytest

from airflow_mltest.core.collected import CollectedTest
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.pytest_collector import collect
from airflow_mltest.integrations.pytest_runner import PytestCommand


def collected(folder, root=None, *, env=None, **more):
    env = {} if more.get("args") else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})}
    return collect(PytestCommand(project=str(folder), env=env, **more), root=str(root or folder))


CONFTEST = """
import pytest
@pytest.fixture
def db(): return 1
@pytest.fixture(autouse=True, scope="session")
def always(db_url): yield
@pytest.fixture(scope="session")
def db_url(): return ""
@pytest.fixture
def unused(): pass
"""
TESTS = """
import functools, pytest, helper
def plain(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs): return function(*args, **kwargs)
    return wrapper
@pytest.fixture
def db(db): return db + 1
class TestBase:
    @pytest.fixture
    def own(self): pass
    def test_x(self, db, own): pass
class TestDerived(TestBase):
    class TestInner:
        @pytest.mark.parametrize("a", ["x::y", "]"])
        @plain
        def test_y(self, a): pass
def test_plain(tmp_path): pass
"""


@pytest.fixture
def small(project):
    return project(**{
        "test_it.py": "",
        "tests/conftest.py": CONFTEST,
        "tests/test_a.py": TESTS,
        "tests/test_doc.txt": ">>> 1\n1\n",
        "helper.py": "x = 1",
        "pytest.ini": "[pytest]\npythonpath = .\n",
    })  # fmt: skip


def test_each_test_stands_with_its_file_its_function_and_its_fixtures(small):
    found = collected(small, args=("tests", "--doctest-glob=*.txt"))

    always = ("tests/conftest.py::always", "tests/conftest.py::db_url")
    both = tuple(sorted((*always, "tests/conftest.py::db", "tests/test_a.py::TestBase.own", "tests/test_a.py::db")))
    inner = "TestDerived.TestInner.test_y"
    file = "tests/test_a.py"
    assert {test.id: test for test in found.tests} == {
        test.id: test
        for test in (
            CollectedTest(id=f"{file}::TestBase::test_x", file=file, function="TestBase.test_x", fixtures=both),
            CollectedTest(id=f"{file}::TestDerived::test_x", file=file, function="TestDerived.test_x", fixtures=both),
            CollectedTest(
                id=f"{file}::TestDerived::TestInner::test_y[x::y]", file=file, function=inner, fixtures=always
            ),
            CollectedTest(id=f"{file}::TestDerived::TestInner::test_y[]]", file=file, function=inner, fixtures=always),
            CollectedTest(id=f"{file}::test_plain", file=file, function="test_plain", fixtures=always),
            CollectedTest(id="tests/test_doc.txt::test_doc.txt", file="tests/test_doc.txt", fixtures=always),
        )
    }
    assert found.broken == {}
    assert found.modules["helper"] == "helper.py"
    assert set(found.modules.values()) == {"helper.py", "tests/conftest.py", "tests/test_a.py"}
    assert found.plugins == ("tests/conftest.py",)


def test_paths_are_relative_to_the_root_which_may_lie_above_or_be_a_link(small, tmp_path):
    above = collected(small, small.parent, args=("tests/test_a.py",))
    (tmp_path / "link").symlink_to(small)
    linked = collected(tmp_path / "link", args=("tests/test_a.py",))

    assert {test.file for test in above.tests} == {"project/tests/test_a.py"}
    assert above.tests[0].id.startswith("tests/test_a.py::")
    assert "project/tests/conftest.py::db" in above.tests[0].fixtures
    assert {test.file for test in linked.tests} == {"tests/test_a.py"}
    assert linked.modules["helper"] == "helper.py"


def test_what_is_installed_below_the_root_is_not_the_projects(project):
    packages = ".venv/lib/python3/site-packages"
    folder = project(
        "import other", **{f"{packages}/other.py": "", "pytest.ini": f"[pytest]\npythonpath = {packages}\n"}
    )

    assert set(collected(folder).modules.values()) == {"test_it.py"}


def test_files_that_cannot_be_collected_are_told_and_the_others_collected(project):
    found = collected(
        project(
            "def test_x(): pass",
            test_bad="import no_such_module",
            test_exits="import os; os._exit(0)",
            test_interrupts="raise KeyboardInterrupt",
        )
    )

    assert [test.id for test in found.tests] == ["test_it.py::test_x"]
    assert set(found.broken) == {"test_bad.py", "test_exits.py", "test_interrupts.py"}
    assert "no_such_module" in found.broken["test_bad.py"]
    assert "exit code 0" in found.broken["test_exits.py"]
    assert "interrupted" in found.broken["test_interrupts.py"]


@pytest.mark.parametrize("args", [("-x",), ("-n", "2"), ("-v",), ("--cov=.", "--cov-fail-under=100")])
def test_options_for_a_run_do_not_keep_it_from_collecting(project, args):
    found = collected(project("def test_x(): pass", test_bad="import no_such_module"), args=args)

    assert [test.id for test in found.tests] == ["test_it.py::test_x"]
    assert set(found.broken) == {"test_bad.py"}


def test_nothing_is_run_and_nothing_is_left(project):
    folder = project("def test_x(): open('ran', 'w').close()")
    collected(folder)

    assert not (folder / "ran").exists()
    assert not (folder / ".pytest_cache").exists()


def test_project_without_tests_has_none(project):
    assert collected(project("")).tests == ()


@pytest.mark.parametrize(
    "files, own, error, said",
    [
        ({}, {"args": ("--no-such-option",)}, ConfigurationError, "unrecognized arguments"),
        ({}, {"args": ("gone.py",)}, ConfigurationError, "gone.py"),
        ({"conftest": "import no_such_module"}, {}, ConfigurationError, "no_such_module"),
        ({"conftest": "import os; os._exit(9)"}, {}, BrokenRunError, "exit code 9"),
        ({"conftest": "def pytest_collection_modifyitems(): 1/0"}, {}, BrokenRunError, "INTERNALERROR"),
        ({"test_slow": "import time; time.sleep(60)"}, {"budget_s": 2}, BrokenRunError, "budget"),
    ],
)
def test_what_cannot_be_collected_is_an_error(project, files, own, error, said):
    with pytest.raises(error, match=said):
        collected(project("def test_x(): pass", **files), **own)


def test_environment_is_the_same_for_the_same_packages_and_a_run_tells_it_too(project, run, tmp_path):
    folder = project("def test_x(): pass")
    first = collected(folder).environment
    (tmp_path / "settings.json").write_text(f'{{"root": "{folder}", "cache": ""}}')
    told = run(folder, record=str(tmp_path)).environment["environment"]
    # A distribution more.
    (tmp_path / "more" / "extra-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "more" / "extra-1.0.dist-info" / "METADATA").write_text("Name: extra\nVersion: 1.0\n")
    other = collected(folder, env={"PYTHONPATH": str(tmp_path / "more")}).environment
    # The project's own, installed in place, may change its version with each commit.
    (folder / "own.egg-info").mkdir()
    own = []
    for version in "12":
        (folder / "own.egg-info" / "PKG-INFO").write_text(f"Name: own\nVersion: {version}\n")
        own.append(collected(folder, env={"PYTHONPATH": str(folder)}).environment)

    assert first == told != other
    assert own[0] == own[1] != first


def test_interpreter_without_pytest_is_named(project, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)

    with pytest.raises(ConfigurationError, match="pytest is not installed"):
        collected(project(""), python=str(tmp_path / "bare" / "bin" / "python"))


def test_thread_of_a_module_does_not_hold_it(project):
    start_s = time.monotonic()
    found = collected(
        project("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\ndef test_x(): pass")
    )

    assert len(found.tests) == 1
    assert time.monotonic() - start_s < 30
