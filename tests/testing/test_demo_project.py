"""The demo project's integration tests, run as a DAG runs them: the fixtures at work."""

from pathlib import Path

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

PROJECT = Path(__file__).parents[2] / "airflow_mltest" / "demo" / "project"


def test_flights_become_a_served_model():
    recording = Recording("integration", "code")

    PytestRunner(PytestCommand(project=str(PROJECT), args=("tests/integration",))).run(recording)

    suite = recording.suite()
    assert {case.name: case.detail for case in suite.cases if case.outcome is not Outcome.PASSED} == {}
    assert len(suite.cases) == 5
