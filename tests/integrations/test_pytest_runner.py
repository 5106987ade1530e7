import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, StoppedError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

P, F, B, S = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED


def outcomes(recording):
    return {case.name.partition("::")[2]: case.outcome for case in recording.cases}


def case_of(recording, name):
    return next(case for case in recording.cases if case.name.endswith(name))


OUTCOMES = """
import pytest
def test_pass(): pass
def test_fail():
    print("half way")
    assert [1] == [2], "they differ"
@pytest.mark.skip(reason="not today")
def test_skip(): pass
@pytest.mark.xfail(reason="known")
def test_xfail(): assert 0
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.fixture
def down(): raise OSError("no database")
def test_setup(down): pass
@pytest.fixture
def leaks():
    yield
    raise OSError("still open")
def test_teardown(leaks): pass
class TestGroup:
    @pytest.mark.parametrize("x", ["a::b", "ü/☃", "[]", "line\\nbreak"])
    def test_param(self, x): pass
"""


def test_every_way_to_end_has_its_outcome(project, run):
    found = run(project(OUTCOMES))

    assert list(outcomes(found).items())[:8] == [
        ("test_pass", P),
        ("test_fail", F),
        ("test_skip", S),
        ("test_xfail", S),
        ("test_xpass", P),
        ("test_strict", F),
        ("test_setup", B),
        ("test_teardown", B),
    ]
    assert len(found.cases) == found.total == 12
    assert case_of(found, "test_skip").detail == "Skipped: not today"
    assert case_of(found, "test_xfail").detail == "expected failure: known"
    assert "in setup: OSError: no database" in case_of(found, "test_setup").detail
    assert "in teardown: OSError: still open" in case_of(found, "test_teardown").detail


def test_failure_has_its_message_first_then_the_code_and_what_it_printed(project, run):
    case = case_of(run(project(OUTCOMES)), "test_fail")

    assert case.detail.startswith("AssertionError: they differ")
    assert '>       assert [1] == [2], "they differ"' in case.detail
    assert "--- Captured stdout call ---\nhalf way" in case.output
    assert case.location == "test_it.py:4"


def test_cases_come_while_the_tests_still_run(project):
    seen = []
    recording = Recording("unit", "code", on_case=lambda *_: seen.append(time.monotonic()))
    folder = project("import time\ndef test_a(): pass\ndef test_b(): time.sleep(1)")
    PytestRunner(PytestCommand(project=str(folder))).run(recording)

    assert seen[1] - seen[0] > 0.8


CRASHES = """
import ctypes, os, signal, sys, time
import pytest
def count(name):
    with open("ran", "a") as file: file.write(name + "\\n")
@pytest.mark.parametrize("n", range(100))
def test_one(n):
    count(str(n))
    if n == 7: ctypes.string_at(0)
    if n == 36: os._exit(0)
    if n == 50: time.sleep(60)
    if n == 99: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_of_a_hundred_tests_with_four_that_take_pytest_down_a_hundred_are_told_and_the_four_named(project, run):
    folder = project(CRASHES)
    found = run(folder, case_timeout_s=2)

    assert len(found.cases) == 100
    broken = {case.name: case for case in found.cases if case.outcome is not P}
    assert {name: case.outcome for name, case in broken.items()} == {
        f"test_it.py::test_one[{n}]": B for n in (7, 36, 50, 99)
    }
    details = [broken[f"test_it.py::test_one[{n}]"].detail for n in (7, 36, 50, 99)]
    assert "SIGSEGV" in details[0]
    assert "exit code 0" in details[1]
    assert "timed out after 2" in details[2]
    assert "SIGKILL" in details[3]
    # One that was killed from outside, as it seems, is asked once more.
    assert sorted(map(int, (folder / "ran").read_text().split())) == [*range(100), 99]


def test_timeout_shows_where_every_thread_was(project, run):
    found = run(
        project(
            "import threading, time\n"
            "def other(): time.sleep(30)\n"
            "def test_hangs():\n    threading.Thread(target=other, daemon=True).start()\n    time.sleep(30)"
        ),
        case_timeout_s=1,
    )

    assert "in other" in found.cases[0].output
    assert "in test_hangs" in found.cases[0].output


def test_test_that_ends_when_it_is_interrupted_has_still_timed_out(project, run):
    tests = (
        "import time\n"
        "def test_slow():\n    try: time.sleep(30)\n    except KeyboardInterrupt: pass\n"
        "def test_next(): pass\n"
    )

    assert outcomes(run(project(tests), case_timeout_s=0.5)) == {"test_slow": B, "test_next": P}


def test_tests_that_did_not_run_since_one_failed_first_run_when_it_is_asked_again(project, run):
    tests = (
        "import os\n"
        "def test_flaky():\n    again = os.path.exists('seen')\n    open('seen', 'w').close()\n    assert again\n"
        "def test_after(): open('ran', 'w').close()\n"
    )
    folder = project(tests)
    found = run(folder, args=("-x",), reruns=1)

    assert outcomes(found) == {"test_flaky": P, "test_after": P}
    assert (folder / "ran").exists()


def test_crash_shows_the_last_output(project, run):
    found = run(project("import ctypes\ndef test_segv(): ctypes.string_at(0)\ndef test_after(): pass"))

    assert "Segmentation fault" in case_of(found, "test_segv").output
    assert outcomes(found)["test_after"] is P


def test_test_that_interrupts_pytest_is_broken_and_the_rest_run(project, run):
    tests = (
        "import pytest\n"
        "def test_int(): raise KeyboardInterrupt\n"
        "def test_exit(): pytest.exit('bye')\n"
        "def test_ok(): pass"
    )

    assert outcomes(run(project(tests))) == {"test_int": B, "test_exit": B, "test_ok": P}


def test_test_that_closes_every_descriptor_or_prints_megabytes_costs_itself_at_most(project, run):
    tests = (
        "import os, sys\n"
        "def test_prints(): print('x' * 5_000_000); assert 0\n"
        "def test_changes(): os.chdir('/')\n"
        "def test_closes(): os.closerange(0, 100)\n"
        "def test_ok(): pass"
    )
    found = run(project(tests))

    assert len(found.cases) == 4
    assert outcomes(found)["test_ok"] is P
    assert outcomes(found)["test_changes"] is P
    assert len(case_of(found, "test_prints").output) < 30_000


def test_child_of_a_fork_that_comes_back_says_nothing(project, run):
    tests = "import os\ndef test_forks():\n    if os.fork(): os.wait()\ndef test_after(): pass"
    found = run(project(tests))

    assert [case.name for case in found.cases] == ["test_it.py::test_forks", "test_it.py::test_after"]


def test_tests_see_nothing_of_us(project, run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    tests = (
        "import os, sys\n"
        "def test_environment():\n"
        "    assert os.environ['PYTHONPATH'] == '/somewhere'\n"
        "    assert 'MLTEST_EVENTS' not in os.environ\n"
        "    assert not [path for path in sys.path if 'mltest-pytest' in path]\n"
        "    assert sys.stdin.read() == ''\n"
    )
    folder = project(tests)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -s\n")

    assert outcomes(run(folder)) == {"test_environment": P}
    assert not (folder / ".pytest_cache").exists()


def test_projects_own_configuration_and_conftest_count(project, run):
    folder = project(
        "def test_x(given): assert given == 3", conftest="import pytest\n@pytest.fixture\ndef given(): return 3"
    )
    (folder / "check_me.py").write_text("def test_y(): pass")
    (folder / "pytest.ini").write_text("[pytest]\npython_files = check_*.py test_*.py\n")

    assert outcomes(run(folder)) == {"test_x": P, "test_y": P}


def test_one_file_can_be_the_project(project, run):
    folder = project("def test_x(): pass", test_other="def test_y(): pass")

    assert outcomes(run(folder / "test_it.py")) == {"test_x": P}


def test_collection_errors_are_cases_and_the_rest_run(project, run):
    found = run(project("def test_x(): pass", test_bad="import no_such_module"))

    assert {case.name: case.outcome for case in found.cases} == {"test_bad.py": B, "test_it.py::test_x": P}
    assert "no_such_module" in case_of(found, "test_bad.py").detail


def test_tests_that_pytest_stopped_before_are_skipped_and_say_so(project, run):
    found = run(project("def test_a(): assert 0\ndef test_b(): pass"), args=("-x",))

    assert outcomes(found) == {"test_a": F, "test_b": S}
    assert "ended before it ran" in case_of(found, "test_b").detail


def test_environment_is_recorded_and_added_to(project, run):
    found = run(project("import os\ndef test_x(): assert os.environ['STAGE'] == 'qa'"), env={"STAGE": "qa"})

    assert outcomes(found) == {"test_x": P}
    assert found.environment["pytest"] == pytest.__version__


def test_failing_test_is_asked_again_in_a_fresh_process_and_every_attempt_is_kept(project, run):
    tests = (
        "from pathlib import Path\nimport os\n"
        "def turn(name):\n    with open(name, 'a') as f: f.write(f'{os.getpid()}\\n')\n"
        "    return len(open(name).readlines())\n"
        "def test_flaky(): assert turn('flaky') == 2\n"
        "def test_bad(): assert turn('bad') == 9\n"
        "def test_crash():\n    if turn('crash') == 1: os._exit(1)\n"
        "def test_good(): turn('good')\n"
    )
    folder = project(tests)
    found = run(folder, reruns=2)

    assert outcomes(found) == {"test_good": P, "test_flaky": P, "test_crash": P, "test_bad": F}
    assert [case.flaky for case in found.cases] == [False, True, True, False]
    attempts = case_of(found, "test_bad").facts["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["failed"] * 3
    assert len(set((folder / "bad").read_text().split())) == 3
    assert len((folder / "good").read_text().split()) == 1


@pytest.mark.parametrize(
    "own, error, said",
    [
        ({"project": "/no/project"}, ConfigurationError, "no project at '/no/project'"),
        ({"python": "/no/python"}, ConfigurationError, "no interpreter '/no/python'"),
        ({"args": ("--no-such-option",)}, ConfigurationError, "unrecognized arguments"),
        ({"args": ("gone.py",)}, ConfigurationError, "gone.py"),
        ({"args": ("-k", "nobody")}, ConfigurationError, "collected no tests"),
    ],
)
def test_what_cannot_work_is_named(project, own, error, said):
    command = PytestCommand(**{"project": str(project("def test_x(): pass")), **own})

    with pytest.raises(error, match=said):
        PytestRunner(command).run(Recording("unit", "code"))


def test_interpreter_without_pytest_is_named(project, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")

    with pytest.raises(ConfigurationError, match="pytest is not installed"):
        PytestRunner(PytestCommand(project=str(project("")), python=python)).run(Recording("unit", "code"))


def test_conftest_that_does_not_import_is_told_in_pytests_words(project):
    folder = project("def test_x(): pass", conftest="import no_such_module")

    with pytest.raises(ConfigurationError, match="no_such_module"):
        PytestRunner(PytestCommand(project=str(folder))).run(Recording("unit", "code"))


def test_plugin_that_kills_pytest_before_its_tests_is_a_broken_run(project):
    folder = project("def test_x(): pass", conftest="import os\ndef pytest_collection_finish(): os._exit(3)")

    with pytest.raises(BrokenRunError, match="exit code 3"):
        PytestRunner(PytestCommand(project=str(folder))).run(Recording("unit", "code"))


def test_error_inside_pytest_is_a_broken_run(project):
    folder = project("def test_x(): pass", conftest="def pytest_runtestloop(): raise ValueError('inside')")

    with pytest.raises(BrokenRunError, match="inside"):
        PytestRunner(PytestCommand(project=str(folder))).run(Recording("unit", "code"))


def test_stop_keeps_what_finished_within_four_seconds_though_a_test_is_deaf(project):
    tests = (
        "import signal, time\ndef test_a(): pass\n"
        "def test_deaf():\n    signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)\n"
        "    open('deaf', 'w').close()\n    time.sleep(60)"
    )
    folder = project(tests)
    runner, recording = PytestRunner(PytestCommand(project=str(folder))), Recording("unit", "code")
    stopped_s = []

    def stop():
        while not Path(folder, "deaf").exists():
            time.sleep(0.05)
        stopped_s.append(time.monotonic())
        runner.stop()

    threading.Thread(target=stop).start()
    with pytest.raises(StoppedError, match="stopped after 1 of 2 tests"):
        runner.run(recording)

    assert time.monotonic() - stopped_s[0] < 4
    assert [case.name for case in recording.cases] == ["test_it.py::test_a"]


def test_thread_of_a_test_that_does_not_end_does_not_hold_the_run(project, run):
    tests = "import threading, time\ndef test_x(): threading.Thread(target=time.sleep, args=(60,)).start()"
    start_s = time.monotonic()

    assert outcomes(run(project(tests))) == {"test_x": P}
    assert time.monotonic() - start_s < 15


def test_plugin_that_says_no_where_every_test_passed_is_a_failed_case(project, run):
    found = run(
        project("def test_x(): pass", conftest="def pytest_sessionfinish(session): session.exitstatus = 1"),
    )

    assert {case.name: case.outcome for case in found.cases} == {"test_it.py::test_x": P, "(pytest)": F}


def test_file_that_skips_itself_is_a_skipped_case(project, run):
    found = run(project("import pytest\npytest.skip('not here', allow_module_level=True)"))

    assert [(case.name, case.outcome) for case in found.cases] == [("test_it.py", S)]
    assert "not here" in found.cases[0].detail


def test_test_that_failed_and_then_skips_itself_has_failed(project, run):
    tests = (
        "import os, pytest\n"
        "def test_x():\n"
        "    if os.path.exists('seen'): pytest.skip('not again')\n"
        "    open('seen', 'w').close()\n"
        "    assert 0, 'real'\n"
    )
    found = run(project(tests), reruns=1)

    assert outcomes(found) == {"test_x": F}
    assert "real" in found.cases[0].detail


def test_tests_that_a_hook_kept_from_running_are_broken(project, run):
    hook = "import pytest\ndef pytest_runtest_logfinish(): pytest.exit('enough')"

    assert outcomes(run(project("def test_a(): pass\ndef test_b(): pass", conftest=hook)))["test_b"] is B


def test_death_after_the_last_test_is_a_broken_run(project, run):
    with pytest.raises(BrokenRunError, match="SIGABRT"):
        run(project("def test_x(): pass", conftest="import os\ndef pytest_sessionfinish(): os.abort()"))


def test_interpreter_may_be_named_from_the_project(project, run):
    folder = project("def test_x(): pass")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "bin" / "python").chmod(0o755)

    assert outcomes(run(folder, python="bin/python")) == {"test_x": P}


@pytest.mark.parametrize("wrong", [{"reruns": -1}, {"case_timeout_s": 0}, {"case_timeout_s": float("nan")}])
def test_numbers_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="reruns is 0 or more"):
        PytestCommand(project=".", **wrong)
