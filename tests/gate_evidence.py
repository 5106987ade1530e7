"""Suites, as a gate sees them, about a candidate; nothing here is Airflow's."""

from datetime import UTC, datetime, timedelta

from airflow_mltest.core.evidence import Candidate, Evidence
from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIGEST = "sha256:" + "a" * 64
SUBJECT = {"model": "churn", "version": "3", "model_digest": DIGEST}
CANDIDATE = Candidate(
    model="churn", version="3", digest=DIGEST, champion="2", now=NOW, max_age=HOUR, target="churn@champion"
)


def suite(name="quality", *outcomes, auc=None, kind="model", **more):
    """One suite: passed, about the candidate, half an hour old, unless told otherwise."""
    measurements = () if auc is None else (Measurement(name="auc", value=auc),)
    cases = tuple(
        Case(name=f"case {number}", outcome=outcome, measurements=measurements)
        for number, outcome in enumerate(outcomes or (Outcome.PASSED,))
    )
    return Suite(name=name, kind=kind, **{"subject": SUBJECT, "started_at": NOW - HOUR / 2, "cases": cases, **more})


def evidence(name="quality", *outcomes, doubt="", **more):
    """A suite as evidence."""
    return Evidence(
        suite=suite(name, *outcomes, **more), address=f"/reports/{name}.json", digest=f"sha256:{name}", doubt=doubt
    )


def shards(name, *parts):
    """Several suites of a mapped task as one piece of evidence; what they differ in is in none of them."""
    pieces = []
    for number, part in enumerate(parts):
        origin = Origin(dag_id="d", run_id="r", task_id=name, map_index=number)
        address, digest = f"/reports/{name}@{number}.json", f"sha256:{name}{number}"
        pieces.append(Evidence(suite=suite(name, origin=origin, **part), address=address, digest=digest))
    first = pieces[0].suite
    same = {k: v for k, v in first.subject.items() if all(piece.suite.subject.get(k) == v for piece in pieces)}
    return Evidence(
        suite=suite(name, kind=first.kind, subject=same, started_at=min(piece.suite.started_at for piece in pieces)),
        address=" ".join(piece.address for piece in pieces),
        digest=" ".join(piece.digest for piece in pieces),
        parts=tuple(pieces),
    )
