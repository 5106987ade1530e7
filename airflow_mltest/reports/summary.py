"""What the index holds of a suite, small enough that fifty are read at once."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from airflow_mltest.core.history import past_run_from_document, past_run_of, past_run_to_document
from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Origin, Outcome, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltest.core.history import PastRun
    from airflow_mltest.core.outcome import Case

_SCHEMA, _VERSION = "airflow-mltest/entry", 1
# The entry of the largest suite is read within 20 ms: what did not pass, and what took longest, is kept by name.
_MOST_CASES, _MOST_FAILURES, _MOST_METRICS, _MESSAGE = 2_000, 100, 200, 300
_BAD = frozenset({Outcome.FAILED, Outcome.BROKEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    What an entry holds.

    Args:
        suite: The suite without its cases; its own outcome says nothing.
        outcome: How it ended.
        counts: How many cases ended how, by outcome and `flaky`.
        metrics: What was measured, by name; 200 at most.
        failures: The first lines of what each failure said, by case; 100 at most.
        past: How its cases ended. Of more than 2,000 those that did not pass, and the slowest; its
            commit is all that is known of what was tested.
        digest: Of the report that the entry was made from.
    """

    suite: Suite
    outcome: Outcome
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    failures: Mapping[str, str]
    past: PastRun
    digest: str


def summary_content(suite: Suite, digest: str) -> bytes:
    """
    Give what the entry of *suite* holds, as compressed JSON.

    Args:
        suite: As it was kept, with its origin.
        digest: Of the bytes that were kept.
    """
    kept = replace(suite, cases=_worth_keeping(suite.cases))
    environment = str(suite.environment.get("environment", "any"))
    past = replace(past_run_of(kept, environment=environment), commit=_tested(suite.subject))
    document = {
        "schema": _SCHEMA,
        "version": _VERSION,
        "name": suite.name,
        "kind": suite.kind,
        "origin": asdict(suite.origin) if suite.origin else {},
        "outcome": suite.outcome,
        "counts": suite.counts,
        "incomplete": suite.incomplete[:_MESSAGE],
        "stands_for": suite.stands_for,
        "subject": {str(key): str(value) for key, value in suite.subject.items()},
        "duration_s": float(suite.duration_s) if math.isfinite(suite.duration_s) else 0.0,
        "metrics": dict(list(metrics_of(suite).items())[:_MOST_METRICS]),
        "failures": {case.name: case.detail[:_MESSAGE] for case in suite.failures[:_MOST_FAILURES]},
        "past": past_run_to_document(past),
        "digest": digest,
    }
    return gzip.compress(json.dumps(document, allow_nan=False).encode(), mtime=0)


def summary_from_content(content: bytes) -> Summary | None:
    """Read back what `summary_content` gave; None for anything else, since the report itself is still there."""
    try:
        document = json.loads(gzip.decompress(content))
        past = past_run_from_document(document["past"])
        if past is None or (document["schema"], document["version"]) != (_SCHEMA, _VERSION):
            return None
        suite = Suite(
            name=document["name"],
            kind=document["kind"],
            origin=Origin(**document["origin"]),
            subject=document["subject"],
            started_at=past.started_at,
            duration_s=document["duration_s"],
            incomplete=document["incomplete"],
            stands_for=document["stands_for"],
        )
        return Summary(
            suite=suite,
            outcome=Outcome(document["outcome"]),
            counts=document["counts"],
            metrics=document["metrics"],
            failures=document["failures"],
            past=past,
            digest=document["digest"],
        )
    except (EOFError, KeyError, OSError, TypeError, ValueError, zlib.error):
        return None


def _worth_keeping(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    if len(cases) <= _MOST_CASES:
        return cases
    return tuple(sorted(cases, key=lambda case: (case.outcome not in _BAD, not case.flaky, -case.duration_s)))[
        :_MOST_CASES
    ]


def _tested(subject: Mapping[str, str]) -> str:
    """Name what was tested as a commit alone, or as all that is known of it: else two subjects were one."""
    if subject.keys() == {"commit"}:
        return str(subject["commit"])
    return ", ".join(f"{key} {subject[key]}" for key in sorted(subject))
