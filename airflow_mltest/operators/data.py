"""Great Expectations and our own questions, asked of data where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.operators.suite import Factory, SuiteOperator, later, open_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Kind, Suite
    from airflow_mltest.core.ports import Check
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.gx_case import Severity


class DataTestOperator(SuiteOperator):
    """
    Ask a data set what it has to be.

    Expectations are asked where the data lies: of a database in the database, of a Spark frame in
    Spark, of files that would take more than 256 MiB of memory batch by batch; what cannot be
    asked batch by batch is asked of its columns, whole, and its case says so. *checks* look at rows
    together, so that all of them are read.

    Assets among `outlets` have their event only when all data passed, with the summary as its extra;
    an inconclusive suite, with which a task succeeds otherwise, fails one that has outlets.

    Args:
        data: Path or URL of Parquet or CSV: a file, a pattern (`s3://sales/*/*.parquet`), a folder, or
            a list of them; with *conn_id* the name of a table, or a query; or a callable that returns
            a data frame of pandas or Spark, called in the task, never while the DAG is parsed.
        expectations: A Great Expectations suite: a list of dicts (`type`, `kwargs`, `severity`),
            the path of a JSON or YAML file of one, `folder#suite` for a suite of a file context
            in the repository, or a callable that returns an `ExpectationSuite`.
        checks: Questions from `airflow_mltest.checks`, or your own, that no expectation can ask.
        reference: The data that checks compare with: a path, or a callable, as *data* is.
        where: Rows to look at, as conditions that all hold: `[("month", "<=", 6)]`.
        conn_id: The Airflow connection of the database that *data* is in.
        redact: Columns of which no value is shown in logs, reports and XComs; `*` for all.
        fail_on: The least severe expectation that fails the task: `critical`, `warning`, or `info`;
            the answers to others are told.
    """

    kind: ClassVar[Kind] = "data"
    template_fields = ("data", "expectations", "reference", "where", "conn_id")
    ui_color = "#e6ecf5"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        data: str | Sequence[str] | Callable[[], Any],
        expectations: str | Sequence[dict[str, Any]] | Callable[[], Any] = (),
        checks: Sequence[Check] = (),
        reference: str | Sequence[str] | Callable[[], Any] | None = None,
        where: Sequence[tuple[str, str, Any]] = (),
        conn_id: str | None = None,
        redact: Sequence[str] = (),
        fail_on: Severity = "critical",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data = later(data)
        self.expectations = later(expectations)
        self.checks = tuple(checks)
        self.reference = later(reference)
        self.where = where
        self.conn_id = conn_id
        self.redact = redact
        self.fail_on: Severity = fail_on

    def execute(self, context: Context) -> Any:
        """Ask, and announce the data to those who wait for it, if it has passed."""
        summary = super().execute(context)
        for outlet in self.outlets or ():
            context["outlet_events"][outlet].extra = summary
        return summary

    def verdict(self, suite: Suite, address: str) -> Exception | None:
        """Let no asset be announced of data that has not passed: Airflow emits its event when the task succeeds."""
        from airflow_mltest.core.errors import TestsFailedError

        error = super().verdict(suite, address)
        if error or suite.passed or not self.outlets:
            return error
        return TestsFailedError(f"{self.task_id}: {suite.outcome}, so no asset is announced; see {address}")

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Read the expectations, then ask where the data lies."""
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.integrations.gx_case import Rules
        from airflow_mltest.integrations.gx_suite import read_expectations

        rules = Rules(fail_on=self.fail_on, redact=self.redact)
        source = self.expectations
        expectations = read_expectations(source.function if isinstance(source, Factory) else source)
        if not expectations and (source or not self.checks):
            msg = "neither `expectations` nor `checks` ask anything; an empty suite passes nothing."
            raise ConfigurationError(msg)
        recording.expect(len(expectations) + len(self.checks))
        data = self._open()
        recording.about(data=data.name, data_digest=data.digest)
        if expectations:
            data.validate(expectations, recording, rules)
            self._attach_page(expectations, recording)
        if self.checks:
            self._check(data.rows(), recording)

    def _open(self) -> Any:
        from airflow_mltest.operators import data_source

        if self.conn_id is not None:
            return data_source.in_database(self.data, self.conn_id, self.where)
        return data_source.opened(_paths(self.data), self.where, whole=bool(self.checks))

    def _attach_page(self, expectations: Sequence[Any], recording: Recording) -> None:
        from airflow_mltest.integrations.gx_page import page_of

        try:
            recording.attach("data-docs.html", page_of(expectations, recording.suite()))
        except Exception as error:  # noqa: BLE001  another library's pages: no verdict rests on them
            self.log.warning("there is no Data Docs page: %s: %s", type(error).__name__, error)

    def _check(self, rows: Any, recording: Recording) -> None:
        from airflow_mltest.checks.ask import ask
        from airflow_mltest.checks.data.subject import DataSubject
        from airflow_mltest.integrations.pandas_table import read_table

        reference = None if self.reference is None else read_table(_paths(self.reference)).rows
        subject = DataSubject(
            rows=rows,
            reference=reference,
            redact=self.redact,
            on_progress=lambda done, total: recording.progress(f"{done} of {total}"),
        )
        ask(self.checks, subject, recording)


def _paths(source: Any) -> Any:
    return [open_data(one) for one in source] if isinstance(source, (list, tuple)) else open_data(source)
