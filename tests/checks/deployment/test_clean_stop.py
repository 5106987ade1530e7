"""The servers are real ones: what is looked at is how their processes end."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.checks import CleanStop
from airflow_mltest.checks.deployment.subject import DeploymentSubject
from airflow_mltest.core.deployment import Deployment
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.integrations.mlflow_serving import ScoringServer

SERVERS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "servers.py")))
LIVING = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "living.py")))


@pytest.fixture
def stop(tmp_path, rows, doubles):
    """Start a server of a user's own, and ask whether it stops cleanly."""

    def stop(script, within_s=10.0):
        command = SERVERS.command_of(sys.executable, tmp_path, script)
        deployment = Deployment(command=command, health="/up")
        subject = DeploymentSubject(
            model=doubles(), rows=rows, start=lambda: ScoringServer("own", deployment=deployment).__enter__()
        )
        try:
            return CleanStop(within_s=within_s).run(subject)
        finally:
            subject.end()
            assert not LIVING.alive(str(tmp_path / "serve.py"))

    return stop


def test_server_that_answers_what_is_under_way_and_ends_passes(stop):
    case = stop(SERVERS.ORDERLY)

    assert case.outcome is Outcome.PASSED, case.detail
    assert case.facts == {"exit_code": 0, "processes_left": 0, "under_way": "200"}
    assert 0 < case.measurements[0].value < 10


def test_server_that_does_not_hear_the_signal_is_failed_and_killed(stop):
    case = stop(SERVERS.DEAF, within_s=1.0)

    assert case.outcome is Outcome.FAILED
    assert "did not end within 1 s of SIGTERM, and was killed" in case.detail


def test_server_that_cuts_a_request_off_and_leaves_a_process_is_failed_for_both(stop):
    case = stop(SERVERS.CARELESS, within_s=1.0)

    assert case.outcome is Outcome.FAILED
    assert "1 of the processes that it had started did not end" in case.detail
    assert "a request that was under way was cut off" in case.detail
    assert case.facts["exit_code"] == -15
    assert not LIVING.alive("import time; time.sleep(1000047)")


def test_exit_code_that_says_failure_is_told(stop):
    case = stop(SERVERS.ANGRY)

    assert "ended with exit code 7; 0 or that of SIGTERM was wanted" in case.detail


def test_server_that_does_not_answer_before_the_signal_is_not_judged(stop):
    with pytest.raises(BrokenRunError, match="before the signal was answered 400"):
        stop(SERVERS.ORDERLY.replace('index("x")', 'index("y")'))


def test_no_time_to_end_is_refused():
    with pytest.raises(ConfigurationError, match="within_s is above"):
        CleanStop(within_s=0)
