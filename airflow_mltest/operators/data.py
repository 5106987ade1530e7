"""Great Expectations and our own questions, asked of data where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.operators.suite import Factory, SuiteOperator, later, open_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Kind
    from airflow_mltest.core.ports import Check
    from airflow_mltest.core.recording import Recording


class DataTestOperator(SuiteOperator):
    """
    Ask a data set what it has to be.

    Args:
        data: Path or URL of a Parquet or CSV file, or a callable that returns a data frame;
            called in the task, never while the DAG is parsed.
        expectations: A Great Expectations suite: a list of dicts (`type`, `kwargs`, `severity`),
            the path of a JSON file with such a list, or a callable that returns an
            `ExpectationSuite`.
        checks: Questions from `airflow_mltest.checks`, or your own, that no expectation can ask.
        reference: The data that checks compare with, given as *data* is.
        where: Rows to look at, as conditions that all hold: `[("month", "<=", 6)]`.
    """

    kind: ClassVar[Kind] = "data"
    template_fields = ("data", "expectations", "reference", "where")
    ui_color = "#e6ecf5"

    def __init__(
        self,
        *,
        data: str | Callable[[], pd.DataFrame],
        expectations: str | Sequence[dict[str, Any]] | Callable[[], Any] = (),
        checks: Sequence[Check] = (),
        reference: str | Callable[[], pd.DataFrame] | None = None,
        where: Sequence[tuple[str, str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data = later(data)
        self.expectations = later(expectations)
        self.checks = tuple(checks)
        self.reference = later(reference)
        self.where = where

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Read the expectations and the rows, then ask."""
        from airflow_mltest.checks.ask import ask
        from airflow_mltest.checks.data.subject import DataSubject
        from airflow_mltest.core.errors import ConfigurationError
        from airflow_mltest.integrations.gx_validator import read_expectations, validate
        from airflow_mltest.integrations.pandas_table import read_table

        source = self.expectations
        expectations = read_expectations(source.function if isinstance(source, Factory) else source)
        if not expectations and not self.checks:
            msg = "neither `expectations` nor `checks` ask anything; an empty suite passes nothing."
            raise ConfigurationError(msg)
        table = read_table(open_data(self.data), where=self.where)
        recording.about(data=table.name, data_digest=table.digest)
        recording.expect(len(expectations) + len(self.checks))
        if expectations:
            validate(table.rows, expectations, recording)
        if self.checks:
            reference = None if self.reference is None else read_table(open_data(self.reference)).rows
            ask(self.checks, DataSubject(rows=table.rows, reference=reference), recording)
