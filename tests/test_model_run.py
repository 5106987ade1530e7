from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.model_run import ask_apart


@dataclass(frozen=True)
class Says:
    name: str

    def run(self, subject):
        return Case(name=self.name, outcome=Outcome.PASSED)


@pytest.mark.parametrize("when", ["a", "b"])
def test_case_that_is_being_told_of_when_the_run_is_stopped_is_kept_once(when):
    def stop(recording, case):
        if case.name == when:
            raise KeyboardInterrupt

    recording = Recording("model", "model", on_case=stop)
    recording.recall([Case(name="before", outcome=Outcome.PASSED)])
    with pytest.raises(KeyboardInterrupt):
        ask_apart(
            [Says("a"), Says("b")], lambda told: SimpleNamespace(seed=0, on_progress=None), recording, case_timeout_s=60
        )

    names = [case.name for case in recording.cases]
    assert names in (["before", "a"], ["before", "a", "b"])
    assert names[-1] == "b" or when == "a"
