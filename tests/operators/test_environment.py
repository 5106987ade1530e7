"""The worker against the environment, and what a difference does to other suites, through Airflow's task runner."""

import os
import platform
from importlib.metadata import version

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.placement import Environment, on

HERE = {
    "cpus": len(os.sched_getaffinity(0)),
    "python": platform.python_version(),
    "packages": {"numpy": version("numpy")},
}
ELSEWHERE = Environment(cpus=512, memory_gib=4096)


def environment_test(**keywords):
    def make(**kwargs):
        from airflow_mltest.operators.environment import EnvironmentTestOperator

        return EnvironmentTestOperator(task_id="environment", **keywords, **kwargs)

    return make


def suite_of(kind, **placed):
    """Make the factory of a task that records one case which passes."""

    def make(**kwargs):
        from airflow_mltest.operators.suite import SuiteOperator

        class Recorded(SuiteOperator):
            def record(self, recording, context):
                recording.add(Case(name="accuracy", outcome=Outcome.PASSED))

        Recorded.kind = kind
        return Recorded(task_id="tests", **placed, **kwargs)

    return make


def test_worker_that_is_what_was_asked_for_passes(run_task, kept):
    ran = run_task(environment_test(environment=Environment(**HERE)))

    assert ran.state == "success"
    suite = kept()["environment"]
    assert (suite.kind, suite.passed) == ("environment", True)
    assert [case.name for case in suite.cases] == ["cpus", "python", "packages[numpy]"]
    assert suite.environment["worker"]["python"] == HERE["python"]
    assert suite.environment["asked"]["cpus"] == HERE["cpus"]


def test_each_difference_is_a_failed_case_that_says_what_to_do(run_task, kept):
    asked = Environment(**{**HERE, "cpus": 512, "packages": {"numpy": "0.1"}})

    ran = run_task(environment_test(environment=asked), retries=3)

    assert ran.state == "failed"
    failed = {case.name: case.detail for case in kept()["environment"].failures}
    assert failed.keys() == {"cpus", "packages[numpy]"}
    assert failed["cpus"].startswith(f"cpus: wanted 512, this worker has {HERE['cpus']}: run it there")
    assert "lock file" in failed["packages[numpy]"]


def test_difference_of_a_field_that_is_not_strict_is_told_and_skipped(run_task, kept):
    asked = Environment(**{**HERE, "cpus": 512})

    ran = run_task(environment_test(environment=asked, strict=["python", "packages"]))

    assert ran.state == "success"
    (skipped,) = [case for case in kept()["environment"].cases if case.outcome is Outcome.SKIPPED]
    assert "wanted 512" in skipped.detail


def test_what_cannot_be_known_is_inconclusive(run_task, kept, monkeypatch):
    monkeypatch.delenv("MLTEST_IMAGE", raising=False)

    run_task(environment_test(environment=Environment(image="worker:1.4")))

    (case,) = kept()["environment"].cases
    assert (case.name, case.outcome) == ("image", Outcome.INCONCLUSIVE)
    assert "MLTEST_IMAGE" in case.detail


@pytest.mark.parametrize(
    "keywords, words",
    [
        ({"environment": Environment(queue="gpu")}, "nothing to compare"),
        ({"environment": Environment(cpus=1), "strict": ["cpu"]}, "'cpu' is none of .*; did you mean 'cpus'"),
    ],
)
def test_operator_that_would_compare_nothing_is_refused_when_the_dag_is_parsed(keywords, words):
    with pytest.raises(ConfigurationError, match=words):
        environment_test(**keywords)()


@pytest.mark.parametrize("kind", ["model", "deployment"])
def test_model_on_another_machine_than_was_asked_for_is_broken_and_not_tested(run_task, kept, kind):
    ran = run_task(suite_of(kind, **on(ELSEWHERE)), retries=1)

    assert ran.state == "up_for_retry"
    suite = kept()["tests"]
    assert (suite.outcome, suite.cases) == (Outcome.BROKEN, ())
    assert "cpus: wanted 512" in suite.incomplete
    assert "memory_gib: wanted 4096 GiB" in suite.incomplete


@pytest.mark.parametrize("kind", ["code", "data"])
def test_difference_is_recorded_with_tests_that_do_not_depend_on_the_machine(run_task, kept, kind):
    ran = run_task(suite_of(kind, **on(ELSEWHERE)))

    assert ran.state == "success"
    environment = kept()["tests"].environment
    assert environment["asked"] == {"cpus": 512.0, "memory_gib": 4096.0}
    assert [words.partition(":")[0] for words in environment["differences"]] == ["cpus", "memory_gib"]


def test_model_on_the_machine_that_was_asked_for_is_tested(run_task, kept):
    ran = run_task(suite_of("model", **on(Environment(**HERE, image="worker:1.4"))))

    assert ran.state == "success"
    assert kept()["tests"].environment["worker"]["cpus"] == HERE["cpus"]


def test_every_suite_says_on_what_it_ran(run_task, kept):
    run_task(suite_of("data"))

    environment = kept()["tests"].environment
    assert environment["worker"].keys() >= {"host", "cpus", "memory_gib", "gpus", "python"}
    assert "asked" not in environment
