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
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry


class ModelTestOperator(SuiteOperator):
    """
    Load a model once, let it predict once where checks can share, and ask every check.

    The model lives in a process of its own: a check in which it dies or hangs is broken, and the
    others are asked of a model that is loaded anew. Data is read before, here, where Airflow's
    connections are; checks cannot ask Airflow. Seeds are set and numeric libraries held to one
    thread while it runs; both are recorded.

    Args:
        model: `models:/name@alias`, `models:/name/3`, any other URI that MLflow can load, or a
            function that answers a data frame of the rows without the target.
        data: Path or URL of a Parquet or CSV file with features and target, or a callable that
            returns a data frame.
        target: The column that holds the truth.
        checks: Questions from `airflow_mltest.checks`, or your own.
        baseline: The model to compare with, as *model*; an alias that the model does not have
            yet means a first release, which has nothing to be compared with.
        seed: For everything that draws.
        case_timeout_s: Seconds that one check may take; then it is broken, and the others are asked.
    """

    kind: ClassVar[Kind] = "model"
    template_fields = ("model", "data", "target", "baseline")
    ui_color = "#f3e9f5"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        model: str | Callable[[pd.DataFrame], Any],
        data: str | Callable[[], pd.DataFrame],
        target: str,
        checks: Sequence[Check],
        baseline: str | Callable[[pd.DataFrame], Any] | None = None,
        seed: int = 0,
        case_timeout_s: float = 900.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = later(model)
        self.data = later(data)
        self.target = target
        self.checks = tuple(checks)
        self.baseline = later(baseline)
        self.seed = seed
        self.case_timeout_s = case_timeout_s

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Read the data here, where Airflow's connections are; load and ask in a process of its own."""
        from airflow_mltest.checks.model.subject import ModelSubject
        from airflow_mltest.hooks.mlflow import MlflowHook
        from airflow_mltest.integrations.pandas_table import read_table
        from airflow_mltest.model_run import ask_apart

        registry = MlflowHook().get_conn() if self._needs_registry else None
        table = read_table(open_data(self.data))
        recording.about(data=table.name, data_digest=table.digest)
        sources = {source: None for check in self.checks for source in getattr(check, "sources", ())}
        tables = {source: read_table(open_data(later(source))).rows for source in sources}

        def prepare(told: Recording) -> ModelSubject:
            model = _load(self.model, registry)
            baseline = None if self.baseline is None else _load_baseline(self.baseline, registry)
            told.about(model=model.name or model.uri, version=model.version, model_digest=model.digest)
            told.about(baseline=baseline.uri if baseline else None)
            return ModelSubject(
                model=model,
                rows=table.rows,
                target=self.target,
                baseline=baseline,
                baseline_absent=f"first release: {self.baseline} does not point anywhere yet" if self.baseline else "",
                seed=self.seed,
                tables=tables,
            )

        ask_apart(self.checks, prepare, recording, case_timeout_s=self.case_timeout_s)

    @property
    def _needs_registry(self) -> bool:
        return any(isinstance(model, str) for model in (self.model, self.baseline))


def _load(model: Any, registry: MlflowRegistry | None) -> Any:
    from airflow_mltest.checks.model.function import FunctionModel

    return registry.load(model) if registry and isinstance(model, str) else FunctionModel(function=model.function)


def _load_baseline(model: Any, registry: MlflowRegistry | None) -> Any:
    return registry.load_baseline(model) if registry and isinstance(model, str) else _load(model, None)
