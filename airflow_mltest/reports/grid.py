"""Every suite and its last runs at one look: how each ended, what is flaky or slower, what failures say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.history import flaky_tests
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.slowdowns import slowdowns
from airflow_mltest.reports.clusters import Failure, clusters
from airflow_mltest.reports.index import past_of
from airflow_mltest.reports.models import models

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_mltest.core.history import FlakyTest, PastRun
    from airflow_mltest.core.slowdowns import Slowdown
    from airflow_mltest.reports.clusters import Cluster
    from airflow_mltest.reports.index import Index, IndexedRun
    from airflow_mltest.reports.models import Model
    from airflow_mltest.reports.summary import Summary

_SHOWN_RUNS = 20
# Read within half a second, where an entry has 500 cases: of few suites their last fifty runs, of many fewer.
_MOST_READ, _MOST_RUNS, _LEAST_RUNS = 200, 50, 5
_MOST_ROWS, _MOST_LISTED = 200, 50
_QUIET = frozenset({Outcome.PASSED, Outcome.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which suites are shown; what is empty chooses all."""

    dag: str = ""
    kind: str = ""
    outcome: str = ""
    model: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    A suite.

    Args:
        dag_id: Its DAG.
        task_id: Its task.
        runs: Its last runs, newest first.
        newest: What the entries of the newest hold.
    """

    dag_id: str
    task_id: str
    runs: Sequence[IndexedRun]
    newest: Sequence[Summary]

    @property
    def kind(self) -> str:
        """What it tests; empty where that cannot be read."""
        return self.newest[0].suite.kind if self.newest else ""

    @property
    def models(self) -> list[str]:
        """Which models it was asked of."""
        return sorted({summary.suite.subject["model"] for summary in self.newest if "model" in summary.suite.subject})

    @property
    def shown(self) -> Sequence[IndexedRun]:
        """The runs that have a mark, oldest first."""
        return self.runs[:_SHOWN_RUNS][::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """
    What the page of all suites shows.

    Args:
        rows: The chosen suites, those that have not passed first.
        left_out: How many more there are.
        read: Of how many of its last runs each suite's tests were looked into.
        flaky: Tests that are flaky, with their suites.
        slower: Tests that have become slower, with theirs.
        unsteady: Of a single suite, the tests that have not always passed, and how each run of the grid ended
            for them, oldest first; empty: it did not run.
        clusters: What the failures of these runs say.
        models: The versions of models that were tested.
        dags: What may be chosen.
        kinds: What may be chosen.
        known_models: What may be chosen.
    """

    rows: Sequence[Row]
    left_out: int
    read: int
    flaky: Sequence[tuple[Row, FlakyTest]]
    slower: Sequence[tuple[Row, Slowdown]]
    unsteady: Sequence[tuple[str, Sequence[str]]]
    clusters: Sequence[Cluster]
    models: Sequence[Model]
    dags: Sequence[str]
    kinds: Sequence[str]
    known_models: Sequence[str]


def grid(index: Index, dag_ids: Iterable[str], choice: Choice) -> Grid:
    """
    Read what the page of all suites shows.

    Args:
        index: Of the report store.
        dag_ids: The DAGs whose suites may be shown.
        choice: Which of them are asked for.
    """
    dags = sorted(dag_ids)
    every = _rows(index, [dag_id for dag_id in dags if choice.dag in {"", dag_id}], choice.task)
    chosen = [row for row in every if _chosen(row, choice)]
    chosen.sort(key=lambda row: (row.runs[0].outcome in _QUIET, row.dag_id, row.task_id))
    rows = chosen[:_MOST_ROWS]
    # The first rows are those that have something to tell.
    read = max(_LEAST_RUNS, min(_MOST_RUNS, _MOST_READ // max(1, len(rows))))
    looked = [(row, index.details(row.runs[:read])) for row in rows[: _MOST_READ // read]]
    past = [(row, [told for summaries in details if (told := past_of(summaries))]) for row, details in looked]
    return Grid(
        rows=rows,
        left_out=len(chosen) - len(rows),
        read=read,
        flaky=[(row, one) for row, runs in past for one in flaky_tests(runs) if one.flakes][:_MOST_LISTED],
        slower=[(row, one) for row, runs in past for one in slowdowns(runs)][:_MOST_LISTED],
        unsteady=_unsteady(past[0][1][:_SHOWN_RUNS][::-1]) if len(past) == 1 else (),
        clusters=clusters(_failures(looked))[:_MOST_LISTED],
        models=models(summary for _, details in looked for summaries in details for summary in summaries),
        dags=dags,
        kinds=sorted({row.kind for row in every if row.kind}),
        known_models=sorted({model for row in every for model in row.models}),
    )


def _rows(index: Index, dag_ids: Sequence[str], task: str) -> list[Row]:
    found = [
        (dag_id, task_id, runs)
        for dag_id in dag_ids
        for task_id in index.tasks(dag_id)
        if task in {"", task_id} and (runs := index.runs(dag_id, task_id, most=_MOST_RUNS))
    ]
    newest = index.details([runs[0] for *_, runs in found])
    return [
        Row(dag_id=dag_id, task_id=task_id, runs=runs, newest=summaries)
        for (dag_id, task_id, runs), summaries in zip(found, newest, strict=True)
    ]


def _chosen(row: Row, choice: Choice) -> bool:
    return (
        choice.kind in {"", row.kind}
        and choice.outcome in {"", row.runs[0].outcome}
        and (not choice.model or choice.model in row.models)
    )


def _failures(looked: Sequence[tuple[Row, Sequence[Sequence[Summary]]]]) -> list[Failure]:
    return [
        Failure(dag_id=row.dag_id, run_id=run.run_id, task_id=row.task_id, test=test, said=said)
        for row, details in looked
        for run, summaries in zip(row.runs, details, strict=False)
        for summary in summaries
        for test, said in summary.failures.items()
    ]


def _unsteady(past: Sequence[PastRun]) -> list[tuple[str, list[str]]]:
    tests = dict.fromkeys(test for run in past for test, case in run.cases.items() if case.outcome not in _QUIET)
    return [
        (test, [run.cases[test].outcome.value if test in run.cases else "" for run in past])
        for test in list(tests)[:_MOST_LISTED]
    ]
