"""A number beside its bound, as a small picture."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.core.outcome import Measurement

_WIDTH, _HEIGHT, _EDGE = 220, 26, 8
_UNITS = {"_ms": "ms", "_s": "s", "_mib": "MiB", "_gib": "GiB", "_bytes": "B"}


def picture(measurement: Measurement) -> str:
    """
    Draw the interval as a bar, the estimate as a dot, and what is not allowed as shaded ground.

    Returns:
        An SVG element that says the same in words; empty when there is nothing to compare with.
    """
    seen = [measurement.value, measurement.low, measurement.high, measurement.minimum, measurement.maximum]
    known = [value for value in seen if value is not None and math.isfinite(value)]
    bounds = [value for value in (measurement.minimum, measurement.maximum) if value is not None]
    if not math.isfinite(measurement.value) or not bounds:
        return ""
    x = _scale(min(known), max(known))
    words = escape(in_words(measurement), quote=True)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg class="plot" {size} role="img" aria-label="{words}"><title>{words}</title>',
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="13" y2="13"/>',
    ]
    if measurement.minimum is not None:
        edge = x(measurement.minimum)
        parts.append(f'<rect class="no" x="0" y="3" width="{edge:.1f}" height="20"/>')
        parts.append(f'<line class="bound" x1="{edge:.1f}" x2="{edge:.1f}" y1="1" y2="25"/>')
    if measurement.maximum is not None:
        edge = x(measurement.maximum)
        parts.append(f'<rect class="no" x="{edge:.1f}" y="3" width="{_WIDTH - edge:.1f}" height="20"/>')
        parts.append(f'<line class="bound" x1="{edge:.1f}" x2="{edge:.1f}" y1="1" y2="25"/>')
    low, high = measurement.low, measurement.high
    if low is not None and high is not None:
        width = max(1.0, x(high) - x(low))
        parts.append(f'<rect class="interval" x="{x(low):.1f}" y="9" width="{width:.1f}" height="8" rx="3"/>')
    parts.append(f'<circle class="estimate" cx="{x(measurement.value):.1f}" cy="13" r="4"/></svg>')
    return "".join(parts)


def in_words(measurement: Measurement) -> str:
    """Say "roc_auc 0.69, between 0.68 and 0.70, at least 0.62 wanted"."""
    text = f"{measurement.name} {number(measurement.value, measurement.name)}"
    if measurement.low is not None and measurement.high is not None:
        text += f", between {number(measurement.low)} and {number(measurement.high)}"
    if measurement.minimum is not None:
        text += f", at least {number(measurement.minimum)} wanted"
    if measurement.maximum is not None:
        text += f", at most {number(measurement.maximum)} wanted"
    return text


def number(value: float | None, name: str = "") -> str:
    """Write a number with four digits that count, and the unit that its *name* ends with."""
    if value is None:
        return ""
    if math.isnan(value):
        return "not measured"
    text = f"{value:,.0f}" if abs(value) >= 10_000 and math.isfinite(value) else f"{value:.4g}"  # noqa: PLR2004
    stem = name.partition("[")[0]
    unit = next((unit for suffix, unit in _UNITS.items() if stem.endswith(suffix)), "")
    return f"{text} {unit}" if unit else text


def _scale(least: float, most: float) -> Callable[[float], float]:
    """Map numbers to the width of the picture; all equal ones go to its middle."""
    room = most - least

    def x(value: float) -> float:
        if not room:
            return _WIDTH / 2
        share = min(1.0, max(0.0, (value - least) / room))
        return _EDGE + share * (_WIDTH - 2 * _EDGE)

    return x
