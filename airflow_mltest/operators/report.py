"""All suites of a DAG run, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltest.core.errors import TestsFailedError
from airflow_mltest.operators.suite import NO_RETRY, ReportLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context, RetryPolicy


class ReportOperator(BaseOperator):
    """
    Gather every suite of the DAG run, and write `report.json`, `report.html` and `junit.xml`.

    Runs when everything before it is done, however that ended. Fails, after it has written,
    when a suite failed, is broken or did not end, or when a required one is missing. Skips when
    nothing that changed reaches a test.

    Args:
        name: The report's title and folder.
        required: Task ids whose suites must be there: a test that never ran has not passed.
    """

    template_fields = ("name", "required")
    operator_extra_links = (ReportLink(),)
    ui_color = "#f5f0e1"

    def __init__(
        self,
        *,
        name: str = "report",
        required: Sequence[str] = (),
        trigger_rule: str = "all_done",
        retry_policy: RetryPolicy | None = NO_RETRY,
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, retry_policy=retry_policy, **kwargs)
        self.name = name
        self.required = required

    def execute(self, context: Context) -> dict[str, Any]:
        """Gather, write, tell, and then raise if there is reason to."""
        from airflow_mltest.core.plan import NOTHING_REACHED
        from airflow_mltest.reports.document import dumps, report_to_document
        from airflow_mltest.reports.junit import to_junit
        from airflow_mltest.reports.merge import report_of
        from airflow_mltest.reports.page import render
        from airflow_mltest.reports.trend import past_of
        from airflow_mltest.settings import open_store

        ti, store = context["ti"], open_store()
        suites = [kept.suite for kept in store.kept(ti.dag_id, ti.run_id)]
        report = report_of(self.name, suites, required=self.required, dag_id=ti.dag_id, run_id=ti.run_id)
        files = {
            "report.json": dumps(report_to_document(report)),
            "report.html": render(report, past=past_of(report, store), run_folder=".."),
            "junit.xml": to_junit(report),
        }
        addresses = store.write(ti.dag_id, ti.run_id, self.name, files)
        for suite in report.suites:
            self.log.info("%s %s: %s", suite.outcome.upper(), suite.name, suite.counts)
        summary = {
            "report": report.name,
            "outcome": report.outcome.value,
            "counts": report.counts,
            "suites": {suite.name: suite.outcome.value for suite in report.suites},
            "missing": list(report.missing),
            "addresses": addresses,
        }
        if report.outcome in {"passed", "inconclusive"}:
            return summary
        ti.xcom_push("return_value", summary)
        if not report.missing and {case.name for suite in report.suites for case in suite.cases} == {NOTHING_REACHED}:
            raise AirflowSkipException(report.suites[0].cases[0].detail)
        missing = f"; missing: {', '.join(report.missing)}" if report.missing else ""
        failing = ", ".join(suite.name for suite in report.suites if not suite.passed) or "none"
        where = addresses["report.html"]
        msg = f"{self.task_id}: {report.outcome}: suites that have not passed: {failing}{missing}; see {where}"
        raise TestsFailedError(msg)
