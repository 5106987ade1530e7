import functools
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltest.testing.sandbox import Sandbox

_LIVING = runpy.run_path(str(Path(__file__).parents[1] / "living.py"))
alive, wait_until = _LIVING["alive"], functools.partial(_LIVING["wait_until"], seconds=20.0)

SHOW = "import json, os, sys; print(json.dumps({**os.environ, 'cwd': os.getcwd(), 'python': sys.executable}))"


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "late.py").write_text("print('[1, 2]')\n")
    return folder


@pytest.fixture
def box(project, tmp_path):
    return Sandbox(tmp_path / "box", importable=[project / "src"])


def test_command_finds_every_place_to_write_to_inside(sandbox):
    seen = sandbox.run("python", "-c", SHOW).json

    assert seen["cwd"] == str(sandbox.work)
    for name in ("HOME", "TMPDIR", "TMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR"):
        assert Path(seen[name]).is_dir()
        assert sandbox.folder in Path(seen[name]).parents
    assert seen["python"] == sys.executable


def test_command_sees_what_the_test_has_set_and_what_it_is_given(sandbox, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")

    seen = sandbox.run("python", "-c", SHOW, env={"SEED": "7"}).json

    assert (seen["MLFLOW_TRACKING_URI"], seen["SEED"]) == ("sqlite:///here.db", "7")


def test_project_is_importable_and_so_is_what_was(box, monkeypatch, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "extra_module.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "more")

    assert box.run("python", "-c", "import extra_module, late").json == [1, 2]


def test_fixture_takes_the_paths_of_pytests_configuration(run_pytest):
    files = {
        "pytest.ini": "[pytest]\npythonpath = src\naddopts = -p airflow_mltest.testing\n",
        "src/late.py": "print('[1, 2]')",
        "test_it.py": "def test_it(sandbox):\n    assert sandbox.run('python', '-m', 'late').json == [1, 2]\n",
    }

    code, said = run_pytest(files)

    assert code == 0, said


def test_output_and_complaints_are_told_apart(sandbox):
    done = sandbox.run("sh", "-c", "echo out; echo err >&2; echo '{\"auc\": 0.7}'; echo; exit 3", check=False)

    assert (done.returncode, done.stdout, done.stderr) == (3, 'out\n{"auc": 0.7}\n\n', "err\n")
    assert done.json == {"auc": 0.7}


def test_last_line_that_is_no_result_is_shown(sandbox):
    with pytest.raises(ValueError, match="echo done printed is no JSON: 'done'"):
        _ = sandbox.run("echo", "done").json


def test_failure_shows_how_the_output_ended(sandbox):
    code = "import sys\nfor n in range(100): print('line', n)\nsys.exit('no data')"

    with pytest.raises(AssertionError) as failed:
        sandbox.run("python", "-c", code)

    said = str(failed.value)
    assert "ended with exit code 1" in said
    assert "the last 40 of 100 lines" in said
    assert "line 60" in said
    assert "line 59" not in said
    assert said.endswith("no data")


def test_signal_is_a_negative_exit_code(sandbox):
    assert sandbox.run("sh", "-c", "kill -SEGV $$", check=False).returncode == -11


def test_command_that_is_not_there_is_named(sandbox):
    with pytest.raises(AssertionError, match=r"exit code 127(.|\n)*no-such-command"):
        sandbox.run("no-such-command")


def test_slow_command_is_ended_with_all_that_it_started_and_what_it_said_is_kept(sandbox):
    family = "(sleep 1000021 &) ; setsid sleep 1000021 & echo started; sleep 1000021"

    with pytest.raises(TimeoutError, match=r"longer than 0\.5 s(.|\n)*started"):
        sandbox.run("sh", "-c", family, timeout_s=0.5)

    assert alive("1000021") == []


def test_what_a_command_leaves_running_ends_with_it(sandbox):
    sandbox.run("sh", "-c", "setsid sleep 1000022 &")

    assert alive("1000022") == []


def test_nothing_runs_on_when_pytest_is_killed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from airflow_mltest.testing.sandbox import Sandbox\n"
        "Sandbox(Path(sys.argv[1])).run('sh', '-c', 'setsid sleep 1000023 & sleep 1000023')"
    )
    killed = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    wait_until(lambda: len(alive("1000023")) == 2)
    killed.kill()
    killed.wait()

    wait_until(lambda: alive("1000023") == [])


def test_artifacts_are_what_commands_made_or_changed(sandbox):
    (sandbox.work / "input").write_text("1")
    (sandbox.work / "changed").write_text("1")
    sandbox.run("sh", "-c", "mkdir model; printf abc > model/weights; printf 22 > changed; touch $HOME/x $TMPDIR/y")
    first = sandbox.artifacts()
    (sandbox.work / "of the test").touch()
    sandbox.run("sh", "-c", "printf d >> model/weights; touch empty")
    sandbox.run("rm", "changed")

    assert first == {"changed": 2, "model/weights": 3}
    assert sandbox.artifacts() == {"empty": 0, "model/weights": 4}


@pytest.mark.parametrize(
    "command, changed",
    [
        ("echo more >> src/late.py", ["src/late.py"]),
        ("rm src/late.py", ["src/late.py"]),
        ("touch src/left.pkl data.csv", ["data.csv", "src/left.pkl"]),
    ],
)
def test_change_of_what_should_be_unchanged_is_an_error_that_names_each_file(box, project, command, changed):
    named = ", ".join(str(project / name) for name in changed)

    with pytest.raises(AssertionError, match=f"what should be unchanged is not: {named}\n"):
        box.run("sh", "-c", f"cd {project}; {command}", check=False, unchanged=[project])


def test_caches_and_hidden_files_may_change(box, project):
    (project / "venv").mkdir()
    (project / "venv" / "pyvenv.cfg").touch()
    folders = "src/__pycache__ .git late.egg-info venv/lib"

    command = f"cd {project}; mkdir -p {folders}; for d in . {folders}; do touch $d/.coverage; done; touch venv/lib/a"

    box.run("sh", "-c", command, unchanged=[project])


def test_sandbox_may_lie_in_what_should_be_unchanged(project):
    box = Sandbox(project / "box")

    box.run("touch", "model", unchanged=[project])

    assert box.artifacts() == {"model": 0}


def test_runner_of_this_package_ends_what_a_test_left_in_a_sandbox(tmp_path):
    """The test leaves its process by force while a command of its sandbox runs."""
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

    (tmp_path / "test_it.py").write_text(
        "import os, threading, time\n"
        "def test_leave(sandbox):\n"
        "    threading.Timer(1, os._exit, [0]).start()\n"
        "    sandbox.run('sh', '-c', 'setsid sleep 1000024 & sleep 1000024')\n"
    )
    recording = Recording("s", "code")

    PytestRunner(PytestCommand(project=str(tmp_path), args=("-p", "airflow_mltest.testing"))).run(recording)

    assert [case.outcome for case in recording.suite().cases] == ["broken"]
    assert alive("1000024") == []
