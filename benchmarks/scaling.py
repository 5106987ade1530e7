"""Measure what a run costs that is cut into more and more shards: `python -m benchmarks.scaling 100 1000`."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES = (100, 1000)
MODELLED = 10_000
# Of each size, so many shards run; what the others would say is written in their place.
SAMPLE = 4
DAG_FILE = """
from airflow.sdk import DAG
from airflow_mltest.groups import pytest_group
from airflow_mltest.operators.report import ReportOperator

with DAG("scaling", schedule=None):
    pytest_group("unit", {project!r}, shards={shards}) >> ReportOperator(task_id="report", required=["unit"])
"""


@dataclass(kw_only=True)
class Cost:
    """
    What one task, or one step of the scheduler, has cost.

    Args:
        seconds: Of wall time.
        calls: To the Execution API.
        sent: Bytes that the task sent.
        received: Bytes that it received.
        slowest_s: The longest that it waited for one answer.
        rows: That Airflow's database has gained, by table.
    """

    seconds: float = 0.0
    calls: int = 0
    sent: int = 0
    received: int = 0
    slowest_s: float = 0.0
    rows: Counter[str] = field(default_factory=Counter)


def main(sizes: Sequence[int] = SIZES) -> None:
    """Measure each size in a database and a report store of its own, and print the table."""
    with tempfile.TemporaryDirectory(prefix="mltest-scaling-") as folder:
        os.environ.update(
            AIRFLOW_HOME=folder,
            AIRFLOW__CORE__MAX_MAP_LENGTH=str(10 * MODELLED),
            AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
        )
        _measure(Path(folder) / "first", SAMPLE + 1)  # the API's first answer takes seconds
        found = {size: _measure(Path(folder) / str(size), size) for size in sizes}
    if MODELLED not in found and len(found) > 1:
        found[MODELLED] = _beyond(found)
    modelled = "" if MODELLED in sizes else "   (the last is modelled)"
    print(f"\n{'':50}" + "".join(f"{size:>14,}" for size in found) + modelled)
    for line in found[sizes[0]]:
        print(f"{line:50}" + "".join(f"{lines[line]:>14,.6g}" for lines in found.values()))
    for line in ("calls to the API", "bytes received", "rows that it adds"):
        totals = (size * lines[f"a shard: {line}"] for size, lines in found.items())
        print(f"{f'all shards: {line}':50}" + "".join(f"{total:>14,.0f}" for total in totals))


def _beyond(found: dict[int, dict[str, float]]) -> dict[str, float]:
    """Draw the line through the last two sizes on to the one that is modelled."""
    (x0, first), (x1, last) = list(found.items())[-2:]
    return {line: last[line] + (MODELLED - x1) * (last[line] - first[line]) / (x1 - x0) for line in last}


def _measure(folder: Path, shards: int) -> dict[str, float]:
    from airflow_mltest.testing.airflow_database import airflow_database

    project = _project(folder / "project", shards)
    os.environ["AIRFLOW__MLTEST__REPORT_ROOT"] = str(folder / "reports")
    with airflow_database(folder / "airflow", home=folder.parent):
        run = _Run(folder / "airflow" / "dags", project, shards)
        run.step()
        plan = run.task("unit.plan")
        expanding = run.step()
        samples = [run.task("unit.tests", index) for index in range(SAMPLE)]
        kept = run.write_the_others(folder / "reports")
        run.step()
        merge = run.task("unit.merge")
        run.step()
        report = run.task("report")
        run.step()
    files = [path for path in (folder / "reports").rglob("*") if path.is_file()]
    return {
        "plan: seconds": plan.seconds,
        "plan: bytes sent (the XCom that is mapped over)": plan.sent,
        "scheduler: seconds to make the shards' rows": expanding.seconds,
        "scheduler: rows of shards that wait": expanding.rows.total(),
        "a shard: rows that it adds": statistics.median(one.rows.total() for one in samples),
        "a shard: calls to the API": statistics.median(one.calls for one in samples),
        "a shard: bytes sent": statistics.median(one.sent for one in samples),
        "a shard: bytes received": statistics.median(one.received for one in samples),
        "a shard: seconds for its slowest answer": max(one.slowest_s for one in samples),
        "report store: files of the run": len(files),
        "report store: KB of the run": sum(path.stat().st_size for path in files) / 1e3,
        "report store: ms to write a suite": kept * 1e3,
        "merge: seconds": merge.seconds,
        "merge: bytes sent": merge.sent,
        "merge: bytes received": merge.received,
        "report: seconds": report.seconds,
        "report: bytes received": report.received,
    }


class _Run:
    """A run of the DAG, driven step by step as the scheduler would."""

    def __init__(self, dags: Path, project: Path, shards: int) -> None:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
        from airflow.models.dagrun import get_or_create_dagrun
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.sdk import timezone
        from airflow.utils.session import create_session

        (dags / "scaling.py").write_text(DAG_FILE.format(project=str(project), shards=shards), encoding="utf-8")
        bag = DagBag(str(dags), bundle_path=dags, bundle_name="mltest")
        manager: Any = DagBundlesManager
        manager().sync_bundles_to_db()
        sync_bag_to_db(bag, "mltest", None)
        self.dag = bag.dags["scaling"]
        with create_session() as session:
            now = timezone.utcnow()
            run = get_or_create_dagrun(
                dag=SerializedDagModel.get_dag("scaling", session=session),
                run_id="run", start_date=now, logical_date=now, run_after=now, data_interval=None, conf={},
                triggered_by=None, triggering_user_name="benchmark", session=session,
            )  # fmt: skip
            self._id = run.id

    def step(self) -> Cost:
        """Let the scheduler look once, as it does again and again."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session

        with _metered() as cost, create_session() as session:
            run = session.get(DagRun, self._id)
            run.dag = _scheduled("scaling", session)
            ready, _ = run.update_state(session=session)
            for one in ready:
                one.try_number, one.state = one.try_number + 1, "scheduled"
        return cost

    def task(self, task_id: str, index: int = -1) -> Cost:
        """Run one task, in this process and over Airflow's own API."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.sdk.definitions.dag import _run_task
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            asked = (TaskInstance.task_id == task_id, TaskInstance.map_index == index)
            found = session.scalars(select(TaskInstance).where(*asked)).one()
            session.expunge(found)
        with _metered() as cost:
            ended = _run_task(ti=found, task=self.dag.task_dict[task_id])
        state = ended.ti.state if ended else "failed"
        if state != "success":
            sys.exit(f"{task_id} [{index}] has ended as {state}")
        return cost

    def write_the_others(self, root: Path) -> float:
        """End the shards that have not run as if they had; gives the seconds that writing a suite took."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import update

        from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
        from airflow_mltest.operators.shard import read_plan
        from airflow_mltest.reports.store import Store

        store, took_s = Store(root), []
        plan = read_plan(store, "scaling", "run", "unit.plan")
        digest = plan.digest  # of all tests, each time it is asked
        for index, shard in list(enumerate(plan.shards))[SAMPLE:]:
            cases = tuple(Case(name=test, outcome=Outcome.PASSED, duration_s=0.001) for test in shard.tests)
            origin = Origin(dag_id="scaling", run_id="run", task_id="unit.tests", map_index=index)
            suite = Suite(name="tests", kind="code", cases=cases, origin=origin, environment={"plan": digest})
            start_s = time.perf_counter()
            store.keep(suite)
            took_s.append(time.perf_counter() - start_s)
        with create_session() as session:
            others = (TaskInstance.task_id == "unit.tests", TaskInstance.map_index >= SAMPLE)
            session.execute(update(TaskInstance).where(*others).values(state="success"))
        return statistics.median(took_s)


@contextmanager
def _metered() -> Iterator[Cost]:
    """Count what happens in the body: at the API, in the database, by the clock."""
    import httpx

    cost, send, before = Cost(), httpx.WSGITransport.handle_request, _rows()

    def handle(transport: httpx.WSGITransport, request: httpx.Request) -> httpx.Response:
        start_s = time.perf_counter()
        answer = send(transport, request)
        content = b"".join(answer.stream)  # type: ignore[arg-type]
        cost.slowest_s = max(cost.slowest_s, time.perf_counter() - start_s)
        cost.calls += 1
        cost.sent += len(request.content)
        cost.received += len(content)
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    httpx.WSGITransport.handle_request = handle  # type: ignore[method-assign]
    start_s = time.perf_counter()
    try:
        yield cost
    finally:
        httpx.WSGITransport.handle_request = send  # type: ignore[method-assign]
        cost.seconds = time.perf_counter() - start_s
        cost.rows = _rows() - before


def _rows() -> Counter[str]:
    """Count the rows of Airflow's tables."""
    from airflow.models.base import Base
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    with create_session() as session:
        return Counter(
            {t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in Base.metadata.sorted_tables}
        )


def _scheduled(dag_id: str, session: Any) -> Any:
    from airflow.models.serialized_dag import SerializedDagModel

    return SerializedDagModel.get_dag(dag_id, session=session)


def _project(folder: Path, tests: int) -> Path:
    """Write a project of so many tests, a hundred a file."""
    folder.mkdir(parents=True)
    for number in range(0, tests, 100):
        text = "".join(f"def test_{test}():\n    assert True\n\n" for test in range(number, min(number + 100, tests)))
        (folder / f"test_{number:06}.py").write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
