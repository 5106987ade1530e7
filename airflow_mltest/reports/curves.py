"""Series of numbers over common axes, drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_mltest.reports.axis import Axis, axis_of, written
from airflow_mltest.reports.drawing import LETTER, LETTERS, LINE, SERIES, WIDTH, hint, letters, shape, shortened, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_mltest.core.figure import Figure, Series

_HEIGHT = 190.0
_RIGHT = 8.0
# Of more, dots hide the line.
_DOTTED = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    A value that is known, and its interval.

    Args:
        x: Where it stands.
        y: What it is.
        low: Lower end; NaN or infinite where it is not known.
        high: Upper end, likewise.
    """

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan

    @property
    def bounded(self) -> bool:
        """Whether an end is known; the other then is open."""
        return math.isfinite(self.low) or math.isfinite(self.high)


def draw_curves(figure: Figure) -> tuple[str, float]:
    """Draw *figure*, whose series stand at numbers; give the elements, and their height."""
    series = figure.series[:SERIES]
    legend, top = draw_legend(figure, 2 * LINE if figure.y else LINE)
    x, y = _axes(figure, series, top)
    parts = [
        words(0, 12, figure.y, kind="axis-name", most=LETTERS) if figure.y else "",
        legend,
        _frame(x, y),
        words(WIDTH - _RIGHT, y.start + 2 * LINE, figure.x, kind="axis-name", most=LETTERS, text_anchor="end"),
    ]
    if figure.diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        parts.append(shape("line", kind="diagonal", x1=x.at(low), y1=y.at(low), x2=x.at(high), y2=y.at(high)))
    parts += [_bound(bound, x, y) for bound in figure.bounds if math.isfinite(bound)]
    drawn = [shape("g", _series(one, x, y), kind=f"series-{place}") for place, one in enumerate(series, 1) if one.x]
    if not any(point for one in series for point in known_points(one)):
        middle = (x.start + x.end) / 2, (y.start + y.end) / 2
        drawn = [words(*middle, "nothing is known", kind="name", most=LETTERS, text_anchor="middle")]
    return "".join(parts + drawn), y.start + 2 * LINE + 6


def draw_legend(figure: Figure, top: float) -> tuple[str, float]:
    """Name the series where there are several, in rows from *top* on; give also where the rows end."""
    if len(figure.series) < 2:  # noqa: PLR2004
        return "", top
    left, parts = 0.0, []
    for place, series in enumerate(figure.series[:SERIES], 1):
        name = shortened(series.name or f"series {place}", 40)
        width = 24 + letters(name) * LETTER
        if left and left + width > WIDTH:
            left, top = 0.0, top + LINE
        line = shape("line", kind="curve", x1=left, y1=top - 4, x2=left + 18, y2=top - 4)
        dot = shape("circle", kind="point", cx=left + 9, cy=top - 4, r=3)
        name = words(left + 23, top, name, kind="name", most=40)
        # What the series is drawn with, and nothing else.
        sample = {"points": dot, "steps": line}.get(series.style, line + dot)
        parts.append(shape("g", sample + name, kind=f"series-{place}"))
        left += width + 10
    if len(figure.series) > SERIES:
        top += LINE
        more = f"not drawn: {len(figure.series) - SERIES} more series"
        parts.append(words(0, top, more, kind="name", most=LETTERS))
    return "".join(parts), top + LINE


def known_points(series: Series) -> list[Point | None]:
    """Give a point for each place; None where the place or the value is not known."""
    places: tuple[Any, ...] = series.x
    lows, highs = ((*ends, *[math.nan] * len(places)) for ends in (series.low, series.high))
    return [
        Point(x=float(x), y=float(y), low=float(low), high=float(high))
        if math.isfinite(x) and math.isfinite(y)
        else None
        for x, y, low, high in zip(places, series.y, lows, highs, strict=False)
    ]


def _axes(figure: Figure, series: Sequence[Series], top: float) -> tuple[Axis, Axis]:
    points = [point for one in series for point in known_points(one) if point]
    across = [point.x for point in points]
    upward = [*figure.bounds, *(number for point in points for number in (point.y, point.low, point.high))]
    if figure.diagonal:
        across = upward = [*across, *upward]
    y = axis_of(upward, top + _HEIGHT, top)
    left = max(letters(label) for _, label in y.ticks()) * LETTER + 8
    return axis_of(across, min(left, WIDTH / 3), WIDTH - _RIGHT, log=figure.log_x, round_ends=figure.diagonal), y


def _frame(x: Axis, y: Axis) -> str:
    parts = []
    for place, label in y.ticks():
        parts.append(shape("line", kind="grid", x1=x.start, y1=place, x2=x.end, y2=place))
        parts.append(words(x.start - 6, place + 4, label, kind="tick", most=20, text_anchor="end"))
    taken = -math.inf
    for place, label in x.ticks():
        half = letters(label) * LETTER / 2
        parts.append(shape("line", kind="grid", x1=place, y1=y.end, x2=place, y2=y.start))
        if place - half > taken:
            middle = min(place, WIDTH - half)
            parts.append(words(middle, y.start + LINE, label, kind="tick", most=20, text_anchor="middle"))
            taken = middle + half + LETTER
    return "".join(parts)


def _bound(bound: float, x: Axis, y: Axis) -> str:
    place = y.at(bound)
    below = 12 if place - y.end < 14 else -4  # noqa: PLR2004  above the line there is no room for words
    label = f"bound {written(bound)}"
    return shape("line", kind="bound", x1=x.start, y1=place, x2=x.end, y2=place) + words(
        x.end, place + below, label, kind="tick", most=24, text_anchor="end"
    )


def _series(series: Series, x: Axis, y: Axis) -> str:
    points = known_points(series)
    known = [point for point in points if point]
    if series.style == "points":
        bars = "".join(_bar(point, x, y) for point in known if point.bounded)
        return bars + _dots(known, x, y)
    stepped = series.style == "steps"
    bands = "".join(_band(run, x, y, stepped=stepped) for run in _runs(points, bounded=True))
    lines = "".join(_path([(x.at(p.x), y.at(p.y)) for p in run], stepped=stepped) for run in _runs(points))
    curve = shape("path", kind="curve", d=lines) if lines else ""
    alone = [run[0] for run in _runs(points) if len(run) == 1]
    return bands + curve + _dots(known if len(known) <= _DOTTED and not stepped else alone, x, y)


def _runs(points: Sequence[Point | None], *, bounded: bool = False) -> Iterator[list[Point]]:
    """Give what hangs together: a line does not go on where a value is not known."""
    run: list[Point] = []
    for point in (*points, None):
        if point and (point.bounded or not bounded):
            run.append(point)
        elif run:
            yield run
            run = []


def _path(places: Sequence[tuple[float, float]], *, stepped: bool, begin: str = "M") -> str:
    (left, top), *others = places
    parts = [f"{begin}{left:g} {top:g}"]
    for across, down in others:
        parts.append(f"H{across:g}V{down:g}" if stepped else f"L{across:g} {down:g}")
    return "".join(parts)


def _band(run: Sequence[Point], x: Axis, y: Axis, *, stepped: bool) -> str:
    """Fill between both ends of the intervals; an open one goes to the edge."""
    lower, upper = ([(x.at(p.x), place(p, y)) for p in run] for place in (_low, _high))
    if stepped:
        lower, upper = _corners(lower), _corners(upper)
    if len(run) == 1:
        return _bar(run[0], x, y)
    around = _path(upper, stepped=False) + _path(lower[::-1], stepped=False, begin="L")
    return shape("path", kind="band", d=f"{around}Z")


def _corners(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    turns = [((right, down), (right, below)) for (_, down), (right, below) in pairwise(places)]
    return [places[0], *(corner for turn in turns for corner in turn)]


def _bar(point: Point, x: Axis, y: Axis) -> str:
    place = x.at(point.x)
    return shape("line", kind="bar", x1=place, y1=_low(point, y), x2=place, y2=_high(point, y))


def _low(point: Point, y: Axis) -> float:
    return y.at(point.low) if math.isfinite(point.low) else y.start


def _high(point: Point, y: Axis) -> float:
    return y.at(point.high) if math.isfinite(point.high) else y.end


def _dots(points: Sequence[Point], x: Axis, y: Axis) -> str:
    told = len(points) <= _DOTTED
    return "".join(
        shape(
            "circle",
            hint(f"{written(p.x)}: {said(p)}") if told else "",
            kind="point",
            cx=x.at(p.x),
            cy=y.at(p.y),
            r=3 if told else 2,
        )
        for p in points
    )


def said(point: Point) -> str:
    """Say a value and its interval in words."""
    if not point.bounded:
        return written(point.y)
    low, high = math.isfinite(point.low), math.isfinite(point.high)
    if low and high:
        return f"{written(point.y)} ({written(point.low)} to {written(point.high)})"
    return f"{written(point.y)} ({f'at least {written(point.low)}' if low else f'at most {written(point.high)}'})"
