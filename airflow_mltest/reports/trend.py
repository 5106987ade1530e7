"""How a suite's metrics went over past versions of the model, or past runs."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from airflow_mltest.core.figure import Figure, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.outcome import Measurement, Suite
    from airflow_mltest.reports.merge import Report
    from airflow_mltest.reports.store import Store

_MOST_FIGURES = 12
_DAY_S = 86_400
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


def trends(suite: Suite, past: Sequence[Suite]) -> tuple[Figure, ...]:
    """
    Draw each metric of *suite* that has a bound beside what it was.

    Args:
        suite: The newest run.
        past: Earlier runs, newest first; those of other suites and other models are passed over. Of
            several runs on one version of the model, the newest counts.

    Returns:
        The first twelve, over the versions where all runs name theirs as a number, else over days.
        Of a metric that was not measured before there is none.
    """
    runs = [suite, *(other for other in past if _comparable(suite, other))]
    places, along = _versions(runs) or _days(runs)
    measured = [_measurements(run) for run in runs]
    found = []
    for name, wanted in _bounded(suite).items():
        values: dict[float, Measurement] = {}
        # The oldest first: of equal places the newest is the one that stays.
        for place, by_name in zip(reversed(places), reversed(measured), strict=True):
            if name in by_name:
                values[place] = by_name[name]
        if len(values) > 1:
            found.append(_figure(name, wanted, dict(sorted(values.items())), along))
    return tuple(found[:_MOST_FIGURES])


def past_of(report: Report, store: Store) -> list[Suite]:
    """Read from *store* what the tasks of *report* said in earlier runs, of those whose numbers have bounds."""
    asked = [(suite, suite.origin) for suite in report.suites if _bounded(suite)]
    return [
        earlier
        for suite, origin in asked
        if origin
        for earlier in store.past(origin.dag_id, origin.task_id, before=suite.started_at)
    ]


def _figure(name: str, wanted: Measurement, values: Mapping[float, Measurement], along: str) -> Figure:
    seen = tuple(values.values())
    series = Series(
        x=tuple(values),
        y=tuple(measurement.value for measurement in seen),
        low=tuple(math.nan if measurement.low is None else measurement.low for measurement in seen),
        high=tuple(math.nan if measurement.high is None else measurement.high for measurement in seen),
    )
    bounds = tuple(bound for bound in (wanted.minimum, wanted.maximum) if bound is not None)
    return Figure(title=f"{name} so far", x=along, y=name, series=(series,), bounds=bounds)


def _comparable(suite: Suite, other: Suite) -> bool:
    models = {one.subject["model"] for one in (suite, other) if "model" in one.subject}
    return other.name == suite.name and other.kind == suite.kind and len(models) < 2  # noqa: PLR2004


def _versions(runs: Sequence[Suite]) -> tuple[list[float], str] | None:
    named = [str(run.subject.get("version", "")) for run in runs]
    if not all(_WHOLE.fullmatch(version) for version in named) or len(set(named)) == 1:
        return None
    return [float(version) for version in named], "model version"


def _days(runs: Sequence[Suite]) -> tuple[list[float], str]:
    newest = runs[0].started_at
    return [(run.started_at - newest).total_seconds() / _DAY_S for run in runs], "days; 0 is this run"


def _bounded(suite: Suite) -> dict[str, Measurement]:
    return {
        name: measurement
        for name, measurement in _measurements(suite).items()
        if measurement.minimum is not None or measurement.maximum is not None
    }


def _measurements(suite: Suite) -> dict[str, Measurement]:
    """Give the numbers that are known by name; several with one name are told apart by their cases."""
    told = [(case.name, one) for case in suite.cases for one in case.measurements if math.isfinite(one.value)]
    often = Counter(one.name for _, one in told)
    return {one.name if often[one.name] == 1 else f"{case}: {one.name}": one for case, one in told}
