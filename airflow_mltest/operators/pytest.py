"""pytest, live case by case, in a child process of the project's own interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltest.operators.suite import SuiteOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_mltest.core.outcome import Kind
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.integrations.pytest_runner import PytestRunner


class PytestOperator(SuiteOperator):
    """
    Run a project's tests; a test that crashes, hangs or exits costs one case, and the rest still run.

    Args:
        project: Folder of the project (its pytest configuration counts), or one test file.
        args: What `python -m pytest` is called with.
        python: The project's interpreter, with pytest in it; a relative path lies in the project;
            empty: the one that runs Airflow.
        env: Variables added to the tests' environment.
        case_timeout_s: Seconds after which a single test is broken, with every thread's stack.
        reruns: How often a failing test is asked again; one that passes only then is flaky.
    """

    kind: ClassVar[Kind] = "code"
    template_fields = ("project", "args", "python", "env")
    ui_color = "#e3f0e8"

    def __init__(  # noqa: PLR0913  the public contract
        self,
        *,
        project: str,
        args: Sequence[str] = (),
        python: str = "",
        env: Mapping[str, str] | None = None,
        case_timeout_s: float | None = None,
        reruns: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.args = args
        self.python = python
        self.env = env
        self.case_timeout_s = case_timeout_s
        self.reruns = reruns
        self._runner: PytestRunner | None = None

    def record(self, recording: Recording, context: Context) -> None:
        """Start pytest and follow it to its end."""
        from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

        bundle = getattr(context["ti"], "bundle_instance", None)
        recording.about(commit=getattr(bundle, "version", None))
        command = PytestCommand(
            project=self.project,
            args=tuple(self.args),
            python=self.python,
            env=dict(self.env or {}),
            case_timeout_s=self.case_timeout_s,
            reruns=self.reruns,
        )
        self._runner = PytestRunner(command)
        if self._stopped:  # before there was a runner to stop
            self._runner.stop()
        self._runner.run(recording)

    def stop(self) -> None:
        """Ask the runner, which ends pytest and all that its tests have started."""
        if self._runner is not None:
            self._runner.stop()
