"""The report of a run, beside the runs before it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite


def report(**kwargs):
    from airflow_mltest.operators.report import ReportOperator

    return ReportOperator(task_id="report", **kwargs)


def test_page_shows_a_metric_over_the_versions_that_earlier_runs_tested(run_task, report_root):
    from airflow_mltest.reports.store import Store

    now = datetime.now(UTC)
    for age, run_id in enumerate(("r", "before", "long before")):
        measured = (Measurement(name="auc", value=0.9 - age / 10, minimum=0.6),)
        suite = Suite(
            name="model",
            kind="model",
            cases=(Case(name="Metric", outcome=Outcome.PASSED, measurements=measured),),
            origin=Origin(dag_id="d", run_id=run_id, task_id="model"),
            subject={"model": "churn", "version": str(7 - age)},
            started_at=now - timedelta(days=age),
        )
        Store(Path(report_root)).keep(suite)
    ran = run_task(report)

    assert ran.state == "success", ran.error
    page = (report_root / "d" / "r" / "report" / "report.html").read_text()
    assert "auc by model version: at 5 0.7; at 6 0.8; at 7 0.9. Bounds: 0.6." in page
