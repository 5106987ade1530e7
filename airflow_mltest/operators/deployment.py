"""A model behind its own server, asked as production asks it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.operators.suite import SuiteOperator, later, open_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    from airflow.sdk import Context

    from airflow_mltest.core.deployment import Deployment
    from airflow_mltest.core.outcome import Kind
    from airflow_mltest.core.ports import Check
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.mlflow_registry import MlflowRegistry


class DeploymentTestOperator(SuiteOperator):
    """
    Start a model's server as the deployment's configuration says, and ask it over HTTP.

    The server runs on this worker, on a free port of its own loopback, from the files of the very version
    that is tested, with the environment variables that the configuration names and no others. It ends with
    the task, however hard that is killed. A server that dies in one check is started anew for the next.

    Args:
        model: `models:/name@alias`, `models:/name/3`, or any other URI that MLflow can load.
        data: Path or URL of a Parquet or CSV file of rows that the model can answer, or a callable that
            returns a data frame; the target may be among the columns of a model with a signature.
        config: What the model is deployed with: the path of a YAML or JSON file, or a mapping. See
            `docs/deployment_tests.md`; its mistakes are told all at once, before anything starts.
        checks: Questions from `airflow_mltest.checks`, or your own; empty: `Parity`, `BadRequests` and
            `CleanStop`. One that ends the server is asked last.
        startup_timeout_s: Seconds that the server may take until it answers.
        seed: For everything that draws.
        case_timeout_s: Seconds that one check may take; then it is broken, and the others are asked.
    """

    kind: ClassVar[Kind] = "deployment"
    template_fields = ("model", "data", "config")
    ui_color = "#e6f5f0"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        model: str,
        data: str | Callable[[], pd.DataFrame],
        config: str | Mapping[str, Any],
        checks: Sequence[Check] = (),
        startup_timeout_s: float = 120.0,
        seed: int = 0,
        case_timeout_s: float = 900.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.data = later(data)
        self.config = config if isinstance(config, str) else Configuration(config)
        self.checks = tuple(checks)
        self.startup_timeout_s = startup_timeout_s
        self.seed = seed
        self.case_timeout_s = case_timeout_s

    def record(self, recording: Recording, context: Context) -> None:  # noqa: ARG002
        """Read configuration and data here; load, start and ask in a process of its own."""
        from tempfile import TemporaryDirectory

        from airflow_mltest.core.deployment import deployment_of
        from airflow_mltest.hooks.mlflow import MlflowHook
        from airflow_mltest.integrations.pandas_table import read_table
        from airflow_mltest.model_run import ask_apart

        registry = MlflowHook().get_conn()
        deployment, mistakes = deployment_of(_read(self.config))
        with _beside(mistakes):
            uri, _, _ = registry.resolve(self.model)
        mistakes += _other_model(registry, uri, deployment)
        table = read_table(open_data(self.data))
        recording.about(data=table.name, data_digest=table.digest)
        recording.under(deployment=deployment.shown)
        # What is downloaded and written meanwhile goes when the task ends, also where it was killed inside.
        with TemporaryDirectory(prefix="mltest-deployment-", ignore_cleanup_errors=True) as folder:
            begin = _Beginning(registry, uri, deployment, mistakes, folder=folder, operator=self)
            ask_apart(
                _in_order(self.checks),
                lambda told: begin.subject(table.rows, told),
                recording,
                case_timeout_s=self.case_timeout_s,
            )


class Configuration:
    """
    A mapping as the value of a templated field, which Airflow shows without the values of variables.

    Args:
        said: What it says.
    """

    template_fields = ("said",)

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = dict(said)

    def __str__(self) -> str:
        """Name the variables, whose values may be secrets."""
        env = self.said.get("env", {})
        return str({**self.said, **({"env": sorted(map(str, env))} if isinstance(env, dict) else {})})


class _Beginning:
    """What happens in the process of its own before the first check is asked."""

    def __init__(  # noqa: PLR0913  all that it takes to begin
        self,
        registry: MlflowRegistry,
        uri: str,
        deployment: Deployment,
        mistakes: list[str],
        *,
        folder: str,
        operator: DeploymentTestOperator,
    ) -> None:
        self._registry, self._uri, self._folder = registry, uri, folder
        self._deployment, self._mistakes = deployment, mistakes
        self._operator = operator

    def subject(self, rows: pd.DataFrame, told: Recording) -> Any:
        """
        Load the model, compare its environment with the deployed one, and start its server.

        Raises:
            ConfigurationError: The configuration has mistakes: all of them.
            BrokenRunError: The server does not start.
        """
        import tempfile

        from airflow_mltest.checks.deployment.subject import DeploymentSubject
        from airflow_mltest.integrations.mlflow_environment import differences
        from airflow_mltest.integrations.mlflow_serving import ScoringServer

        tempfile.tempdir = self._folder
        with _beside(self._mistakes):
            model = self._registry.load(self._uri)
        told.about(model=model.name or model.uri, version=model.version, model_digest=model.digest)
        _refuse(self._mistakes + differences(model.folder, self._deployment))

        def start() -> ScoringServer:
            return ScoringServer(
                model.uri,
                startup_timeout_s=self._operator.startup_timeout_s,
                deployment=self._deployment,
                files=str(model.folder),
                cwd=self._cwd if self._deployment.command else "",
            ).__enter__()

        subject = DeploymentSubject(model=model, rows=rows, start=start, seed=self._operator.seed)
        _ = subject.server  # a server that does not start is no answer to any check
        return subject

    @property
    def _cwd(self) -> str:
        """Give the folder of the file, from which its command names others; empty where it is not on this machine."""
        config = self._operator.config
        folder = Path(config).parent.resolve() if isinstance(config, str) else None
        return str(folder) if folder and folder.is_dir() else ""


@contextmanager
def _beside(mistakes: list[str]) -> Iterator[None]:
    """Let what the body says of the configuration be told with the other mistakes."""
    try:
        yield
    except ConfigurationError as error:
        _refuse([*mistakes, str(error)] if mistakes else [])
        raise


def _refuse(mistakes: Sequence[str]) -> None:
    if mistakes:
        msg = "the deployment's configuration cannot work:\n" + "\n".join(f"- {mistake}" for mistake in mistakes)
        raise ConfigurationError(msg)


def _read(config: Any) -> Any:
    """Give what the configuration says, whatever it is."""
    if isinstance(config, Configuration):
        return config.said
    from airflow_mltest.integrations.yaml_file import documents

    path = open_data(config)
    try:
        return next(iter(documents(path)), None)
    except ConfigurationError as error:
        msg = f"`config` {str(path)!r}: {error}."
        raise ConfigurationError(msg) from error


def _other_model(registry: MlflowRegistry, uri: str, deployment: Deployment) -> list[str]:
    """Say why the model that is deployed is not the one that is tested, if it is not."""
    if not deployment.model:
        return []
    from airflow_mltest.core.spelling import near

    name = uri.removeprefix("models:/").partition("/")[0]
    try:
        deployed, _, _ = registry.resolve(deployment.model)
    except ConfigurationError as error:
        other = deployment.model.removeprefix("models:/").partition("/")[0].partition("@")[0]
        return [f"model: {str(error).rstrip('.')}{near(other, [name]) if other != name else ''}"]
    return [] if deployed == uri else [f"model: {deployment.model} is {deployed}, and {uri} is tested"]


def _in_order(checks: Sequence[Check]) -> tuple[Check, ...]:
    from airflow_mltest.checks import BadRequests, CleanStop, Parity

    asked = checks or (Parity(), BadRequests(), CleanStop())
    return tuple(sorted(asked, key=lambda check: bool(getattr(check, "ends_server", False))))
