"""What a page shows of one task of a run: a short suite whole, of a long one first what the index tells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Origin, Outcome
from airflow_mltest.reports.index import Index, past_of
from airflow_mltest.reports.merge import merge
from airflow_mltest.reports.opened import Opened, open_suite
from airflow_mltest.reports.page import VERDICTS, contents, template
from airflow_mltest.reports.parts import Part, kept_of, worst
from airflow_mltest.reports.run_page import REFRESH_S, STILL_RUNNING

if TYPE_CHECKING:
    from airflow_mltest.reports.airflows import Airflows
    from airflow_mltest.reports.index import IndexedRun
    from airflow_mltest.reports.opened import Look
    from airflow_mltest.reports.store import Store

_MOST_OPENED = 2_000
_SLOWEST = 10


def render_task(store: Store, origin: Origin, known: Airflows, look: Look | None = None) -> str:
    """
    Write the page of a task in a run, or of one of its mapped instances.

    Args:
        store: Where its suite is kept.
        origin: The task; map index -1 is all of its instances. Of each the newest try is shown.
        known: What Airflow knows of the run.
        look: Which cases are asked for, page by page; None: the first view.
    """
    index = Index(store.root)
    part = _part(index, origin)
    running = [one for one in known.running if one.task_id == origin.task_id]
    short = part is not None and part.size <= _MOST_OPENED
    # Without an index there is still what it was made from.
    given = kept_of(store, origin) if part is None else part.opened(store) if short and look is None else []
    suites = merge(given)
    outcome = worst([*([part.run.outcome] if part else []), *(suite.outcome for suite in suites)])
    still = bool(running) and outcome is not Outcome.FAILED
    return template("task.html.j2").render(
        origin=origin,
        part=part,
        outcome=Outcome.SKIPPED if still else outcome,
        verdict=STILL_RUNNING if still else VERDICTS[outcome] if part or suites else "Nothing is known of it",
        contents=contents(suites),
        looked=_looked(store, part, look) if part and look else None,
        look=look,
        slowest=[] if suites or part is None else _slowest(part),
        decision=known.decisions.get(origin.task_id),
        incomplete="; ".join(suite.incomplete for suite in suites if suite.incomplete)
        or (part.incomplete if part else ""),
        running=running,
        refresh_s=REFRESH_S if running else 0,
        outcomes=[*Outcome],
    )


def _part(index: Index, origin: Origin) -> Part | None:
    run = index.in_run(origin.dag_id, origin.run_id).get(origin.task_id)
    wanted = run and [entry for entry in run.entries if origin.map_index in {-1, entry.map_index}]
    if not run or not wanted:
        return None
    chosen: IndexedRun = replace(run, entries=tuple(wanted))
    [summaries] = index.details([chosen])
    # Less than all instances would look like all.
    if len(summaries) != len(wanted):
        return None
    return Part(task_id=origin.task_id, run=chosen, summaries=summaries)


def _looked(store: Store, part: Part, look: Look) -> list[tuple[Origin, Opened]]:
    """Open what is looked at, of each mapped instance."""
    return [
        (origin, open_suite(store, origin, summary.suite.kind, look))
        for summary in part.summaries
        if (origin := summary.suite.origin)
    ]


def _slowest(part: Part) -> list[tuple[str, float]]:
    past = past_of(part.summaries)
    took_s = [(test, case.duration_s) for test, case in past.cases.items()] if past else []
    return sorted(took_s, key=lambda item: -item[1])[:_SLOWEST]
