import functools
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mltest.core.outcome import Outcome

_LIVING = runpy.run_path(str(Path(__file__).parents[1] / "living.py"))
alive, wait_until = _LIVING["alive"], functools.partial(_LIVING["wait_until"], seconds=30.0)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_it.py").write_text(
        "import os\n"
        "def test_good(): assert os.environ.get('STAGE', 'test') == 'test'\n"
        "def test_bad():\n    print('half way')\n    assert 1 == 2, 'one is not two'\n"
    )
    return folder


def operator(project, **own):
    def make(**kwargs):
        from airflow_mltest.operators.pytest import PytestOperator

        return PytestOperator(task_id="unit", project=str(project), **own, **kwargs)

    return make


def test_each_test_is_a_case_with_its_message_and_output(run_task, project, kept):
    ran = run_task(operator(project), retries=2)

    assert ran.state == "failed"
    assert ran.xcoms["return_value"]["counts"]["passed"] == 1
    bad = next(case for case in kept()["unit"].cases if case.name == "test_it.py::test_bad")
    assert bad.outcome is Outcome.FAILED
    assert "one is not two" in bad.detail
    assert "half way" in bad.output
    assert bad.location == "test_it.py:3"
    assert kept()["unit"].environment["pytest"] == pytest.__version__


def test_args_env_and_project_are_templates(run_task, project):
    ran = run_task(operator(project, args=["-k", "{{ 'go' + 'od' }}"], env={"STAGE": "{{ 'te' ~ 'st' }}"}))

    assert ran.state == "success"
    assert ran.xcoms["return_value"]["counts"]["passed"] == 1


def test_reruns_mark_what_passes_only_again_as_flaky(run_task, tmp_path, kept):
    project = tmp_path / "flaky"
    project.mkdir()
    (project / "test_it.py").write_text(
        "from pathlib import Path\n"
        "def test_flaky():\n"
        "    seen = Path('seen')\n"
        "    again = seen.exists()\n"
        "    seen.touch()\n"
        "    assert again\n"
    )
    ran = run_task(operator(project, reruns=1))

    assert ran.state == "success"
    (case,) = kept()["unit"].cases
    assert case.flaky
    assert [attempt["outcome"] for attempt in case.facts["attempts"]] == ["failed", "passed"]


@pytest.mark.parametrize(
    "own, said",
    [
        ({"project": "/no/such/project"}, "no project at '/no/such/project'"),
        ({"python": "/no/such/python"}, "no interpreter '/no/such/python'"),
        ({"args": ["--no-such-option"]}, "unrecognized arguments: --no-such-option"),
        ({"args": ["-k", "nothing_has_this_name"]}, "collected no tests"),
        ({"args": ["no_such_test.py"]}, "no_such_test.py"),
    ],
)
def test_what_cannot_work_is_named_with_the_operator_and_never_retried(run_task, project, own, said):
    own = {"project": str(project), **own}
    ran = run_task(operator(own.pop("project"), **own), retries=2)

    assert ran.state == "failed"
    assert type(ran.error).__name__ == "ConfigurationError"
    assert "PytestOperator 'unit'" in str(ran.error)
    assert said in str(ran.error)
    assert said in ran.xcoms["summary"]["incomplete"]


def test_project_that_does_not_import_is_a_broken_case(run_task, project, kept):
    (project / "test_other.py").write_text("import no_such_module\n")
    ran = run_task(operator(project, args=["-k", "not bad"]))

    assert ran.state == "failed"
    broken = [case for case in kept()["unit"].cases if case.outcome is Outcome.BROKEN]
    assert [case.name for case in broken] == ["test_other.py"]
    assert "no_such_module" in broken[0].detail
    assert kept()["unit"].counts["passed"] == 1


def test_kill_of_the_task_leaves_no_process_and_keeps_what_finished(project, tmp_path):
    (project / "test_it.py").write_text(
        "import subprocess, time\n"
        "def test_quick(): pass\n"
        "def test_slow():\n    subprocess.Popen(['sleep', '98765'], start_new_session=True)\n    time.sleep(60)\n"
    )
    script = tmp_path / "task.py"
    script.write_text(
        "import signal, sys\n"
        "from types import SimpleNamespace\n"
        "from airflow_mltest.operators.pytest import PytestOperator\n"
        f"operator = PytestOperator(task_id='unit', project={str(project)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())\n"
        "ti = SimpleNamespace(dag_id='d', run_id='r', task_id='unit', map_index=-1, try_number=1)\n"
        "ti.xcom_push = lambda *_: None\n"
        "operator.execute({'ti': ti})\n"
    )
    root = tmp_path / "reports"
    task = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "AIRFLOW__MLTEST__REPORT_ROOT": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: alive("98765"))
    start_s = time.monotonic()
    task.terminate()
    output, _ = task.communicate(timeout=10)

    assert time.monotonic() - start_s < 4
    assert "StoppedError" in output
    assert not alive("98765")
    from airflow_mltest.reports.store import Store

    (kept,) = Store(root).kept("d", "r")
    assert [case.name for case in kept.suite.cases] == ["test_it.py::test_quick"]
    assert "stopped after 1 of 2" in kept.suite.incomplete


def test_kill_before_pytest_has_started_starts_no_test(project, bare_context, kept):
    from airflow_mltest.core.errors import StoppedError

    task = operator(project)()
    task.on_kill()

    with pytest.raises(StoppedError):
        task.execute(bare_context)
    assert kept()["unit"].cases == ()
