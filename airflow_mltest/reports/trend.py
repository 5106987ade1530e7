"""How a suite's metrics went over past versions of the model, or past runs."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from airflow_mltest.core.figure import Figure, Matrix, Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_mltest.core.outcome import Measurement, Suite
    from airflow_mltest.reports.merge import Report
    from airflow_mltest.reports.store import Store

_MOST_FIGURES = 12
# Of the others, as many as a heat map shows one by one, in as many maps.
_MAP_ROWS, _MOST_MAPS, _MAP_RUNS = 40, 5, 20
_DAY_S = 86_400
_VERSION = "model version"
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


def trends(suite: Suite, past: Sequence[Suite]) -> tuple[Figure | Matrix, ...]:
    """
    Draw each metric of *suite* that has a bound beside what it was.

    Args:
        suite: The newest run.
        past: Earlier runs, newest first; those of other suites and other models are passed over. Of
            several runs on one version of the model, the newest counts.

    Returns:
        The first twelve, over the versions where all runs name theirs as a number, else over days;
        of more, such as the drift of each of many columns, heat maps of how much of its bound each
        took in the last twenty. Of a metric that was not measured before there is none.
    """
    runs = [suite, *(other for other in past if _comparable(suite, other))]
    places, along = _versions(runs) or _days(runs)
    measured = [_measurements(run) for run in runs]
    found: list[tuple[str, Measurement, dict[float, Measurement]]] = []
    for name, wanted in _bounded(suite).items():
        values: dict[float, Measurement] = {}
        # The oldest first: of equal places the newest is the one that stays.
        for place, by_name in zip(reversed(places), reversed(measured), strict=True):
            if name in by_name:
                values[place] = by_name[name]
        if len(values) > 1:
            found.append((name, wanted, dict(sorted(values.items()))))
    figures = [_figure(name, wanted, values, along) for name, wanted, values in found[:_MOST_FIGURES]]
    return (*figures, *_maps(found[_MOST_FIGURES:], along))


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


def _maps(found: Sequence[tuple[str, Measurement, Mapping[float, Measurement]]], along: str) -> Iterator[Matrix]:
    """Draw metrics that have a greatest value, each as a row of shares of it."""
    rows = [(name, wanted.maximum, values) for name, wanted, values in found if wanted.maximum and wanted.maximum > 0]
    for first in range(0, min(len(rows), _MOST_MAPS * _MAP_ROWS), _MAP_ROWS):
        some = rows[first : first + _MAP_ROWS]
        places = sorted({place for _, _, values in some for place in values})[-_MAP_RUNS:]
        yield Matrix(
            title="How much of what is allowed each took so far",
            rows="metric",
            columns=along,
            row_names=tuple(name for name, *_ in some),
            column_names=tuple(f"{place:.3g}" if along != _VERSION else f"{place:.0f}" for place in places),
            values=tuple(
                tuple(values[place].value / maximum if place in values else math.nan for place in places)
                for _, maximum, values in some
            ),
        )


def _comparable(suite: Suite, other: Suite) -> bool:
    models = {one.subject["model"] for one in (suite, other) if "model" in one.subject}
    return other.name == suite.name and other.kind == suite.kind and len(models) < 2  # noqa: PLR2004


def _versions(runs: Sequence[Suite]) -> tuple[list[float], str] | None:
    named = [str(run.subject.get("version", "")) for run in runs]
    if not all(_WHOLE.fullmatch(version) for version in named) or len(set(named)) == 1:
        return None
    return [float(version) for version in named], _VERSION


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
