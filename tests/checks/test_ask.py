from dataclasses import dataclass

import pytest

from airflow_mltest.checks.ask import ask
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.recording import Recording


@dataclass(frozen=True)
class SaysWhatItIsTold:
    says: object

    def run(self, subject):
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


@dataclass(frozen=True)
class Named:
    name: str = "by_its_name"

    def run(self, subject):
        return 3


def answers(*checks):
    recording = Recording("s", "model")
    ask(checks, None, recording)
    return recording


CASE = Case(name="fine", outcome=Outcome.PASSED)


def test_every_check_is_asked_though_one_raises():
    recording = answers(SaysWhatItIsTold(ValueError("no such thing")), SaysWhatItIsTold(CASE))

    broken, fine = recording.cases
    assert recording.total == 2
    assert (broken.name, broken.outcome) == ("says_what_it_is_told", Outcome.BROKEN)
    assert broken.detail == "ValueError: no such thing"
    assert "Traceback" in broken.output
    assert fine.outcome is Outcome.PASSED


def test_our_own_error_says_what_to_do_without_a_traceback():
    (broken,) = answers(SaysWhatItIsTold(ConfigurationError("name a column"))).cases

    assert (broken.detail, broken.output) == ("name a column", "")


def test_answer_that_is_no_case_is_broken_under_the_checks_name():
    (broken,) = answers(Named()).cases

    assert broken.name == "by_its_name"
    assert "answered with int" in broken.detail


def test_namesakes_are_told_apart():
    assert [case.name for case in answers(*[SaysWhatItIsTold(CASE)] * 3).cases] == ["fine", "fine (2)", "fine (3)"]


def test_no_checks_are_an_error():
    with pytest.raises(ConfigurationError, match="no checks"):
        answers()


def test_kill_is_not_an_answer():
    with pytest.raises(KeyboardInterrupt):
        answers(SaysWhatItIsTold(KeyboardInterrupt()))
