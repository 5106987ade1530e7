"""What a model may do to its process."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.core.outcome import Case, Outcome


def rows():
    return pd.DataFrame({"x": np.linspace(-1, 1, 100), "y": [0, 1] * 50})


@dataclass(frozen=True, kw_only=True)
class Asks:
    """Ask the model about one row in which `x` is *value*."""

    value: float
    name: str = "asks"

    def run(self, subject):
        answers = subject.ask(pd.DataFrame({"x": [self.value]}))
        return Case(name=self.name, outcome=Outcome.PASSED, detail=f"{answers[0]} from {os.getpid()}")


@pytest.fixture
def ask(run_task):
    def run(model, *checks, **own):
        from airflow_mltest.operators.model import ModelTestOperator

        def make(**kwargs):
            return ModelTestOperator(
                task_id="model", model=model, data=rows, target="y", checks=checks, **own, **kwargs
            )

        return run_task(make)

    return run


def touchy(frame):
    value = float(frame["x"].iloc[0])
    if value == 66:
        sys.stdout.write("about to fall\n")
        os.kill(os.getpid(), signal.SIGSEGV)
    if value == 67:
        os._exit(0)
    if value == 68:
        time.sleep(1000)
    return np.zeros(len(frame), dtype=int)


@pytest.mark.parametrize(
    "value, words",
    [
        (66.0, "killed by signal 11 (SIGSEGV)"),
        (67.0, "left the process with exit code 0"),
        (68.0, "did not end within 1 s"),
    ],
)
def test_check_in_which_the_model_dies_or_hangs_is_broken_and_the_others_are_asked(ask, kept, value, words):
    ran = ask(touchy, Asks(value=0.0), Asks(value=value, name="fatal"), Asks(value=0.0), case_timeout_s=1.0)

    assert ran.state == "failed"
    before, broken, after = kept()["model"].cases
    assert broken.name == "fatal"
    assert broken.outcome is Outcome.BROKEN
    assert words in broken.detail
    assert ("about to fall" in broken.output) is (value == 66)
    assert (before.name, after.name) == ("asks", "asks (2)")
    assert after.outcome is Outcome.PASSED
    assert before.detail.split()[-1] != after.detail.split()[-1], "a new process"


def test_model_that_takes_its_process_down_when_loaded_is_a_broken_run(run_task, churn_store, monkeypatch):
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
    from airflow_mltest.operators.model import ModelTestOperator

    monkeypatch.setattr(MlflowRegistry, "load", lambda *_: os._exit(9))
    ran = run_task(
        lambda **kwargs: ModelTestOperator(
            task_id="model", model="models:/churn/1", data=rows, target="y", checks=[Asks(value=0.0)], **kwargs
        ),
        retries=1,
    )

    assert ran.state == "up_for_retry"
    assert "the process that loads the model left the process with exit code 9" in str(ran.error)


def test_kill_ends_a_model_that_hangs_and_keeps_what_had_ended(tmp_path, kept, report_root):
    script = tmp_path / "task.py"
    script.write_text(
        "import signal, time\n"
        "from dataclasses import dataclass\n"
        "from types import SimpleNamespace\n"
        "import numpy as np, pandas as pd\n"
        "from airflow_mltest.core.outcome import Case, Outcome\n"
        "from airflow_mltest.operators.model import ModelTestOperator\n"
        "@dataclass(frozen=True)\n"
        "class Asks:\n"
        "    hangs: bool\n"
        "    def run(self, subject):\n"
        "        if self.hangs:\n"
        "            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "            print('HANGS', flush=True)\n"
        "            time.sleep(1000)\n"
        "        return Case(name='asks', outcome=Outcome.PASSED)\n"
        "operator = ModelTestOperator(task_id='model', model=lambda rows: np.zeros(len(rows)), target='y',\n"
        "    data=lambda: pd.DataFrame({'x': [1.0], 'y': [1]}), checks=[Asks(False), Asks(True)])\n"
        "signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())\n"
        "ti = SimpleNamespace(dag_id='d', run_id='r', task_id='model', map_index=-1, try_number=1)\n"
        "ti.xcom_push = lambda *_: None\n"
        "operator.execute({'ti': ti})\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as task:
        while b"HANGS" not in task.stdout.readline():
            assert task.poll() is None
        start_s = time.monotonic()
        task.terminate()
        said = task.stdout.read().decode()
        task.wait()

    assert time.monotonic() - start_s < 4
    assert "StoppedError" in said
    (case,) = kept()["model"].cases
    assert case.outcome is Outcome.PASSED


def test_long_check_tells_how_far_it_is(ask, kept):
    @dataclass(frozen=True)
    class Long:
        def run(self, subject):
            for done in range(5):
                subject.progress(done, 5)
                time.sleep(0.8)
            return Case(name="long", outcome=Outcome.PASSED)

    ran = ask(touchy, Long())

    told = [str(entry) for entry in ran.progress]
    assert any("long: " in entry and "of 5" in entry for entry in told)


def test_case_that_cannot_leave_its_process_is_broken(ask, kept):
    @dataclass(frozen=True)
    class Odd:
        def run(self, subject):
            return Case(name="odd", outcome=Outcome.PASSED, facts={"lock": threading.Lock()})

    ask(touchy, Odd(), Asks(value=0.0))

    odd, after = kept()["model"].cases
    assert odd.outcome is Outcome.BROKEN
    assert "lock" in odd.detail
    assert after.outcome is Outcome.PASSED
