"""A number beside its bound, as a small picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from airflow_mltest.reports.axis import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_mltest.core.outcome import Measurement

WIDTH = 240.0
_INSET = 8.0
_FIGURES = 4
_MOST_FIGURES = 17  # what tells any two floats apart

# What follows the number, by how its name ends. The longest first: `_per_s` ends in `_s`.
_UNITS = {
    "_per_s": "/s",
    "_share": " %",
    "_hours": " h",
    "_days": " d",
    "_bytes": " B",
    "_mib": " MiB",
    "_gib": " GiB",
    "_ms": " ms",
    "_s": " s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """
    Where the parts of one picture are: x from 0 to `WIDTH`, left to right.

    Args:
        dot: The estimate.
        bar: Start and length of the interval; None without one.
        bounds: A line for each bound.
        forbidden: Start and length of what lies beyond each bound.
    """

    dot: float
    bar: tuple[float, float] | None
    bounds: tuple[float, ...]
    forbidden: tuple[tuple[float, float], ...]


def plot(measurement: Measurement) -> Plot | None:
    """Draw *measurement* on a scale of its own; None where there is nothing to draw it beside."""
    minimum, maximum, value = measurement.minimum, measurement.maximum, measurement.value
    bounds, ends = _bounds(measurement), _ends(measurement)
    x = _scale([value, *bounds, *ends]) if math.isfinite(value) and (bounds or ends) else None
    if x is None:
        return None
    forbidden = [(0.0, x(minimum))] if _known(minimum) else []
    if _known(maximum):
        forbidden.append((x(maximum), round(WIDTH - x(maximum), 1)))
    return Plot(
        dot=x(value),
        bar=(x(ends[0]), round(max(2.0, x(ends[1]) - x(ends[0])), 1)) if ends else None,
        bounds=tuple(x(bound) for bound in bounds),
        forbidden=tuple(forbidden),
    )


def standing(measurement: Measurement) -> str:
    """
    Say on which side of its bounds *measurement* is, with the whole of its interval.

    Returns:
        `holds`, `crosses` (the interval does) or `violates`; empty without a bound or a value.
    """
    if not math.isfinite(measurement.value) or not _bounds(measurement):
        return ""
    seen = (measurement.value, *_ends(measurement))
    low, high = min(seen), max(seen)
    minimum = measurement.minimum if _known(measurement.minimum) else -math.inf
    maximum = measurement.maximum if _known(measurement.maximum) else math.inf
    if minimum <= low and high <= maximum:
        return "holds"
    return "violates" if high < minimum or low > maximum else "crosses"


def words(measurement: Measurement) -> dict[str, str]:
    """Say the `value`, its `interval` and what was `wanted`, each as text; empty where it is not known."""
    name, value = measurement.name, measurement.value
    others = [*_bounds(measurement), *_ends(measurement)]
    said = {"value": _number(value, name, others) if math.isfinite(value) else "not measured"}
    told = [_number(end, name, _bounds(measurement)) for end in _ends(measurement)]
    coverage = f"{_number(measurement.confidence, '_share', ())} interval " if measurement.confidence else ""
    said["interval"] = f"{coverage}{told[0]} to {told[1]}" if told else ""
    wanted = (("at least", measurement.minimum), ("at most", measurement.maximum))
    said["wanted"] = " and ".join(f"{word} {_number(b, name, (value,))}" for word, b in wanted if _known(b))
    return said


def _known(bound: float | None) -> TypeGuard[float]:
    return bound is not None and math.isfinite(bound)


def _bounds(measurement: Measurement) -> list[float]:
    return [bound for bound in (measurement.minimum, measurement.maximum) if _known(bound)]


def _ends(measurement: Measurement) -> Sequence[float]:
    """Give both ends of the interval, or none: of one without the other there is no picture."""
    low, high = measurement.low, measurement.high
    return (low, high) if _known(low) and _known(high) and low <= high else ()


def _scale(numbers: Sequence[float]) -> Callable[[float], float] | None:
    lowest, highest = min(numbers), max(numbers)
    margin = (highest - lowest) * 0.15 or abs(lowest) * 0.1 or 1.0
    # What is never negative keeps its zero: a latency has no left of it.
    start = max(0.0, lowest - margin) if lowest > 0 else lowest - margin
    span = highest + margin - start
    if not math.isfinite(span) or span <= 0:
        return None
    return lambda number: round(_INSET + (number - start) / span * (WIDTH - 2 * _INSET), 1)


def _number(value: float, name: str, apart_from: Iterable[float]) -> str:
    """Write four figures and the unit; more where two different numbers would read the same."""
    stem = name.partition("[")[0]
    unit = next((unit for ending, unit in _UNITS.items() if stem.endswith(ending)), "")
    factor = 100.0 if unit == " %" else 1.0
    others = [other for other in apart_from if other != value and math.isfinite(other)]
    for figures in range(_FIGURES, _MOST_FIGURES + 1):
        text = written(value * factor, figures)
        if all(written(other * factor, figures) != text for other in others):
            break
    return text + unit.replace(" ", "\N{NO-BREAK SPACE}")
