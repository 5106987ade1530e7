"""How a model's metrics went from version to version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    What one run measured of a version of a model.

    Args:
        version: The version; empty where it is not known.
        started_at: When the run began, aware.
        metrics: The numbers, by name.
    """

    version: str
    started_at: datetime
    metrics: Mapping[str, float]


def over_versions(runs: Iterable[Measured]) -> dict[str, dict[str, float]]:
    """
    Give each metric by version; of several runs on one version, the newest that measured it counts.

    Args:
        runs: Of one suite and one model, in any order.

    Returns:
        By metric, then by version: numbers in their order, then other names in that of their first run.
    """
    ordered = sorted((run for run in runs if run.version), key=lambda run: run.started_at)
    # Numbers that are written with other digits are names here: MLflow's have these.
    places = {version: place for place, version in enumerate(dict.fromkeys(run.version for run in ordered))}
    numbered = {version: int(version) for version in places if version.isascii() and version.isdecimal()}
    found: dict[str, dict[str, float]] = {}
    for run in ordered:
        for name, value in run.metrics.items():
            found.setdefault(name, {})[run.version] = value
    return {
        name: dict(
            sorted(values.items(), key=lambda item: (item[0] not in numbered, numbered.get(item[0], places[item[0]])))
        )
        for name, values in found.items()
    }
