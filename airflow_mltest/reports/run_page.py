"""What a page shows of one DAG run: at once what the index tells, and short suites whole."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Origin, Outcome
from airflow_mltest.core.turns import turns
from airflow_mltest.reports.index import Index, past_of
from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import VERDICTS, contents, template
from airflow_mltest.reports.parts import kept_of, parts_of, short_ones, worst
from airflow_mltest.reports.trend import past_of as measured_before

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_mltest.core.outcome import Suite
    from airflow_mltest.core.turns import Turn
    from airflow_mltest.reports.airflows import Airflows
    from airflow_mltest.reports.parts import Part
    from airflow_mltest.reports.store import Store

_MOST_MEASURED = 200
_TURNS_OVER, _MOST_TURNS = 10, 50
REFRESH_S = 5
STILL_RUNNING = "Still running"


def render_run(store: Store, dag_id: str, run_id: str, known: Airflows) -> str:
    """
    Write the page of a DAG run.

    Args:
        store: Where its suites are kept.
        dag_id: The DAG.
        run_id: Its run.
        known: What Airflow knows of it.
    """
    index = Index(store.root)
    parts = parts_of(index, dag_id, run_id)
    whole = short_ones(parts)
    # Without an index there is still what it was made from.
    everything = Origin(dag_id=dag_id, run_id=run_id, task_id="")
    suites = [suite for part in whole for suite in part.opened(store)] if parts else kept_of(store, everything)
    report = report_of("ML tests", suites, dag_id=dag_id, run_id=run_id)
    outcome = worst([*(part.run.outcome for part in parts), *(suite.outcome for suite in report.suites)])
    running = {one.task_id for one in known.running}
    still = bool(running) and outcome is not Outcome.FAILED
    bounded = report_of("", [suite for suite in report.suites if len(suite.cases) <= _MOST_MEASURED])
    return template("run.html.j2").render(
        dag_id=dag_id,
        run_id=run_id,
        outcome=Outcome.SKIPPED if still else outcome,
        verdict=STILL_RUNNING if still else VERDICTS[outcome],
        running=running,
        counts_=_added(part.counts for part in parts) if parts else report.counts,
        incomplete=[(name, why) for name, why in _incomplete(parts, report.suites) if name not in running],
        parts=parts,
        long=[part for part in parts if part not in whole],
        contents=contents(report.suites, measured_before(bounded, store)),
        turned=_turned(index, parts, dag_id, run_id),
        known=known,
        refresh_s=REFRESH_S if known.running else 0,
    )


def _incomplete(parts: Sequence[Part], suites: Sequence[Suite]) -> list[tuple[str, str]]:
    """Name what did not reach its end; of what was opened, the report knows best."""
    known = {part.task_id: part.incomplete for part in parts} | {suite.name: suite.incomplete for suite in suites}
    return [(name, why) for name, why in known.items() if why]


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(sum(map(Counter, counts), Counter[str]()))


def _turned(index: Index, parts: Sequence[Part], dag_id: str, run_id: str) -> list[tuple[Part, Turn]]:
    """Say what the run has turned, of the suites that were asked before."""
    found: list[tuple[Part, Turn]] = []
    for part in parts:
        runs = index.runs(dag_id, part.task_id)
        place = next((place for place, run in enumerate(runs) if run.run_id == run_id), len(runs))
        details = index.details(runs[place : place + _TURNS_OVER])
        past = [told for summaries in details if (told := past_of(summaries))]
        if len(past) > 1:
            found += [(part, turn) for turn in turns(past)]
    return found[:_MOST_TURNS]
