"""What a gate writes on the version that it judged, and what the next one reads there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.evidence import usable
from airflow_mltest.core.metrics import metrics_of

if TYPE_CHECKING:
    from airflow_mltest.core.decision import Decision
    from airflow_mltest.core.evidence import Candidate, Evidence

_METRICS = "mltest.gate.metrics"
# MLflow takes 100 000 characters.
_MOST = 90_000


def gate_tags(decision: Decision, evidence: Sequence[Evidence], candidate: Candidate) -> dict[str, str]:
    """Say what was decided and why, in tags that are written in this order."""
    verdict = {"mltest.gate": "approved" if decision.approved else "refused"}
    rest = {
        "mltest.gate.decision": decision.id,
        "mltest.gate.decided_at": decision.decided_at,
        "mltest.gate.expires_at": decision.expires_at,
        "mltest.gate.target": decision.target,
        "mltest.gate.subject": as_tag(decision.subject),
        "mltest.gate.reasons": as_tag(decision.reasons),
        "mltest.gate.evidence": as_tag(decision.evidence),
        _METRICS: as_tag(_figures(evidence, candidate)),
    }
    # Who is killed between two of them leaves no "approved" that is not borne out.
    return rest | verdict if decision.approved else verdict | rest


def champion_figures(tags: Mapping[str, str]) -> dict[str, Any]:
    """Read the figures that a version's gate wrote, by suite; empty where nothing can be read."""
    try:
        figures = json.loads(tags.get(_METRICS, ""))
    except ValueError:
        return {}
    return figures if isinstance(figures, dict) else {}


def to_copy(tags: Mapping[str, str]) -> dict[str, str]:
    """Give those tags of a version that a copy of it needs, to be compared with when it is the champion."""
    return {key: value for key, value in tags.items() if key == _METRICS}


def as_tag(found: Mapping[str, Any] | Sequence[str]) -> str:
    """Write as JSON what a tag can hold; where that is not all, the last item says how many are left out."""
    items: list[Any] = list(found.items() if isinstance(found, Mapping) else found)
    most = len(items)
    while True:
        left_out = f"{len(items) - most} more"
        rest: list[Any] = [] if most == len(items) else [("…", left_out) if isinstance(found, Mapping) else left_out]
        some = [*items[:most], *rest]
        text = json.dumps(dict(some) if isinstance(found, Mapping) else some)
        if len(text) <= _MOST:
            return text
        most = most * 3 // 4


def _figures(evidence: Sequence[Evidence], candidate: Candidate) -> dict[str, Any]:
    """Give what was measured of this version on data that are known, the shortest first."""
    figures: dict[str, Any] = {}
    for piece in evidence:
        _, problem = usable(piece.suite.name, evidence, candidate)
        data, metrics = piece.named("data_digest"), metrics_of(piece.suite)
        if not problem and metrics and len(data) == 1:
            figures[piece.suite.name] = {"data_digest": data.pop(), "metrics": metrics}
    return dict(sorted(figures.items(), key=lambda item: (len(item[1]["metrics"]), item[0])))
