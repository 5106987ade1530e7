"""Values that stand at names, such as slices, drawn as one row a name: a dot and its interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_mltest.reports.axis import Axis, axis_of, written
from airflow_mltest.reports.curves import Point, draw_legend, known_points, said
from airflow_mltest.reports.drawing import LETTER, LETTERS, LINE, SERIES, WIDTH, hint, letters, shape, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_mltest.core.figure import Figure, Series

MOST_ROWS = 30
_LANE = 10.0
_INSET = 6.0


def draw_named_rows(figure: Figure) -> tuple[str, float]:
    """Draw *figure*, any of whose series stands at names; give the elements, and their height."""
    rows = rows_of(figure)
    series = figure.series[:SERIES]
    shown = list(rows.items())[:MOST_ROWS]
    found = [point for _, points in shown for point in points.values()]
    numbers = [*figure.bounds, *(number for point in found for number in (point.y, point.low, point.high))]
    value = axis_of(numbers, _INSET, WIDTH - _INSET)
    legend, top = draw_legend(figure, 2 * LINE if figure.x else LINE)
    lanes = max(1, len(series))
    height = LINE + lanes * _LANE + 4
    bottom = top - LINE + 8 + len(shown) * height
    drawn = [_row(name, points, value, top + place * height, lanes) for place, (name, points) in enumerate(shown)]
    left_out = len(rows) - len(shown)
    parts = [
        words(0, 12, figure.x, kind="axis-name", most=LETTERS) if figure.x else "",
        legend,
        _frame(figure, value, top - LINE + 4, bottom),
        *drawn,
        words(WIDTH - _INSET, bottom + 2 * LINE, figure.y, kind="axis-name", most=LETTERS, text_anchor="end"),
        words(0, bottom + 3 * LINE, f"not drawn: {left_out} more", kind="name", most=LETTERS) if left_out else "",
    ]
    return "".join(parts), bottom + (3 if left_out else 2) * LINE + 6


def rows_of(figure: Figure) -> dict[str, dict[int, Point]]:
    """Give, for every name in the order of the series, its points by the place of their series from 1 on."""
    rows: dict[str, dict[int, Point]] = {}
    for place, series in enumerate(figure.series[:SERIES], 1):
        for name, point in zip(_names(series), _points(series), strict=False):
            row = rows.setdefault(name, {})
            if point:
                row[place] = point
    return rows


def _names(series: Series) -> Sequence[str]:
    return [name if isinstance(name, str) else written(name) for name in series.x]


def _points(series: Series) -> list[Point | None]:
    return known_points(replace(series, x=tuple(float(place) for place in range(len(series.x)))))


def _frame(figure: Figure, value: Axis, top: float, bottom: float) -> str:
    parts = []
    for place, label in value.ticks(5):
        half = letters(label) * LETTER / 2
        middle = min(max(place, half), WIDTH - half)
        parts.append(shape("line", kind="grid", x1=place, y1=top, x2=place, y2=bottom))
        parts.append(words(middle, bottom + LINE, label, kind="tick", most=20, text_anchor="middle"))
    for bound in figure.bounds:
        if math.isfinite(bound):
            line = shape("line", hint(f"bound {written(bound)}"), kind="bound", x1=value.at(bound), y1=top,
                         x2=value.at(bound), y2=bottom)  # fmt: skip
            parts.append(line)
    return "".join(parts)


def _row(name: str, points: Mapping[int, Point], value: Axis, top: float, lanes: int) -> str:
    # Of several series, numbers without their names would say nothing.
    short = "" if lanes > 1 else "".join(said(point) for point in points.values()) or "unknown"
    room = int((WIDTH - 2 * _INSET) / LETTER) - letters(short) - 2
    parts = [
        words(_INSET, top, name, kind="name", most=max(12, room)),
        words(WIDTH - _INSET, top, short, kind="tick", most=30, text_anchor="end") if short else "",
    ]
    for lane, (place, point) in enumerate(sorted(points.items())):
        middle = top + _LANE * (lane + 0.9)
        bar = ""
        if point.bounded:
            low = value.at(point.low) if math.isfinite(point.low) else value.start
            high = value.at(point.high) if math.isfinite(point.high) else value.end
            bar = shape("line", kind="bar", x1=low, y1=middle, x2=high, y2=middle)
        dot = shape("circle", hint(f"{name}: {said(point)}"), kind="point", cx=value.at(point.y), cy=middle, r=4)
        parts.append(shape("g", bar + dot, kind=f"series-{place}"))
    return "".join(parts)
