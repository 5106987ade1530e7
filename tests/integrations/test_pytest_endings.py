"""What pytest's exit codes mean: each row of the table in `PytestRunner`'s docstring."""

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Outcome

P, F, B, S = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED


def outcomes(recording):
    return {case.name.partition("::")[2] or case.name: case.outcome for case in recording.cases}


def exits(code):
    return f"def pytest_sessionfinish(session): session.exitstatus = {code}"


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 42])
def test_test_that_ends_pytest_with_any_exit_code_is_broken_and_the_rest_run(project, run, code):
    tests = (
        f"import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('enough', returncode={code})\ndef test_c(): pass"
    )
    found = run(project(tests))

    assert outcomes(found) == {"test_a": P, "test_b": B, "test_c": P}


@pytest.mark.parametrize(
    "code, told",
    [(0, {}), (1, {"(pytest)": F}), (2, {"(pytest)": B}), (5, {"(pytest)": B}), (6, {"(warnings)": F})],
)
def test_exit_code_of_a_plugin_counts_though_every_test_has_passed(project, run, code, told):
    assert outcomes(run(project("def test_x(): pass", conftest=exits(code)))) == {"test_x": P, **told}


@pytest.mark.parametrize("code", [0, 1])
def test_failed_test_has_failed_whatever_the_exit_code(project, run, code):
    assert outcomes(run(project("def test_x(): assert 0", conftest=exits(code)))) == {"test_x": F}


@pytest.mark.parametrize("code, error", [(3, BrokenRunError), (4, ConfigurationError), (42, BrokenRunError)])
def test_exit_code_that_is_no_answer_is_an_error(project, run, code, error):
    with pytest.raises(error):
        run(project("def test_x(): pass", conftest=exits(code)))


@pytest.mark.parametrize("code, where", [(0, "pytest_unconfigure"), (-15, "pytest_unconfigure")])
def test_end_that_is_not_what_pytest_said_is_a_broken_case(project, run, code, where):
    how = f"os._exit({code + 7})" if code == 0 else "os.kill(os.getpid(), 15)"
    found = run(project("def test_x(): pass", conftest=f"import os\ndef {where}(): {how}"))

    assert outcomes(found) == {"test_x": P, "(exit)": B}


def test_warnings_as_errors_are_failures(project, run):
    tests = "import warnings\ndef test_x(): warnings.warn('old')\ndef test_y(): pass"

    assert outcomes(run(project(tests), args=("-W", "error"))) == {"test_x": F, "test_y": P}


def test_more_warnings_than_pytest_itself_allows_are_a_failed_case(project, run):
    found = run(project("import warnings\ndef test_x(): warnings.warn('old')"), args=("--max-warnings=0",))

    assert outcomes(found) == {"test_x": P, "(warnings)": F}


@pytest.mark.parametrize("args", [("-x",), ("--exitfirst",), ("--maxfail=1",)])
def test_crash_counts_as_the_first_failure(project, run, args):
    tests = "import os\ndef test_a(): pass\ndef test_dies(): os._exit(1)\ndef test_z(): pass"

    assert outcomes(run(project(tests), args=args)) == {"test_a": P, "test_dies": B, "test_z": S}


def test_failures_of_all_processes_count_together(project, run):
    tests = (
        "import os\ndef test_a(): assert 0\ndef test_dies(): os._exit(1)\ndef test_b(): assert 0\ndef test_z(): pass"
    )

    assert outcomes(run(project(tests), args=("--maxfail=3",))) == {
        "test_a": F,
        "test_dies": B,
        "test_b": F,
        "test_z": S,
    }


def test_first_file_that_is_not_collected_ends_the_run_if_it_is_to_end_then(project, run):
    folder = project("def test_x(): pass", test_bad="import no_such_module")

    assert outcomes(run(folder, args=("-x",))) == {"test_bad.py": B}
    found = run(
        folder, args=("-x",), only=frozenset({"test_it.py::test_x"}), files=tuple(map(str, folder.glob("*.py")))
    )
    assert outcomes(found) == {"test_bad.py": B, "test_x": S}


def test_subtest_that_fails_fails_its_test(project, run):
    tests = (
        "import unittest\n"
        "class TestIt(unittest.TestCase):\n"
        "    def test_x(self):\n"
        "        for n in range(3):\n            with self.subTest(n=n): assert n != 1, 'no one'\n"
        "    def test_y(self): pass\n"
    )
    found = run(project(tests))

    assert outcomes(found) == {"TestIt::test_x": F, "TestIt::test_y": P}


@pytest.mark.parametrize("older", [True, False])
def test_reruns_of_a_plugin_of_the_project_are_named(project, run, older):
    # As pytest-rerunfailures does it; since version 16 it tells of the teardown of what it asks again, too.
    plugin = (
        "import pytest\nfrom _pytest.runner import runtestprotocol\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    for turn in range(3):\n"
        "        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)\n"
        "        reports = runtestprotocol(item, nextitem=nextitem, log=False)\n"
        "        again = turn < 2 and any(report.failed for report in reports)\n"
        "        for report in reports:\n"
        "            if again and report.failed: report.outcome = 'rerun'\n"
        "            item.ihook.pytest_runtest_logreport(report=report)\n"
        f"            if report.outcome == 'rerun' and {older}: break\n"
        "        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)\n"
        "        if not again: return True\n"
        "        if hasattr(item, '_initrequest'): item._initrequest()\n"
    )
    tests = (
        "turns = []\n"
        "def test_flaky(): turns.append(1); assert len(turns) == 2, 'too early'\n"
        "def test_bad(): assert 0\n"
        "def test_good(): pass\n"
    )
    found = run(project(tests, conftest=plugin))

    assert outcomes(found) == {"test_flaky": P, "test_bad": F, "test_good": P}
    assert [case.flaky for case in found.cases] == [True, False, False]
    attempts = [[one["outcome"] for one in case.facts.get("attempts", ())] for case in found.cases]
    assert attempts == [["failed", "passed"], ["failed"] * 3, []]
    assert "too early" in found.cases[0].facts["attempts"][0]["detail"]


def test_plugin_that_takes_every_descriptor_of_ours_does_not_lose_a_case(project, run):
    tests = "import os\ndef test_a(): os.closerange(800, 1024)\ndef test_b(): pass"

    assert outcomes(run(project(tests))) == {"test_a": P, "test_b": P}
