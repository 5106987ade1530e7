"""Every question to one model, on rows that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.operators.suite import SuiteOperator, later, open_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Kind
    from airflow_mltest.core.ports import Check
    from airflow_mltest.core.recording import Recording


class ModelTestOperator(SuiteOperator):
    """
    Load a model once, let it predict once where checks can share, and ask every check.

    Seeds are set and numeric libraries held to one thread while it runs; both are recorded.

    Args:
        model: `models:/name@alias`, `models:/name/3`, or any other URI that MLflow can load.
        data: Path or URL of a Parquet or CSV file with features and target, or a callable that
            returns a data frame.
        target: The column that holds the truth.
        checks: Questions from `airflow_mltest.checks`, or your own.
        baseline: The model to compare with, as *model*; an alias that the model does not have
            yet means a first release, which has nothing to be compared with.
        seed: For everything that draws.
    """

    kind: ClassVar[Kind] = "model"
    template_fields = ("model", "data", "target", "baseline")
    ui_color = "#f3e9f5"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        model: str,
        data: str | Callable[[], pd.DataFrame],
        target: str,
        checks: Sequence[Check],
        baseline: str | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.data = later(data)
        self.target = target
        self.checks = tuple(checks)
        self.baseline = baseline
        self.seed = seed

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Load, then ask."""
        from airflow_mltest.checks.ask import ask
        from airflow_mltest.checks.model.subject import ModelSubject
        from airflow_mltest.hooks.mlflow import MlflowHook
        from airflow_mltest.integrations.conditions import controlled
        from airflow_mltest.integrations.pandas_table import read_table

        registry = MlflowHook().get_conn()
        model = registry.load(self.model)
        recording.about(model=model.name or model.uri, version=model.version, model_digest=model.digest)
        baseline = None if self.baseline is None else registry.load_baseline(self.baseline)
        recording.about(baseline=baseline.uri if baseline else None)
        table = read_table(open_data(self.data))
        recording.about(data=table.name, data_digest=table.digest)
        absent = f"first release: {self.baseline} does not point anywhere yet" if self.baseline else ""
        subject = ModelSubject(
            model=model,
            rows=table.rows,
            target=self.target,
            baseline=baseline,
            baseline_absent=absent,
            seed=self.seed,
        )
        # Not before the models are loaded: threads can be limited of libraries that are there.
        with controlled(self.seed) as conditions:
            recording.under(**conditions)
            ask(self.checks, subject, recording)
