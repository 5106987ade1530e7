"""What every testing task does: run, tell, keep, answer, and only then raise."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from airflow.sdk import BaseOperator, BaseOperatorLink, ExceptionRetryPolicy, RetryAction, RetryRule

from airflow_mltest.core.errors import (
    BrokenRunError,
    ConfigurationError,
    PromotionRefusedError,
    StoppedError,
    TestsFailedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context, RetryPolicy
    from airflow.sdk.types import TaskInstanceKey

    from airflow_mltest.core.outcome import Kind, Origin, Suite
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.operators.live import Live
    from airflow_mltest.reports.store import Kept

SUMMARY_KEY = "summary"
# Speed, memory and even predictions depend on where they were measured.
_BOUND_TO_MACHINE = ("model", "deployment")

# The same code, data and model fail the same way twice; only a broken run earns a retry.
NO_RETRY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=TestsFailedError, action=RetryAction.FAIL, reason="the suite ran, and has not passed"),
        RetryRule(exception=ConfigurationError, action=RetryAction.FAIL, reason="what is configured cannot work"),
        RetryRule(exception=PromotionRefusedError, action=RetryAction.FAIL, reason="the decision does not hold"),
    ]
)


class ReportLink(BaseOperatorLink):
    """The button that opens the report of the DAG run."""

    name = "Test report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Point at the page of the DAG run, under the deployment's own base URL."""
        from airflow.sdk import conf

        base = conf.get("api", "base_url", fallback="") or ""
        return f"{base.rstrip('/')}/mltest/run?" + urlencode({"dag_id": ti_key.dag_id, "run_id": ti_key.run_id})


class SuiteOperator(BaseOperator):
    """
    Run a suite as a task.

    A subclass says what it tests (`kind`) and records the answers (`record`). Around that, every
    testing task logs each case as it ends, keeps the suite as JSON in the report store, pushes a
    summary to XCom under the key `summary` (and as its result), emits metrics, and ends so:

    ======================================  =========================  =================
    what happened                           raises                     Airflow's state
    ======================================  =========================  =================
    every case passed, or was inconclusive  nothing                    success
    a case failed or is broken              `TestsFailedError`         failed, no retry
    nothing ran                             `TestsFailedError`         failed, no retry
    what is configured cannot work          `ConfigurationError`       failed, no retry
    the run could not finish                `BrokenRunError`           up for retry
    it was stopped (mark failed, timeout)   `StoppedError`             as Airflow says
    ======================================  =========================  =================

    A `retry_policy` of your own replaces this table's right column.
    """

    kind: ClassVar[Kind]
    operator_extra_links = (ReportLink(),)

    # A parameter, since `partial` asks the signature for it, and else maps with none.
    def __init__(self, *, retry_policy: RetryPolicy | None = NO_RETRY, **kwargs: Any) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self._live: Live | None = None
        self._stopped = False

    @property
    def suite_name(self) -> str:
        """What reports and gates call the suite."""
        return str(self.task_id)

    @abstractmethod
    def record(self, recording: Recording, context: Context) -> None:
        """Ask every question, and add each case to *recording* as it ends."""

    def result(self, summary: dict[str, Any]) -> Any:
        """What the task returns; the summary, unless a subclass has more to say."""
        return summary

    def execute(self, context: Context) -> Any:
        """Run the suite; keep and tell what it said, also when it says no."""
        from airflow_mltest.core.recording import Recording
        from airflow_mltest.operators.live import Live
        from airflow_mltest.settings import open_store

        store = open_store()
        live = Live(self.log, store, context.get("task_state_store"))
        recording = Recording(self.suite_name, self.kind, origin=_origin(context), on_case=live, on_progress=live.doing)
        self.log.info("::group::%s suite %s", self.kind, self.suite_name)
        failure = self._run(recording, live, context)
        self.log.info("::endgroup::")
        live.progress(recording)
        suite = recording.suite(incomplete=str(failure) if failure else "")
        return self._answer(store.put(suite, recording.attachments), failure, context)

    def on_kill(self) -> None:
        """Stop the run at once; `execute` then keeps what had finished."""
        self._stopped = True
        self.stop()

    def stop(self) -> None:
        """Interrupt what `record` does, if it still does; runs inside a signal handler."""
        if self._live is not None:
            self._live.interrupt()

    def _run(self, recording: Recording, live: Live, context: Context) -> BaseException | None:
        """Record, and give back why the recording ends early, if it does."""
        self._live = live
        try:
            self._place(recording)
            self.record(recording, context)
        except (ConfigurationError, BrokenRunError) as error:
            return type(error)(f"{self.task_type} {self.task_id!r}: {error}").with_traceback(error.__traceback__)
        except Exception as error:  # noqa: BLE001  a library's or a user's: kept and told, then raised
            return BrokenRunError(f"{self.task_type} {self.task_id!r}: {type(error).__name__}: {error}").with_traceback(
                error.__traceback__
            )
        except BaseException as error:  # noqa: BLE001  Airflow's timeout is one: what finished is kept, then it goes on
            return StoppedError(f"{self.task_type} {self.task_id!r} was stopped") if self._stopped else error
        finally:
            self._live = None
        return None

    def _place(self, recording: Recording) -> None:
        """Record what this worker has; what it says of a model holds for the machine that `on(...)` asked for only."""
        from airflow_mltest.placement import record_worker

        different = "; ".join(map(str, record_worker(recording, self.executor_config)))
        if different and self.kind in _BOUND_TO_MACHINE:
            msg = f"nothing was tested, since this worker is not the environment that `on(...)` names: {different}"
            raise BrokenRunError(msg)
        if different:
            self.log.warning("This worker is not the environment that `on(...)` names: %s", different)

    def _answer(self, kept: Kept, failure: BaseException | None, context: Context) -> Any:
        """Push the summary, emit the metrics, and raise or return what the run has earned."""
        from airflow_mltest.reports.document import summarise
        from airflow_mltest.telemetry import emit

        suite, address = kept.suite, kept.address
        summary = summarise(suite, address, kept.digest)
        emit(suite)
        result = self.result(summary)
        error = failure or self.verdict(suite, address)
        ti = context["ti"]
        ti.xcom_push(SUMMARY_KEY, summary)
        if error:
            ti.xcom_push("return_value", result)
            self.log.error("%s: %s", suite.outcome, json.dumps(summary["counts"]))
            raise error
        self.log.info("%s: %s, kept at %s", suite.outcome, json.dumps(summary["counts"]), address)
        return result

    def verdict(self, suite: Suite, address: str) -> Exception | None:
        """Say what to raise for a suite that ran to its end; None when the task may succeed."""
        if suite.outcome in {"passed", "inconclusive"}:
            return None
        if not suite.failures:
            return TestsFailedError(f"{self.task_id}: nothing ran, so nothing has passed; see {address}")
        names = ", ".join(case.name for case in suite.failures[:5])
        more = f" and {len(suite.failures) - 5} more" if len(suite.failures) > 5 else ""  # noqa: PLR2004
        return TestsFailedError(
            f"{self.task_id}: {len(suite.failures)} of {len(suite.cases)} cases have not passed: {names}{more}; "
            f"see {address}"
        )


class Factory:
    """
    A callable as the value of a templated field: Airflow would call one that is bare, with its context.

    Args:
        function: Called in the task.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def __str__(self) -> str:
        """Name it the same way at every parse: no address in memory."""
        return (
            f"<{self.function.__module__}.{getattr(self.function, '__qualname__', type(self.function).__qualname__)}>"
        )


def later(value: Any) -> Any:
    """Keep a callable from being called before the task runs; anything else stays what it is."""
    return Factory(value) if callable(value) else value


def open_data(source: Any) -> Any:
    """Make a path of a string, through the connection that its URL names; a factory gives its function."""
    from airflow.sdk import ObjectStoragePath

    return source.function if isinstance(source, Factory) else ObjectStoragePath(source)


def _origin(context: Context) -> Origin:
    from airflow_mltest.core.outcome import Origin

    ti = context["ti"]
    return Origin(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number,
    )
