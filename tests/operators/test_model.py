from dataclasses import dataclass

import pytest

from airflow_mltest.core.outcome import Case, Outcome


def operator(**own):
    def make(**kwargs):
        from airflow_mltest.operators.model import ModelTestOperator

        return ModelTestOperator(task_id="model", **own, **kwargs)

    return make


@pytest.fixture
def asked(churn_store, run_task):
    """Ask checks of the model `churn`; returns what became of the task."""

    def ask(*checks, model="models:/churn/1", **own):
        own = {"data": churn_store.data, "target": "churned", **own}
        return run_task(operator(model=model, checks=checks, **own), retries=1)

    return ask


@dataclass(frozen=True)
class OwnCheck:
    """As the README shows it."""

    def run(self, subject):
        return Case(name="own", outcome=Outcome.PASSED, detail=f"{len(subject.predictions)} answers")


def test_suite_says_which_model_was_asked_about_which_rows_and_how(asked, kept, churn_store):
    from airflow_mltest.checks import Deterministic, Latency, Metric, Noise, NotWorseThan, Signature, Slices

    churn_store.registry.point("churn", "champion", "1")
    checks = [
        Signature(),
        Deterministic(),
        Metric(name="roc_auc", minimum=0.8),
        Slices(by="country", metric="roc_auc", minimum=0.7),
        NotWorseThan(metric="roc_auc", margin=0.01),
        Noise(metric="roc_auc", max_drop=0.05),
        Latency(p95_ms=1000),
        OwnCheck(),
    ]
    ran = asked(*checks, model="models:/churn@champion", baseline="models:/churn@champion")

    assert ran.state == "success", ran.error
    suite = kept()["model"]
    assert {case.name: case.outcome for case in suite.cases if case.outcome is not Outcome.PASSED} == {}
    assert suite.cases[-1].detail == "2000 answers"
    assert suite.subject["model"] == "churn"
    assert suite.subject["version"] == "1"
    assert suite.subject["baseline"] == "models:/churn/1"
    assert suite.subject["model_digest"] == churn_store.registry.digest("churn", "1")
    assert suite.subject["data"].endswith("rows.parquet")
    assert suite.environment["seed"] == 0
    assert suite.environment["threads"] == 1
    assert "scikit-learn" in suite.environment["packages"]
    assert ran.xcoms["return_value"]["metrics"]["roc_auc"] == pytest.approx(0.87, abs=0.05)


def test_worse_model_is_failed_against_the_champion(asked, churn_store):
    from airflow_mltest.checks import NotWorseThan

    churn_store.registry.point("churn", "champion", "1")
    ran = asked(NotWorseThan(metric="roc_auc", margin=0.01), model="models:/churn/2", baseline="models:/churn@champion")

    assert ran.state == "failed"
    assert ran.xcoms["summary"]["counts"]["failed"] == 1


def test_first_release_says_that_there_is_no_champion_yet(asked, kept):
    from airflow_mltest.checks import Metric, NotWorseThan

    ran = asked(
        Metric(name="accuracy", minimum=0.7),
        NotWorseThan(metric="accuracy", margin=0.01),
        baseline="models:/churn@champion",
    )

    assert ran.state == "success"
    case = kept()["model"].cases[1]
    assert case.outcome is Outcome.SKIPPED
    assert "first release" in case.detail


def test_model_without_a_signature_is_failed_by_that_check_alone(asked, kept):
    from airflow_mltest.checks import Metric, Signature

    ran = asked(
        Signature(),
        Metric(name="accuracy", minimum=0.7),
        model="models:/churn/3",
        data=lambda: __import__("pandas").DataFrame(
            {"calls": [1.0, -1.0] * 50, "months": [-1.0, 1.0] * 50, "churned": [1, 0] * 50}
        ),
    )

    assert ran.state == "failed"
    assert [case.outcome for case in kept()["model"].cases] == [Outcome.FAILED, Outcome.PASSED]


def test_unknown_metric_is_broken_and_the_others_are_asked(asked, kept):
    from airflow_mltest.checks import Metric

    ran = asked(Metric(name="roc_auk", minimum=0.8), Metric(name="accuracy", minimum=0.7))

    assert ran.state == "failed"
    broken, passed = kept()["model"].cases
    assert broken.outcome is Outcome.BROKEN
    assert "roc_auc" in broken.detail
    assert passed.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "own, said",
    [
        ({"model": "models:/churn/99"}, "models:/churn/99"),
        ({"model": "models:/churn@champion"}, "no alias 'champion'"),
        ({"model": "models:/nobody/1"}, "nobody"),
        ({"model": "/no/such/folder"}, "/no/such/folder"),
        ({"target": "chruned"}, "'churned'"),
        ({"data": lambda: __import__("pandas").DataFrame({"churned": []})}, "no rows"),
    ],
)
def test_bad_input_is_named_with_the_operator(asked, own, said):
    from airflow_mltest.checks import Metric

    ran = asked(Metric(name="accuracy", minimum=0.7), **own)

    assert ran.state in {"failed", "up_for_retry"}
    assert "ModelTestOperator 'model'" in str(ran.error)
    assert said in str(ran.error)


def test_no_checks_are_no_suite(asked):
    ran = asked()

    assert ran.state == "failed"
    assert type(ran.error).__name__ == "ConfigurationError"


def test_libraries_that_the_model_brings_are_held_to_one_thread(churn_store, tmp_path):
    import os
    import subprocess
    import sys

    script = tmp_path / "task.py"
    script.write_text(
        "from dataclasses import dataclass\n"
        "from types import SimpleNamespace\n"
        "from airflow_mltest.core.outcome import Case, Outcome\n"
        "from airflow_mltest.operators.model import ModelTestOperator\n"
        "class Threads:\n"
        "    def run(self, subject):\n"
        "        from threadpoolctl import threadpool_info\n"
        "        print('THREADS', sorted({(pool['user_api'], pool['num_threads']) for pool in threadpool_info()}))\n"
        "        return Case(name='threads', outcome=Outcome.PASSED)\n"
        "ti = SimpleNamespace(dag_id='d', run_id='r', task_id='t', map_index=-1, try_number=1)\n"
        "ti.xcom_push = lambda *_: None\n"
        f"operator = ModelTestOperator(task_id='t', model='models:/churn/1', data={churn_store.data!r},\n"
        "                             target='churned', checks=[Threads()])\n"
        "operator.execute({'ti': ti})\n"
    )
    environment = {**os.environ, "AIRFLOW__MLTEST__REPORT_ROOT": str(tmp_path), "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)

    assert "THREADS [('blas', 1), ('openmp', 1)]" in done.stdout
