import pytest

from airflow_mltest.core.outcome import Outcome

P, F, B = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN

TESTS = """
import ctypes, os, time
import pytest
@pytest.mark.parametrize("n", range(12))
def test_one(n):
    with open("ran", "a") as file: file.write(f"{os.path.basename(__file__)}{n}\\n")
    if n == 3: ctypes.string_at(0)
    if n == 5: os._exit(0)
    if n == 7: print("half way"); assert 0
    if n == 9: time.sleep(60)
@pytest.mark.xdist_group("together")
def test_grouped(): assert "MLTEST_EVENTS" not in os.environ
"""
OTHER = "import pytest\n@pytest.mark.parametrize('n', range(12))\ndef test_two(n): assert n != 7\n"


@pytest.mark.parametrize("how", ["load", "loadfile", "loadgroup", "worksteal"])
def test_each_test_has_one_case_and_one_that_kills_its_worker_costs_no_other(project, run, how):
    found = run(project(TESTS, test_other=OTHER), args=("-n", "2", "--dist", how), case_timeout_s=3)

    cases = {case.name.partition("::")[2]: case for case in found.cases}
    assert len(found.cases) == len(cases) == found.total == 25
    assert {name: case.outcome for name, case in cases.items() if case.outcome is not P} == {
        **dict.fromkeys(("test_one[3]", "test_one[5]", "test_one[9]"), B),
        **dict.fromkeys(("test_one[7]", "test_two[7]"), F),
    }
    assert "half way" in cases["test_one[7]"].output
    assert "timed out after 3" in cases["test_one[9]"].detail
    assert "in test_one" in cases["test_one[9]"].output  # the stack of the worker, not the controller's


def test_workers_run_what_is_planned_and_nothing_else(project, run):
    folder = project(TESTS, test_other=OTHER)
    planned = frozenset({"test_it.py::test_one[1]", "test_it.py::test_grouped", "test_it.py::test_gone"})
    found = run(
        folder, args=("-n", "2", "--dist", "loadgroup"), files=(str(folder / "test_it.py"),), only=planned, reruns=1
    )

    assert {case.name.partition("::")[2]: case.outcome for case in found.cases} == {
        "test_one[1]": P,
        "test_grouped": P,
        "test_gone": B,
    }
    assert (folder / "ran").read_text().split() == ["test_it.py1"]
    assert found.environment["unplanned"] == 11


def test_file_that_kills_every_worker_that_collects_it_is_a_case(project, run):
    found = run(project("def test_x(): pass", test_dies="import os; os._exit(0)"), args=("-n", "2"))

    assert {case.name: case.outcome for case in found.cases} == {"test_dies.py": B, "test_it.py::test_x": P}


def test_failing_test_is_asked_again_by_workers_too(project, run):
    tests = (
        "import os\n"
        "def test_flaky():\n    again = os.path.exists('seen')\n    open('seen', 'w').close()\n    assert again\n"
        "def test_ok(): pass\n"
    )
    found = run(project(tests), args=("-n", "2", "-x"), reruns=1)

    assert {case.name.partition("::")[2]: case.flaky for case in found.cases} == {"test_flaky": True, "test_ok": False}
    assert all(case.outcome is P for case in found.cases)


def test_what_fails_in_one_of_two_workers_that_run_everything_has_failed(project, run):
    tests = "import os\ndef test_x(): assert os.environ['PYTEST_XDIST_WORKER'] == 'gw0'"
    found = run(project(tests), args=("-n", "2", "--dist", "each"))

    assert [case.outcome for case in found.cases].count(F) == 1
