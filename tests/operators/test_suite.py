"""What every testing task does, seen through Airflow's own task runner."""

import importlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, TestsFailedError
from airflow_mltest.core.outcome import Case, Measurement, Outcome


def suite_of(*cases, then=None):
    """Make the factory of a task that records *cases*, and then raises."""

    def make(**kwargs):
        from airflow_mltest.operators.suite import SuiteOperator

        class Recorded(SuiteOperator):
            kind = "model"

            def record(self, recording, context):
                recording.expect(len(cases))
                recording.about(model="churn", version="3")
                for case in cases:
                    recording.add(case)
                if then:
                    raise then

        return Recorded(task_id="tests", **kwargs)

    return make


GOOD = Case(name="accuracy", outcome=Outcome.PASSED, measurements=(Measurement(name="accuracy", value=0.9),))
BAD = Case(name="latency", outcome=Outcome.FAILED, detail="p95 is 30 ms, 20 ms are allowed")


def test_passing_suite_succeeds_and_returns_its_summary(run_task, kept):
    ran = run_task(suite_of(GOOD))

    assert ran.state == "success"
    summary = ran.xcoms["return_value"]
    assert summary == ran.xcoms["summary"]
    assert summary["outcome"] == "passed"
    assert summary["counts"] == {"passed": 1, "failed": 0, "inconclusive": 0, "broken": 0, "skipped": 0, "flaky": 0}
    assert summary["metrics"] == {"accuracy": 0.9}
    assert summary["subject"] == {"model": "churn", "version": "3"}
    assert summary["failures"] == []
    assert json.loads(Path(summary["address"]).read_text())["name"] == "tests"
    assert kept()["tests"].passed


def test_failed_case_fails_the_task_at_once_though_it_has_retries(run_task, kept):
    ran = run_task(suite_of(GOOD, BAD), retries=3)

    assert ran.state == "failed"
    assert type(ran.error).__name__ == "TestsFailedError"
    assert "tests: 1 of 2 cases have not passed: latency" in str(ran.error)
    assert ran.xcoms["return_value"]["failures"] == [{"name": "latency", "detail": BAD.detail}]
    assert kept()["tests"].counts["failed"] == 1


def test_inconclusive_case_leaves_the_decision_to_the_gate(run_task):
    ran = run_task(suite_of(GOOD, Case(name="auc", outcome=Outcome.INCONCLUSIVE)))

    assert ran.state == "success"
    assert ran.xcoms["return_value"]["outcome"] == "inconclusive"


@pytest.mark.parametrize("cases", [(), (Case(name="a", outcome=Outcome.SKIPPED),)])
def test_suite_in_which_nothing_ran_has_not_passed(run_task, cases):
    ran = run_task(suite_of(*cases))

    assert ran.state == "failed"
    assert "nothing ran" in str(ran.error)


def test_broken_run_is_retried_and_what_had_finished_is_kept(run_task, kept):
    ran = run_task(suite_of(GOOD, then=BrokenRunError("the registry is down")), retries=1)

    assert ran.state == "up_for_retry"
    assert "Recorded 'tests': the registry is down" in str(ran.error)
    assert ran.xcoms["summary"]["incomplete"] == str(ran.error)
    assert [case.name for case in kept()["tests"].cases] == ["accuracy"]
    assert kept()["tests"].outcome is Outcome.BROKEN


def test_unforeseen_error_is_a_broken_run_that_names_it(run_task, kept):
    ran = run_task(suite_of(GOOD, then=ZeroDivisionError("division by zero")), retries=1)

    assert ran.state == "up_for_retry"
    assert "Recorded 'tests': ZeroDivisionError: division by zero" in str(ran.error)
    assert "ZeroDivisionError" in kept()["tests"].incomplete


def test_what_is_configured_wrong_is_never_retried(run_task):
    ran = run_task(suite_of(then=ConfigurationError("there is no such metric")), retries=3)

    assert ran.state == "failed"
    assert "Recorded 'tests': there is no such metric" in str(ran.error)


def test_retry_policy_of_the_user_replaces_ours(run_task):
    from airflow.sdk import ExceptionRetryPolicy, RetryAction

    policy = ExceptionRetryPolicy(rules=[], default=RetryAction.DEFAULT)
    ran = run_task(lambda **kwargs: suite_of(BAD)(retry_policy=policy, **kwargs), retries=1)

    assert ran.state == "up_for_retry"


def test_second_try_is_kept_beside_the_first(run_task, report_root):
    run_task(suite_of(BAD), try_number=1)
    run_task(suite_of(GOOD), try_number=2)

    assert sorted(path.name for path in report_root.rglob("*.json")) == ["1.json", "2.json"]


def test_each_case_is_in_the_log_with_its_message_when_it_failed(bare_context, report_root, capsys):
    with pytest.raises(TestsFailedError, match="have not passed"):
        suite_of(GOOD, BAD)().execute(bare_context)

    text = capsys.readouterr().out
    assert "::group::model suite tests" in text
    assert "[1/2] PASSED accuracy" in text
    assert "[2/2] FAILED latency" in text
    assert BAD.detail in text
    assert text.index("::group::") < text.index("PASSED accuracy") < text.index("::endgroup::")


def test_progress_is_set_in_the_task_state_store(run_task):
    ran = run_task(suite_of(GOOD, BAD))

    assert ran.progress[-1]["value"] == {"done": 2, "total": 2, "failed": 1}


def test_report_root_that_cannot_be_written_is_named(bare_context, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", str(tmp_path / "file" / "reports"))

    with pytest.raises(BrokenRunError, match="report_root"):
        suite_of(GOOD)().execute(bare_context)


def test_kill_ends_a_suite_in_its_own_thread_and_keeps_what_had_finished(bare_context, kept):
    from airflow_mltest.core.errors import StoppedError

    def make():
        from airflow_mltest.operators.suite import SuiteOperator

        class Slow(SuiteOperator):
            kind = "model"

            def record(self, recording, context):
                recording.add(GOOD)
                try:
                    time.sleep(30)
                except Exception:  # noqa: BLE001  a library that swallows everything it can
                    recording.add(BAD)

        return Slow(task_id="tests")

    operator = make()
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    start_s = time.monotonic()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with pytest.raises(StoppedError, match="stopped"):
            operator.execute(bare_context)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert time.monotonic() - start_s < 4
    assert [case.name for case in kept()["tests"].cases] == ["accuracy"]


def test_timeout_of_airflow_goes_through_and_what_had_finished_is_kept(run_task, kept):
    from datetime import timedelta

    def make(**kwargs):
        from airflow_mltest.operators.suite import SuiteOperator

        class Slow(SuiteOperator):
            kind = "model"

            def record(self, recording, context):
                recording.add(GOOD)
                time.sleep(30)

        return Slow(task_id="tests", execution_timeout=timedelta(seconds=1), **kwargs)

    ran = run_task(make, retries=1)

    assert type(ran.error).__name__ == "AirflowTaskTimeout"
    assert ran.state == "up_for_retry"
    assert [case.name for case in kept()["tests"].cases] == ["accuracy"]


def test_suite_so_far_is_kept_while_it_runs(bare_context, kept):
    seen = []

    def make():
        from airflow_mltest.operators.suite import SuiteOperator

        class Peeking(SuiteOperator):
            kind = "model"

            def record(self, recording, context):
                recording.add(GOOD)
                seen.append(next(iter(kept().values())))

        return Peeking(task_id="tests")

    make().execute(bare_context)

    assert seen[0].cases == (GOOD,)
    assert "still running" in seen[0].incomplete


def test_metrics_are_emitted_by_suite_kind_and_outcome(bare_context, report_root, monkeypatch):
    from airflow.sdk.observability.stats import Stats

    sent = []
    for name in ("incr", "timing", "gauge"):
        monkeypatch.setattr(
            Stats, name, lambda stat, value=1, *_, name=name, **kw: sent.append((name, stat, value, kw["tags"]))
        )
    suite_of(GOOD, GOOD)().execute(bare_context)

    tags = {"dag_id": "d", "suite": "tests", "kind": "model"}
    assert ("incr", "mltest.cases", 2, {**tags, "outcome": "passed"}) in sent
    assert ("gauge", "mltest.metric", 0.9, {**tags, "model": "churn", "metric": "accuracy"}) in sent
    assert any(entry[:2] == ("timing", "mltest.duration") for entry in sent)


def test_report_link_opens_the_run_under_the_deployments_base_url(monkeypatch):
    from types import SimpleNamespace

    from airflow_mltest.operators.suite import ReportLink

    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://host/airflow/")
    key = SimpleNamespace(dag_id="d", run_id="manual__2026-01-01T00:00:00+00:00")

    link = ReportLink().get_link(None, ti_key=key)

    assert link == "https://host/airflow/mltest/run?dag_id=d&run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00"


PROJECT = {"project": "."}


@pytest.mark.parametrize(
    "name, own, over, rule",
    [
        ("pytest.PytestOperator", PROJECT, {"shard": [{}]}, "all_success"),
        ("plan.PlanTestsOperator", PROJECT, {"args": [["a"]]}, "all_success"),
        ("merge.MergeTestsOperator", {"plan": "p", "shards": "s"}, {"project": ["."]}, "all_done"),
        ("report.ReportOperator", {}, {"name": ["a"]}, "all_done"),
        ("gate.GateOperator", {"version": "1", "criteria": []}, {"model": ["a"]}, "all_done"),
        ("promote.PromoteOperator", {"version": "1", "decision": {}}, {"model": ["a"]}, "all_success"),
        ("promote.RollbackOperator", {}, {"model": ["a"]}, "all_success"),
    ],
)
def test_mapped_task_is_retried_and_triggered_as_one_that_is_not(name, own, over, rule):
    from airflow.sdk import DAG

    from airflow_mltest.operators.suite import NO_RETRY

    module, _, operator = name.partition(".")
    make = getattr(importlib.import_module(f"airflow_mltest.operators.{module}"), operator)
    with DAG("d", schedule=None, default_args={"retries": 2}):
        mapped = make.partial(task_id="t", **own).expand(**over)

    one = mapped.unmap({key: value for key, (value,) in over.items()})
    assert mapped.retry_policy is one.retry_policy is NO_RETRY
    assert mapped.trigger_rule == one.trigger_rule == rule


def test_store_that_is_away_for_a_while_costs_no_run_that_goes_on(run_task, report_root, kept):
    def make(**kwargs):
        from airflow_mltest.operators.suite import SuiteOperator

        class Interrupted(SuiteOperator):
            kind = "model"

            def record(self, recording, context):
                report_root.write_text("a file where the folder was")
                recording.add(GOOD)
                report_root.unlink()

        return Interrupted(task_id="tests", **kwargs)

    assert run_task(make).state == "success"
    assert [case.name for case in kept()["tests"].cases] == ["accuracy"]
