"""What the last runs of a task say, in lines: how each ended, what has turned, what is flaky, slower, or measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.history import flaky_tests
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.slowdowns import slowdown, slowdowns
from airflow_mltest.core.spelling import near
from airflow_mltest.core.turns import turns
from airflow_mltest.core.versions import Measured, over_versions
from airflow_mltest.reports.index import past_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_mltest.core.history import PastRun
    from airflow_mltest.core.turns import Turn
    from airflow_mltest.reports.index import Index, IndexedRun
    from airflow_mltest.reports.summary import Summary

_MOST_VERSIONS = 10
_TIME = "%Y-%m-%d %H:%M:%S"


def chronicle(index: Index, dag_id: str, task_id: str, *, most: int) -> Iterator[str]:
    """
    Tell of the newest runs of a task.

    Args:
        index: Of the report store.
        dag_id: The DAG.
        task_id: Its task.
        most: How many runs.

    Raises:
        ConfigurationError: The index knows none, or none is asked for.
    """
    if most < 1:
        msg = f"{most} runs are asked for: give 1 or more."
        raise ConfigurationError(msg)
    runs = index.runs(dag_id, task_id, most=most)
    if not runs:
        raise _unknown(index, dag_id, task_id)
    details = index.details(runs)
    for run, summaries in zip(runs, details, strict=True):
        yield _line(run, summaries)
    past = [told for summaries in details if (told := past_of(summaries))]
    failures = {name: text for summary in details[0] for name, text in summary.failures.items()}
    yield from (_turned(turn, failures) for turn in turns(past))
    yield from _flaky(past)
    yield from _slower(past, runs)
    yield from _measured(details)


def _unknown(index: Index, dag_id: str, task_id: str) -> ConfigurationError:
    known = index.tasks(dag_id)
    meant = near(task_id, known) if known else near(dag_id, index.dags())
    msg = (
        f"the index has no run of task {task_id!r} of DAG {dag_id!r}{meant}; `mltest report reindex` makes it anew "
        "from the reports."
    )
    return ConfigurationError(msg)


def _line(run: IndexedRun, summaries: Sequence[Summary]) -> str:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in run.counts.items() if count) or "incomplete"
    # A digest says nothing to a reader who has the name.
    subject = {
        key: value
        for summary in summaries
        for key, value in summary.suite.subject.items()
        if not key.endswith("_digest")
    }
    tested = "".join(f"  {key} {value[:12] if key == 'commit' else value}" for key, value in subject.items())
    ended = f"{run.started_at:{_TIME}} {run.outcome.upper():12} {counts}, {run.duration_s:.1f} s"
    return f"{ended}{tested}  {run.run_id}"


def _turned(turn: Turn, failures: Mapping[str, str]) -> str:
    said = failures.get(turn.test, "").partition("\n")[0]
    if turn.kind == "new":
        passed = f" (passed at {_short(turn.passed)})" if turn.passed else ""
        return f"NEW FAILURE  {turn.test}{passed}: {said}"
    at = f" at {_short(turn.since)}" if turn.since else ""
    since = f"since {turn.since_at:{_TIME}}{at}{'' if turn.whole else ' or before'}"
    failed = f"{turn.test}: failed {since}, in {turn.runs} run{'s' if turn.runs > 1 else ''}"
    return f"FIXED        {failed}" if turn.kind == "fixed" else f"STILL FAILS  {failed}: {said}"


def _short(tested: str) -> str:
    """Shorten a commit; of several things that were tested leave out the digests, which name none that is not named."""
    parts = tested.split(", ")
    return tested[:12] if len(parts) == 1 else ", ".join(part for part in parts if "_digest " not in part)


def _flaky(past: Sequence[PastRun]) -> Iterator[str]:
    for found in flaky_tests(past):
        if found.flakes:
            yield f"FLAKY        {found.test}: {found.flakes} of {found.runs} runs"


def _slower(past: Sequence[PastRun], runs: Sequence[IndexedRun]) -> Iterator[str]:
    took_s = [run.duration_s for run in runs if run.outcome is Outcome.PASSED]
    whole = slowdown("all together", took_s)
    for found in (*((whole,) if whole else ()), *slowdowns(past)):
        yield f"SLOWER       {found.test}: {found.now_s:.2f} s, and {found.before_s:.2f} s before"


def _measured(details: Sequence[Sequence[Summary]]) -> Iterator[str]:
    """Tell how metrics went over the versions of the model that was tested last."""
    summaries = [summary for run in details for summary in run]
    model = next((summary.suite.subject["model"] for summary in summaries if "model" in summary.suite.subject), None)
    measured = [
        Measured(
            version=summary.suite.subject.get("version", ""),
            started_at=summary.suite.started_at,
            metrics=summary.metrics,
        )
        for summary in summaries
        if model and summary.suite.subject.get("model") == model
    ]
    for metric, values in over_versions(measured).items():
        told = ", ".join(f"{version}: {value:.6g}" for version, value in list(values.items())[-_MOST_VERSIONS:])
        yield f"METRIC       {metric} of {model} by version: {told}"
